"""How well the default model detects, on labelled series: the production fleet, documents switched off.

    python -m benchmarks.quality --nab DIR [--seeds 5] [--trees 25] [--scores DIR]

Prints JSON lines. `--scores` writes the results of the first seed in NAB's layout (`anomaly_score` = grade).
"""

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import PROFILES, Series, hits_and_false_flags, load_series, nab_score, swept_score
from detector.model.fleet import Fleet, ModelSettings, ScoredBlock

FIRST_SEED = 20_140_701

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


class Run(NamedTuple):
    """One series through the fleet with several seeds.

    Attributes
    ----------
    series
        What was run.
    scored
        The verdicts, one model a seed; rows whose time does not ascend are absent.
    kept
        Rows that were run, int64.
    seconds
        Processor time of `observe`.
    """

    series: Series
    scored: ScoredBlock
    kept: NDArray[np.int64]
    seconds: float

    def column(self, values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
        """Return the values of one seed for all rows of the series, 0 where there is none."""
        column = np.zeros(len(self.series.values))
        column[self.kept] = np.nan_to_num(values[:, seed])
        return column


def run_series(series: Series, seeds: NDArray[np.uint64], n_trees: int) -> Run:
    """Run one series through a fleet with one model a seed, as live data would come."""
    latest = np.maximum.accumulate(series.times_ms)
    kept = np.flatnonzero(np.diff(latest, prepend=latest[0] - 1) > 0)
    fleet = Fleet(ModelSettings(n_features=1, interval_ms=series.interval_ms, n_trees=n_trees))
    fleet.add(seeds)
    n_seeds = len(seeds)
    values = np.ascontiguousarray(np.broadcast_to(series.values[kept, None, None], (len(kept), n_seeds, 1)))
    begin = time.process_time()
    scored = fleet.observe(
        np.arange(n_seeds),
        series.times_ms[kept] + series.interval_ms,
        values,
        np.ones((len(kept), n_seeds), np.bool_),
    )
    return Run(series, scored, kept, time.process_time() - begin)


def rows_of(runs: Sequence[Run], n_seeds: int) -> Iterator[dict[str, object]]:
    """Yield the benchmark's rows: mean over the seeds, with the spread between them."""
    series = [run.series for run in runs]
    flags = [
        {run.series.name: run.column(run.scored.grade, seed) > 0 for run in runs} for seed in range(n_seeds)
    ]
    for name, profile in PROFILES.items():
        yield row("nab", f"{name}_fixed", "", [nab_score(one, series, profile) for one in flags])
    grades = [
        {run.series.name: run.column(run.scored.grade, seed) for run in runs} for seed in range(n_seeds)
    ]
    swept = [swept_score(one, series, PROFILES["standard"]) for one in grades]
    yield row("nab", "standard_swept", "", swept)
    for case, chosen in _cases(runs):
        counts = [
            np.sum([hits_and_false_flags(one[run.series.name], run.series) for run in chosen], axis=0)
            for one in flags
        ]
        of = sum(len(run.series.windows) for run in chosen)
        yield row(case, "windows_hit", f"of {of}", [int(hits) for hits, _ in counts])
        yield row(case, "false_flags", "1", [int(false) for _, false in counts])
    for run in runs:
        if run.series.name == TAXI:
            taxi = [false_days(run.column(run.scored.grade, seed) > 0, run.series) for seed in range(n_seeds)]
            yield row("taxi", "false_days", "1", [false for false, _ in taxi])
            yield row("taxi", "events_hit", f"of {len(TAXI_EVENTS)}", [hit for _, hit in taxi])
    yield row("band", "coverage", "%", [_coverage(runs, seed) for seed in range(n_seeds)])
    points = sum(run.scored.score.size for run in runs)
    yield row("fleet", "microseconds_per_point", "us", [1e6 * sum(run.seconds for run in runs) / points])


def _cases(runs: Sequence[Run]) -> Iterator[tuple[str, list[Run]]]:
    """Yield what is counted together: all, the named cases, then every series."""
    yield "nab", list(runs)
    yield "cloudwatch", [run for run in runs if run.series.name.startswith(CLOUDWATCH)]
    yield "cloudwatch5", [run for run in runs if run.series.name.rpartition("/")[2] in CLOUDWATCH_FIVE]
    yield "machine temperature", [run for run in runs if run.series.name == MACHINE]
    for run in runs:
        yield run.series.name, [run]


def false_days(flagged: NDArray[np.bool_], series: Series) -> tuple[int, int]:
    """Return the days with a flag outside every event, and the number of events with one, probation excepted."""
    times = series.times_ms[np.flatnonzero(flagged & (np.arange(len(flagged)) >= series.probation))]
    days = {datetime.fromtimestamp(time / 1000, UTC).date() for time in times.tolist()}
    hit = {name for name, first, last in TAXI_EVENTS if any(first <= day <= last for day in days)}
    false = [day for day in days if not any(first <= day <= last for _, first, last in TAXI_EVENTS)]
    return len(false), len(hit)


def _coverage(runs: Sequence[Run], seed: int) -> float:
    """Return the share, in percent, of scored points outside every labelled window that lie in their band."""
    inside, count = 0, 0
    for run in runs:
        normal = run.scored.status[:, seed] == 2
        for start, end in run.series.windows:
            times = run.series.times_ms[run.kept]
            normal &= (times < start) | (times > end)
        values = run.series.values[run.kept]
        lower, upper = run.scored.lower[:, seed, 0], run.scored.upper[:, seed, 0]
        inside += int(((values >= lower) & (values <= upper))[normal].sum())
        count += int(normal.sum())
    return 100.0 * inside / count


def row(case: str, metric: str, unit: str, values: Sequence[float]) -> dict[str, object]:
    """Return one JSON line: the mean, and the lowest and highest of the seeds."""
    return {
        "benchmark": "quality",
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(float(np.mean(values)), 3),
        "range": [round(float(np.min(values)), 3), round(float(np.max(values)), 3)],
        "load": round(os.getloadavg()[0], 2),
    }


def write_scores(folder: Path, runs: Sequence[Run]) -> None:
    """Write the grades of the first seed, row for row, one CSV a series."""
    for run in runs:
        path = folder / f"{run.series.name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["anomaly_score"])
            writer.writerows([grade] for grade in run.column(run.scored.grade, 0).tolist())


def main() -> None:
    """Run the benchmark and print its rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nab", type=Path, required=True, help="folder with data/ and labels/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trees", type=int, default=ModelSettings(1, 1).n_trees)
    parser.add_argument("--scores", type=Path, help="where to write the results of the first seed")
    options = parser.parse_args()
    seeds = np.random.default_rng(FIRST_SEED).integers(0, 2**63, options.seeds).astype(np.uint64)
    every = load_series(options.nab)
    run_series(every[0], seeds[:1], options.trees)  # compiles, so that no timed run does
    runs = [run_series(series, seeds, options.trees) for series in every]
    for line in rows_of(runs, options.seeds):
        print(json.dumps(line), flush=True)
    if options.scores:
        write_scores(options.scores, runs)


if __name__ == "__main__":
    main()
