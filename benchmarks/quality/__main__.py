"""How well the default model detects, on labelled and on generated series: the production fleet, documents off.

    python -m benchmarks.quality [--nab DIR] [--cases nab seasonal ...] [--seeds 5] [--quick | --full] [--report DIR]

Prints JSON lines, and nothing else on standard output.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from benchmarks.nab import Series, load_series
from benchmarks.quality.calibration import calibration_rows
from benchmarks.quality.changes import CHANGES, KNOBS, rows_of_changes
from benchmarks.quality.drive import PROFILES, SettingsOf, settings_of_profile
from benchmarks.quality.folders import folder_rows
from benchmarks.quality.generated import StreamsRun, cosine_rows, noise_rows, run_seasonal, seasonal_rows
from benchmarks.quality.history import history_rows
from benchmarks.quality.labelled import SeriesRun, labelled_rows, run_all
from benchmarks.quality.rows import Row
from detector.model.warm_up import warm_up

QUICK, USUAL, FULL = 50, 1_000, 10_000
"""Entities of each kind of clean noise."""

CASES = ("nab", "seasonal", "cosine", "history", "confidence", "noise", "knobs", "folders")

LABELLED_CASES = ("nab", "folders")
"""Those that need labelled series."""

ON_REQUEST = ("folders",)
"""Those that are measured only where they are named: ten minutes for one table."""

KNOB_CASES, KNOB_SEEDS, KNOB_ENTITIES = ("nab", "seasonal", "noise"), 2, 16
"""What a user's settings are measured on: less, because there are many."""


class Bench:
    """What one call measures; what several cases need is run once."""

    def __init__(self, nab: Path | None, n_seeds: int, n_entities: int, settings_of: SettingsOf) -> None:
        self.every: list[Series] = load_series(nab) if nab else []
        self.n_seeds = n_seeds
        self.n_entities = n_entities
        self.settings_of = settings_of

    @cached_property
    def labelled(self) -> list[SeriesRun]:
        """The labelled series with every seed."""
        return run_all(self.every, self.n_seeds, self.settings_of)

    @cached_property
    def seasonal(self) -> list[StreamsRun]:
        """The seasonal streams of every seed."""
        return run_seasonal(self.n_seeds, self.settings_of)

    def rows(self, cases: Sequence[str]) -> Iterator[Row]:
        """Yield the rows of the cases, in their order."""
        of_case: dict[str, Callable[[], Iterator[Row]]] = {
            "nab": lambda: labelled_rows(self.labelled, self.n_seeds),
            "seasonal": lambda: seasonal_rows(self.seasonal),
            "cosine": lambda: cosine_rows(self.settings_of),
            "history": lambda: history_rows(self.every, self.n_seeds, self.settings_of),
            "confidence": lambda: calibration_rows(self.labelled, self.seasonal),
            "noise": lambda: noise_rows(self.n_entities, self.n_seeds, self.settings_of),
            "knobs": lambda: rows_of_changes(
                "knob",
                KNOBS,
                KNOB_CASES if self.every else KNOB_CASES[1:],
                self.every,
                min(self.n_seeds, KNOB_SEEDS),
                KNOB_ENTITIES,
                self.settings_of,
            ),
            "folders": lambda: folder_rows(self.every, self.n_seeds, KNOB_ENTITIES, self.settings_of),
        }
        for case in cases:
            yield from of_case[case]()

    def ablation(self, cases: Sequence[str]) -> Iterator[Row]:
        """Yield what each part of the design is worth in those cases that measure it."""
        yield from rows_of_changes(
            "ablation", CHANGES, cases, self.every, self.n_seeds, self.n_entities, self.settings_of
        )


def write_scores(folder: Path, runs: Sequence[SeriesRun]) -> None:
    """Write the grades of the first seed in NAB's layout (`anomaly_score`), row for row, one CSV a series."""
    for one in runs:
        path = folder / f"{one.series.name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["anomaly_score"])
            writer.writerows([grade] for grade in one.grades(0).tolist())


def arguments() -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--nab", type=Path, metavar="DIR", help="folder with data/ and labels/, as NAB's")
    parser.add_argument("--cases", nargs="+", choices=CASES, help="default: all but folders (nab with --nab)")
    parser.add_argument("--seeds", type=int, default=5, help="models a series, streams' seeds; default 5")
    parser.add_argument("--profile", choices=PROFILES, default=PROFILES[0], help=f"default {PROFILES[0]}")
    parser.add_argument("--trees", type=int, help="trees of a forest; default: the profile's")
    parser.add_argument(
        "--ablate",
        action="store_true",
        help="measure each part's worth instead: nab, seasonal and noise, on fewer entities",
    )
    parser.add_argument(
        "--code-bytes",
        type=int,
        choices=(1, 2),
        default=1,
        help="of a column of a point, multiscale only; default 1",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        action="store_const",
        dest="entities",
        const=QUICK,
        default=USUAL,
        help=f"{QUICK} entities of each kind of noise instead of {USUAL:,}",
    )
    size.add_argument("--full", action="store_const", dest="entities", const=FULL, help=f"{FULL:,} entities")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write a page with a picture a series there"
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write those of the documentation there")
    parser.add_argument("--scores", type=Path, metavar="DIR", help="write the grades of the first seed there")
    options = parser.parse_args()
    if options.nab and not (options.nab / "labels" / "combined_windows.json").is_file():
        parser.error(f"--nab {options.nab}: expected a folder with data/ and labels/combined_windows.json")
    for case in LABELLED_CASES:
        if options.cases and case in options.cases and not options.nab:
            parser.error(f"the case `{case}` needs labelled series: give their folder with --nab DIR")
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}")
    if options.ablate and options.entities == USUAL:
        options.entities = QUICK
    if options.cases is None:
        left_out = ON_REQUEST if options.nab else (*ON_REQUEST, *LABELLED_CASES)
        options.cases = [case for case in CASES if case not in left_out]
    return options


def draw(bench: Bench, lines: Sequence[Row], options: argparse.Namespace) -> None:
    """Write the report and the pictures of the documentation."""
    from benchmarks.quality.report import write_pictures, write_report  # noqa: PLC0415 - only here matplotlib is needed

    if options.report:
        write_report(options.report, lines, bench.labelled, bench.seasonal, _described(options))
    if options.pictures:
        write_pictures(options.pictures, bench.labelled, bench.seasonal)


def _described(options: argparse.Namespace) -> str:
    """Return what was measured, in a line."""
    trees = f", {options.trees} trees" if options.trees else ""
    return f"profile {options.profile}{trees}; {options.seeds} seeds; pictures show the first seed"


def main() -> None:
    """Run the benchmark and print its rows."""
    options = arguments()

    warm_up()
    settings_of = settings_of_profile(options.profile, options.trees, options.code_bytes)
    bench = Bench(options.nab, options.seeds, options.entities, settings_of)
    lines = []
    for line in bench.ablation(options.cases) if options.ablate else bench.rows(options.cases):
        print(json.dumps(line), flush=True)
        lines.append(line)
    if options.scores:
        write_scores(options.scores, bench.labelled)
    if options.report or options.pictures:
        draw(bench, lines, options)


if __name__ == "__main__":
    main()
