"""Leave one folder out: what bars chosen on the other folders of labelled series are worth on this one.

The more they are worth where they were chosen than on folders they have not seen, the more of a score is fitted to
labels. Beside them stand the bars as they are, of which no folder has its own.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import PROFILES, Series, nab_score
from benchmarks.quality.changes import changed, with_bars
from benchmarks.quality.drive import SettingsOf
from benchmarks.quality.generated import mean_noise_alarms
from benchmarks.quality.labelled import flags_by_seed, folder_of, run_all
from benchmarks.quality.rows import Row, row
from detector.model.bars import DEFAULT_BARS, Bars

FACTORS = (0.8, 1.0, 1.25)
"""The bars around ours: what is strong, what lasts and what departs, each times one of these."""

MOST_ALARMS = 1.0
"""Alarms an entity in four weeks of clean noise, on the mean of its kinds, that bars may make to be chosen."""

Flags = Mapping[str, NDArray[np.bool_]]
"""Rows with an alarm, by series."""


class Candidate(NamedTuple):
    """Bars, what models of each seed flag with them, and how often clean noise alarms."""

    bars: Bars
    flags: Sequence[Flags]
    noise: float

    def score(self, series: Sequence[Series]) -> float:
        """Return the mean score of the seeds."""
        return float(np.mean([nab_score(one, series, PROFILES["standard"]) for one in self.flags]))


def grid() -> list[Bars]:
    """Return the bars to choose from."""
    return [
        DEFAULT_BARS._replace(
            strong=strong * DEFAULT_BARS.strong,
            lasting=lasting * DEFAULT_BARS.lasting,
            departed=departed * DEFAULT_BARS.departed,
        )
        for strong, lasting, departed in itertools.product(FACTORS, repeat=3)
    ]


def candidate(
    bars: Bars, every: Sequence[Series], n_seeds: int, n_entities: int, settings_of: SettingsOf
) -> Candidate:
    """Run all series, and clean noise of each kind, with other bars."""
    own = changed(with_bars(bars), settings_of)
    flags = flags_by_seed(run_all(every, n_seeds, own), n_seeds)
    (noise,) = mean_noise_alarms(n_entities, 1, own)
    return Candidate(bars, flags, noise)


def folder_rows(
    every: Sequence[Series], n_seeds: int, n_entities: int, settings_of: SettingsOf
) -> Iterator[Row]:
    """Yield for each folder with labels what ours, those chosen on the others, and those chosen on it, score on it.

    The last row is all folders together, each with the bars that were chosen without it.
    """
    every_candidate = [candidate(bars, every, n_seeds, n_entities, settings_of) for bars in grid()]
    yield from rows_of(every_candidate, every)


def rows_of(every_candidate: Sequence[Candidate], every: Sequence[Series]) -> Iterator[Row]:
    """Yield the rows of candidates, ours among them."""
    ours = next(one for one in every_candidate if one.bars == DEFAULT_BARS)
    allowed = [one for one in every_candidate if one.noise <= MOST_ALARMS] or [ours]
    unseen: list[dict[str, NDArray[np.bool_]]] = [{} for _ in ours.flags]
    for folder in sorted({folder_of(one) for one in every if one.windows}):
        inside = [one for one in every if folder_of(one) == folder]
        others = [one for one in every if folder_of(one) != folder]
        if not any(one.windows for one in others):
            continue
        chosen = max(allowed, key=lambda one: one.score(others))
        best = max(allowed, key=lambda one: one.score(inside))
        yield from _row_of(f"folder left out, {folder}", inside, ours, chosen, best)
        for mixed, flags in zip(unseen, chosen.flags, strict=True):
            mixed.update((one.name, flags[one.name]) for one in inside)
    seen = [one for one in every if one.name in unseen[0]]
    if seen:
        mixed = ours._replace(flags=unseen)
        best = max(allowed, key=lambda one: one.score(seen))
        yield from _row_of("folder left out, each in turn", seen, ours, mixed, best)


def _row_of(
    case: str, series: Sequence[Series], ours: Candidate, chosen: Candidate, best: Candidate
) -> Iterator[Row]:
    for metric, one in (("ours", ours), ("chosen_elsewhere", chosen), ("chosen_here", best)):
        yield row(case, metric, "", [nab_score(flags, series, PROFILES["standard"]) for flags in one.flags])
