"""Labelled series of NAB's layout: the three profiles, what was hit, what was false, and the taxis by day."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import PROFILES, Series, hits_and_false_flags, nab_score, swept_score
from benchmarks.quality.band import Coverage, coverage_of, coverage_row
from benchmarks.quality.drive import Run, SettingsOf, model_seeds, run_series
from benchmarks.quality.rows import Row, row
from detector.model.verdicts import ScoredBlock

CLOUDWATCH = "realAWSCloudwatch"
TAXI = "realKnownCause/nyc_taxi"
MACHINE = "realKnownCause/machine_temperature_system_failure"
CLOUDWATCH_FIVE = (
    "ec2_cpu_utilization_5f5533",
    "ec2_cpu_utilization_53ea38",
    "ec2_cpu_utilization_24ae8d",
    "rds_cpu_utilization_cc0c53",
    "rds_cpu_utilization_e47b3b",
)

TAXI_EVENTS = (
    ("Independence Day", date(2014, 7, 3), date(2014, 7, 6)),
    ("Labor Day", date(2014, 8, 29), date(2014, 9, 1)),
    ("marathon", date(2014, 11, 1), date(2014, 11, 3)),
    ("Thanksgiving", date(2014, 11, 26), date(2014, 11, 30)),
    ("Christmas", date(2014, 12, 23), date(2014, 12, 27)),
    ("New Year", date(2014, 12, 30), date(2015, 1, 3)),
    ("blizzard", date(2015, 1, 25), date(2015, 1, 28)),
)
"""First and last day of each event of the period; two are not among NAB's windows."""


class SeriesRun(NamedTuple):
    """A labelled series, and what one model a seed said of it, row for row."""

    series: Series
    run: Run

    def flags(self, seed: int) -> NDArray[np.bool_]:
        """Rows with an alarm, bool, shape (n_rows,)."""
        return self.run.flags[:, seed]

    def grades(self, seed: int) -> NDArray[np.float64]:
        """Grade of every row, 0 where there is none, float64, shape (n_rows,)."""
        return np.nan_to_num(self.run.scored.grade[:, seed])


def run_all(every: Sequence[Series], n_seeds: int, settings_of: SettingsOf) -> list[SeriesRun]:
    """Run all series, each with the same seeds."""
    seeds = model_seeds(n_seeds)
    return [SeriesRun(series, run_series(series, seeds, settings_of)) for series in every]


def flags_by_seed(runs: Sequence[SeriesRun], n_seeds: int) -> list[dict[str, NDArray[np.bool_]]]:
    """Return for each seed the rows with an alarm, by name of the series, as `nab_score` takes them."""
    return [{one.series.name: one.flags(seed) for one in runs} for seed in range(n_seeds)]


def folder_of(series: Series) -> str:
    """Return the folder of a series."""
    return series.name.partition("/")[0]


def labelled_rows(runs: Sequence[SeriesRun], n_seeds: int) -> Iterator[Row]:
    """Yield the rows of NAB's scores, of what is counted together, of the taxis and of the cost."""
    yield from _scores("nab", runs, n_seeds)
    for folder in sorted({folder_of(one.series) for one in runs}):
        inside = [one for one in runs if folder_of(one.series) == folder]
        if len(inside) < len(runs):
            yield from _scores(f"nab {folder}", inside, n_seeds)
    for case, chosen in _cases(runs):
        if chosen:
            yield from _counts(case, chosen, n_seeds)
    for one in runs:
        if one.series.name == TAXI:
            taxi = [false_days(one.flags(seed), one.series) for seed in range(n_seeds)]
            yield row("taxi", "false_days", "1", [false for false, _ in taxi])
            yield row("taxi", "events_hit", f"of {len(TAXI_EVENTS)}", [hit for _, hit in taxi])
    yield coverage_row(
        "band", [Coverage.total(_covered(one, seed) for one in runs) for seed in range(n_seeds)]
    )
    points = sum(one.run.scored.score.size for one in runs)
    yield row("fleet", "time_per_point", "us", [1e6 * sum(one.run.seconds for one in runs) / points])


def _scores(case: str, runs: Sequence[SeriesRun], n_seeds: int) -> Iterator[Row]:
    """Yield the three profiles, fixed and swept; without a labelled window there is nothing to score."""
    series = [one.series for one in runs]
    if not any(one.windows for one in series):
        return
    flags = flags_by_seed(runs, n_seeds)
    grades = [{one.series.name: one.grades(seed) for one in runs} for seed in range(n_seeds)]
    for name, profile in PROFILES.items():
        yield row(case, f"{name}_fixed", "", [nab_score(one, series, profile) for one in flags])
        yield row(case, f"{name}_swept", "", [swept_score(one, series, profile) for one in grades])


def _counts(case: str, runs: Sequence[SeriesRun], n_seeds: int) -> Iterator[Row]:
    counts = [
        np.sum([hits_and_false_flags(one.flags(seed), one.series) for one in runs], axis=0)
        for seed in range(n_seeds)
    ]
    of = sum(len(one.series.windows) for one in runs)
    yield row(case, "windows_hit", f"of {of}", [int(hits) for hits, _ in counts])
    yield row(case, "false_flags", "1", [int(false) for _, false in counts])


def _covered(one: SeriesRun, seed: int) -> Coverage:
    """Count the values outside every labelled window that lie in the band of one seed."""
    times = one.series.times_ms
    normal = np.ones(len(times), np.bool_)
    for start, end in one.series.windows:
        normal &= (times < start) | (times > end)
    scored = ScoredBlock(*(column[:, [seed]] for column in one.run.scored))
    return coverage_of(scored, one.series.values[:, None, None], normal[:, None])


def _cases(runs: Sequence[SeriesRun]) -> Iterator[tuple[str, list[SeriesRun]]]:
    """Yield what is counted together: all, the named cases, then every series."""
    yield "nab", list(runs)
    yield "cloudwatch", [one for one in runs if one.series.name.startswith(f"{CLOUDWATCH}/")]
    yield "cloudwatch5", [one for one in runs if one.series.name.rpartition("/")[2] in CLOUDWATCH_FIVE]
    yield "machine temperature", [one for one in runs if one.series.name == MACHINE]
    yield "taxi", [one for one in runs if one.series.name == TAXI]
    for one in runs:
        yield one.series.name, [one]


def false_days(flagged: NDArray[np.bool_], series: Series) -> tuple[int, int]:
    """Return the days with a flag outside every event, and the events with one, the probation excepted."""
    times = series.times_ms[np.flatnonzero(flagged & (np.arange(len(flagged)) >= series.probation))]
    days = {datetime.fromtimestamp(time / 1000, UTC).date() for time in times.tolist()}
    hit = {name for name, first, last in TAXI_EVENTS if any(first <= day <= last for day in days)}
    false = [day for day in days if not any(first <= day <= last for _, first, last in TAXI_EVENTS)]
    return len(false), len(hit)
