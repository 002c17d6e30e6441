"""Compares scores: ours with the Rust forest's, and points of one byte a column with finer ones.

`python -m benchmarks.fidelity` prints mean and 99th percentile of the scores of each seed, and the range of the
correlations between seeds: of krcf with itself, of ours with krcf, of ours with itself, and of ours with *fine*
points of two bytes (1/256 of a standard deviation) and *finest* ones of 1/4096. A forest does not care about a common
scale, so the last are points of two bytes multiplied by 16.
"""

import itertools
import json
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.forests import CASES, Case, Streams
from detector.forest.forest import RandomCutForest

N_POINTS, N_SKIPPED, N_SEEDS = 8000, 2000, 3
FINER = 16

Scores = NDArray[np.float64]


def krcf_scores(case: Case, points: Streams, seed: int) -> Scores:
    """Return the Rust forest's scores before each update, float64, shape (n_points,)."""
    from krcf import RandomCutForest as Rust  # noqa: PLC0415 - an extra, imported where it is measured

    options = {
        "dimensions": case.shape.n_columns,
        "shingle_size": 1,
        "num_trees": case.shape.n_trees,
        "sample_size": case.shape.sample_size,
        "time_decay": 0.1 / case.shape.sample_size,
        "output_after": 1,
        "initial_accept_fraction": 1.0,
        "parallel_execution_enabled": False,
        "random_seed": seed,
    }
    forest = Rust(options)
    scores = []
    for point in points.astype(float).tolist():
        scores.append(forest.score(point))
        forest.update(point)
    return np.array(scores)


def our_scores(case: Case, points: Streams, seed: int, code_bytes: int) -> Scores:
    """Return our scores before each update, float64, shape (n_points,)."""
    forest = RandomCutForest(case.shape._replace(code_bytes=code_bytes), 1, [seed])
    return forest.score_and_update(np.zeros(len(points), dtype=np.int64), points)


def correlations(pairs: Iterable[tuple[Scores, Scores]]) -> list[float]:
    """Return the smallest and the largest correlation."""
    found = [float(np.corrcoef(one, other)[0, 1]) for one, other in pairs]
    return [round(min(found), 4), round(max(found), 4)]


def measure(case: Case) -> None:
    """Print the comparison for one configuration."""
    points = case.make(N_POINTS, 5)
    seeds = range(1, N_SEEDS + 1)
    runs = {
        "krcf": [krcf_scores(case, points, seed) for seed in seeds],
        "ours": [our_scores(case, points, seed, 1) for seed in seeds],
        "fine": [our_scores(case, points, seed + N_SEEDS, 2) for seed in seeds],
        "finest": [our_scores(case, points * np.float32(FINER), seed + 2 * N_SEEDS, 2) for seed in seeds],
    }
    late = {name: [scores[N_SKIPPED:] for scores in group] for name, group in runs.items()}
    for name, group in late.items():
        means = [round(float(scores.mean()), 4) for scores in group]
        tails = [round(float(np.quantile(scores, 0.99)), 4) for scores in group]
        print(
            json.dumps(
                {"benchmark": "fidelity", "case": case.name, "forest": name, "mean": means, "p99": tails}
            )
        )
    between = {
        "krcf with krcf": itertools.combinations(late["krcf"], 2),
        "ours with krcf": itertools.product(late["ours"], late["krcf"]),
        "ours with ours": itertools.combinations(late["ours"], 2),
        "ours with fine": itertools.product(late["ours"], late["fine"]),
        "ours with finest": itertools.product(late["ours"], late["finest"]),
        "finest with finest": itertools.combinations(late["finest"], 2),
    }
    for name, pairs in between.items():
        line = {"benchmark": "fidelity", "case": case.name, "pair": name, "correlation": correlations(pairs)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    for configuration in CASES:
        measure(configuration)
