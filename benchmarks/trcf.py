"""The plugin-compatible profile beside the Java library: NAB score, and series by series scores and alarms.

    python -m benchmarks.trcf --nab DIR [--seeds 5] [--shingles 8 4] [--accept 0.125]

Prints JSON lines. Both get the same rows, times and settings: those of the anomaly-detection plugin, without rules.
Needs `pip install 'outrider[bench]'` and a `java` with a compiler, 17 or later. `agreement` is the share of alarms that
have one of the other within a shingle, both ways (F1), mean over pairs of seeds; `theirs` is that of the Java library
with itself.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import PROFILES, Series, load_series, nab_score, swept_score
from detector.model.fleet import ModelSettings
from detector.model.plugin_settings import PLUGIN_TREES, TrcfSettings
from detector.model.profile import open_fleet

FIRST_SEED = 1
PLUGIN_OUTPUT_AFTER = 32
PLUGIN_ACCEPT = 0.125
FIXED_COLUMNS, FEATURE_COLUMNS = 6, 5
SCORE, GRADE, THRESHOLD, CONFIDENCE = range(4)


class JavaLibrary:
    """The thresholded forest of jrcf's jar, in a virtual machine of its own."""

    def __init__(self) -> None:
        spec = find_spec("jrcf")
        if spec is None or spec.origin is None:
            msg = "jrcf is not installed: pip install 'outrider[bench]'"
            raise ModuleNotFoundError(msg)
        self.folder = tempfile.TemporaryDirectory()
        jars = Path(spec.origin).parent / "lib" / "*"
        source = Path(__file__).with_name("TrcfPeer.java")
        command = ["java", "-Xmx1g", "-XX:+UseSerialGC", "-cp", str(jars), str(source)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(
        self,
        times_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        shingle_size: int,
        seed: int,
        accept: float = PLUGIN_ACCEPT,
        imputation: str = "PREVIOUS",
    ) -> NDArray[np.float64]:
        """Return what the library says, float64, shape (n_rows, 6 + 5 * n_features); see `TrcfPeer.java`."""
        n_features = values.shape[1]
        given, said = Path(self.folder.name) / "given", Path(self.folder.name) / "said"
        given.write_bytes(np.column_stack([times_ms.astype(float), values]).astype("<f8").tobytes())
        output_after = max(PLUGIN_OUTPUT_AFTER, shingle_size)
        words = (given, said, n_features, shingle_size, seed, accept, output_after, imputation, 0.0)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(*words, file=self.process.stdin, flush=True)
        if self.process.stdout.readline().strip() != "done":
            msg = "the Java library did not answer; it needs a `java` of 17 or later with a compiler on the path"
            raise RuntimeError(msg)
        return np.fromfile(said, "<f8").reshape(-1, FIXED_COLUMNS + FEATURE_COLUMNS * n_features)

    def close(self) -> None:
        """End the virtual machine."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


class Run(NamedTuple):
    """What one implementation said about one series, rows that are not newer left out.

    Attributes
    ----------
    kept
        Rows of the series that were run, int64, shape (n_rows,).
    score, grade
        Float64, shape (n_rows, n_seeds); 0 where there is none.
    """

    kept: NDArray[np.int64]
    score: NDArray[np.float64]
    grade: NDArray[np.float64]

    def whole(self, values: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
        """Return one seed's values for all rows of the series."""
        column = np.zeros(n_rows)
        column[self.kept] = values
        return column


def kept_rows(series: Series) -> NDArray[np.int64]:
    """Return the rows whose time is later than all before."""
    latest = np.maximum.accumulate(series.times_ms)
    return np.flatnonzero(np.diff(latest, prepend=latest[0] - 1) > 0)


def run_ours(series: Series, shingle_size: int, n_seeds: int) -> Run:
    """Run one series through the production fleet, one model a seed."""
    kept = kept_rows(series)
    settings = ModelSettings(
        n_features=1,
        interval_ms=series.interval_ms,
        shingle_size=shingle_size,
        n_trees=PLUGIN_TREES,
        trcf=TrcfSettings(),
    )
    fleet = open_fleet(settings)
    fleet.add(np.arange(FIRST_SEED, FIRST_SEED + n_seeds, dtype=np.uint64))
    values = np.ascontiguousarray(np.broadcast_to(series.values[kept, None, None], (len(kept), n_seeds, 1)))
    ends, present = series.times_ms[kept] + series.interval_ms, np.ones((len(kept), n_seeds), np.bool_)
    scored = fleet.observe(np.arange(n_seeds), ends, values, present)
    return Run(kept, np.nan_to_num(scored.score), np.nan_to_num(scored.grade))


def run_theirs(java: JavaLibrary, series: Series, shingle_size: int, n_seeds: int, accept: float) -> Run:
    """Run one series through the Java library, once a seed."""
    kept = kept_rows(series)
    values = series.values[kept, None]
    said = [
        java.run(series.times_ms[kept], values, shingle_size, seed, accept)
        for seed in range(FIRST_SEED, FIRST_SEED + n_seeds)
    ]
    score, grade = (np.stack([one[:, column] for one in said], axis=1) for column in (SCORE, GRADE))
    return Run(kept, score, grade)


def agreement(one: NDArray[np.float64], other: NDArray[np.float64], reach: int) -> float:
    """Return the share of alarms within `reach` rows of one of the other's, both ways; 1 if neither has any."""
    ours, theirs = np.flatnonzero(one > 0), np.flatnonzero(other > 0)
    if not len(ours) + len(theirs):
        return 1.0
    near = np.abs(ours[:, np.newaxis] - theirs[np.newaxis]) <= reach
    matched = int(near.any(axis=1).sum() + near.any(axis=0).sum()) if near.size else 0
    return matched / (len(ours) + len(theirs))


def row(
    case: str, metric: str, unit: str, ours: Sequence[float], theirs: Sequence[float]
) -> dict[str, object]:
    """Return one JSON line: means over seeds, with the standard deviation between them."""
    return {
        "benchmark": "trcf",
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(float(np.mean(ours)), 3),
        "ours_deviation": round(float(np.std(ours, ddof=1)), 3) if len(ours) > 1 else 0.0,
        "peer": "java",
        "theirs": round(float(np.mean(theirs)), 3),
        "theirs_deviation": round(float(np.std(theirs, ddof=1)), 3) if len(theirs) > 1 else 0.0,
        "load": round(os.getloadavg()[0], 2),
    }


def nab_rows(
    case: str, every: Sequence[Series], pairs: Sequence[tuple[Run, Run]]
) -> Iterator[dict[str, object]]:
    """Yield the scores over all series."""
    results: dict[str, list[list[float]]] = {"standard_swept": [], "standard_fixed": [], "alarms": []}
    for side in (0, 1):
        swept, fixed, alarms = [], [], []
        for seed in range(pairs[0][side].grade.shape[1]):
            grades = {
                one.name: pair[side].whole(pair[side].grade[:, seed], len(one.values))
                for one, pair in zip(every, pairs, strict=True)
            }
            flags = {name: grade > 0 for name, grade in grades.items()}
            swept.append(swept_score(grades, every, PROFILES["standard"]))
            fixed.append(nab_score(flags, every, PROFILES["standard"]))
            alarms.append(float(sum(flag.sum() for flag in flags.values())))
        for name, values in zip(results, (swept, fixed, alarms), strict=True):
            results[name].append(values)
    for name, (ours, theirs) in results.items():
        yield row(case, name, "1" if name == "alarms" else "", ours, theirs)


def series_rows(case: str, shingle_size: int, ours: Run, theirs: Run) -> Iterator[dict[str, object]]:
    """Yield the comparison of one series."""
    seeds, peers = range(ours.grade.shape[1]), range(theirs.grade.shape[1])
    ready = (theirs.score[:, 0] > 0) & (ours.score[:, 0] > 0)
    yield row(case, "mean_score", "", ours.score[ready].mean(axis=0), theirs.score[ready].mean(axis=0))
    across = [
        np.corrcoef(ours.score[ready, a], theirs.score[ready, b])[0, 1] for a, b in product(seeds, peers)
    ]
    within = [
        np.corrcoef(theirs.score[ready, a], theirs.score[ready, b])[0, 1] for a, b in combinations(peers, 2)
    ]
    yield row(case, "score_correlation", "", across, within)
    yield row(case, "alarms", "1", (ours.grade > 0).sum(axis=0), (theirs.grade > 0).sum(axis=0))
    agree = [agreement(ours.grade[:, a], theirs.grade[:, b], shingle_size) for a, b in product(seeds, peers)]
    alike = [
        agreement(theirs.grade[:, a], theirs.grade[:, b], shingle_size) for a, b in combinations(peers, 2)
    ]
    yield row(case, "agreement", "", agree, alike)


def main() -> None:
    """Run the benchmark and print its rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nab", type=Path, required=True, help="folder with data/ and labels/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shingles", type=int, nargs="+", default=[8, 4])
    parser.add_argument("--accept", type=float, default=PLUGIN_ACCEPT, help="Java's initialAcceptFraction")
    options = parser.parse_args()
    every, java = load_series(options.nab), JavaLibrary()
    for shingle_size in options.shingles:
        pairs = []
        for series in every:
            pair = (
                run_ours(series, shingle_size, options.seeds),
                run_theirs(java, series, shingle_size, options.seeds, options.accept),
            )
            pairs.append(pair)
            for line in series_rows(f"shingle {shingle_size}: {series.name}", shingle_size, *pair):
                print(json.dumps(line), flush=True)
        for line in nab_rows(f"shingle {shingle_size}: nab", every, pairs):
            print(json.dumps(line), flush=True)
    java.close()


if __name__ == "__main__":
    main()
