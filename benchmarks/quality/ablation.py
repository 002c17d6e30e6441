"""What each part of the design is worth: the same benchmark with one part at a time turned off or exchanged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from benchmarks.nab import PROFILES, Series, nab_score
from benchmarks.quality.detection import detect
from benchmarks.quality.drive import SettingsOf
from benchmarks.quality.generated import mean_noise_alarms, run_seasonal
from benchmarks.quality.labelled import SeriesRun, run_all
from benchmarks.quality.rows import Row, row
from detector.model.fleet import ModelSettings

Change = Callable[[ModelSettings], ModelSettings]

CHANGES: dict[str, Change] = {
    "nothing (the default)": lambda settings: settings,
    "several time scales: a shingle of 8": lambda settings: replace(settings, shingle_size=8),
    "32 trees: 16": lambda settings: replace(settings, n_trees=16),
    "32 trees: 50": lambda settings: replace(settings, n_trees=50),
    "256 samples: 128": lambda settings: replace(settings, sample_size=128),
}
"""What is missing, and what stands in its place, to the settings without it."""


def ablation_rows(
    every: Sequence[Series], n_seeds: int, n_entities: int, settings_of: SettingsOf
) -> Iterator[Row]:
    """Yield the rows of each change: NAB's fixed scores if there are series, seasonal traffic, and clean noise."""
    for name, change in CHANGES.items():

        def changed(n_features: int, interval_ms: int, change: Change = change) -> ModelSettings:
            return change(settings_of(n_features, interval_ms))

        case = f"ablation, {name}"
        if every:
            yield from _labelled(case, run_all(every, n_seeds, changed), n_seeds)
        found = [detect(one.run.flags, one.streams) for one in run_seasonal(n_seeds, changed)]
        yield row(case, "recall", "1", [one.recall for one in found])
        yield row(case, "false_per_week", "1", [one.false_per_week for one in found])
        yield row(case, "alarms_in_4_weeks", "1", mean_noise_alarms(n_entities, n_seeds, changed))


def _labelled(case: str, runs: Sequence[SeriesRun], n_seeds: int) -> Iterator[Row]:
    series = [one.series for one in runs]
    flags = [{one.series.name: one.flags(seed) for one in runs} for seed in range(n_seeds)]
    for name in ("standard", "low_fp"):
        yield row(case, f"{name}_fixed", "", [nab_score(one, series, PROFILES[name]) for one in flags])
