"""The same benchmark with changed settings: one part of the design left out or exchanged, or a user's settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

from benchmarks.nab import PROFILES, Series, nab_score
from benchmarks.quality.detection import detect
from benchmarks.quality.drive import SettingsOf
from benchmarks.quality.generated import mean_noise_alarms, run_seasonal
from benchmarks.quality.labelled import SeriesRun, flags_by_seed, run_all
from benchmarks.quality.rows import Row, row
from detector.model.bars import DEFAULT_BARS, SENSITIVITY, Bars, bars_of
from detector.model.fleet import ModelSettings
from detector.model.parts import ALL_PARTS

Change = Callable[[ModelSettings], ModelSettings]


def without_part(**parts: bool) -> Change:
    """Return the change that turns parts of the model off."""
    return lambda settings: replace(settings, parts=ALL_PARTS._replace(**parts))


def without_rule(**bars: float) -> Change:
    """Return the change that turns parts of the rule off."""
    return with_bars(DEFAULT_BARS._replace(**bars))


def with_bars(bars: Bars) -> Change:
    """Return the change that gives the rule other bars."""
    return lambda settings: replace(settings, bars=bars)


def changed(change: Change, settings_of: SettingsOf) -> SettingsOf:
    """Return settings with a change made to them."""
    return lambda n_features, interval_ms: change(settings_of(n_features, interval_ms))


CHANGES: dict[str, Change] = {
    "nothing (the default)": lambda settings: settings,
    "means over 4, 16 and 64 windows": without_part(has_means=False),
    "seasonal residual": without_part(has_residual=False),
    "a week ago": without_part(has_week=False),
    "means and residual": without_part(has_means=False, has_residual=False),
    "scale frozen a second time": without_part(freezes_again=False),
    "long sides of skewed metrics straightened": without_part(straightens=False),
    "discount by the mean score": without_rule(uses_mean=False),
    "discount by a season ago": without_rule(uses_season=False),
    "novel values are not excused": without_rule(uses_novelty=False),
    "alarms that are strong": without_rule(strong=inf),
    "alarms that last": without_rule(lasting=inf),
    "alarms that rare values support": without_rule(supported=inf),
    "alarms that departures from the routine make": without_rule(departed=inf),
    "higher bar for values that wandered": without_rule(wandered=0.0),
    "higher bars of the young": without_rule(youth=0.0),
    "rest after an alarm": without_rule(rests=False),
    "echo of the last alarm": without_rule(uses_echo=False),
    "fatigue": without_rule(fatigue_step=0.0),
    "one alarm for what lasts": without_rule(tells_once=False),
    "rest, echo and fatigue": without_rule(rests=False, uses_echo=False, fatigue_step=0.0),
    "several time scales: a shingle of 8": lambda settings: replace(settings, shingle_size=8),
    "32 trees: 16": lambda settings: replace(settings, n_trees=16),
    "32 trees: 50": lambda settings: replace(settings, n_trees=50),
    "256 samples: 128": lambda settings: replace(settings, sample_size=128),
}
"""What is missing, and what stands in its place if anything does, to the settings without it."""


KNOBS: dict[str, Change] = {
    **{f"sensitivity {at}": with_bars(bars_of(at)) for at in (0.0, 0.25, 0.5, 0.75, 1.0)},
    **{f"{budget} alarms a week": with_bars(bars_of(SENSITIVITY, budget)) for budget in (0.25, 1.0, 4.0)},
}
"""What a user can set, to the settings with it."""


def rows_of_changes(
    kind: str,
    changes: Mapping[str, Change],
    cases: Sequence[str],
    every: Sequence[Series],
    n_seeds: int,
    n_entities: int,
    settings_of: SettingsOf,
) -> Iterator[Row]:
    """Yield the rows of each change, in the cases among nab, seasonal and noise; `kind` is what they are called."""
    for name, change in changes.items():
        own = changed(change, settings_of)
        case = f"{kind}, {name}"
        if "nab" in cases:
            yield from _labelled(case, run_all(every, n_seeds, own), n_seeds)
        if "seasonal" in cases:
            found = [detect(one.run.flags, one.streams) for one in run_seasonal(n_seeds, own)]
            yield row(case, "recall", "1", [one.recall for one in found])
            yield row(case, "false_per_week", "1", [one.false_per_week for one in found])
        if "noise" in cases:
            yield row(case, "alarms_in_4_weeks", "1", mean_noise_alarms(n_entities, n_seeds, own))


def _labelled(case: str, runs: Sequence[SeriesRun], n_seeds: int) -> Iterator[Row]:
    series = [one.series for one in runs]
    flags = flags_by_seed(runs, n_seeds)
    for name in ("standard", "low_fp"):
        yield row(case, f"{name}_fixed", "", [nab_score(one, series, PROFILES[name]) for one in flags])
