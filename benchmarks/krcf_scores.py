"""Records what the Rust forest scores on fixed streams, for the test that compares ours with it without installing it.

`python -m benchmarks.krcf_scores > tests/krcf_scores.json` (needs `pip install 'outrider[bench]'`).
"""

import itertools
import json
from importlib.metadata import version

import numpy as np

from benchmarks.fidelity import krcf_scores
from benchmarks.forests import Case, five_columns, shingles
from detector.forest.state import ForestShape

RECORDED = (
    Case("50x256x8", ForestShape(8, 50, 256), shingles),
    Case("32x256x5", ForestShape(5, 32, 256), five_columns),
)
N_POINTS, N_SKIPPED, N_SEEDS = 6000, 2000, 6
STREAM_SEED = 5
EVERY = 16
"""Of the mean scores by point, one in so many is kept."""


def main() -> None:
    """Print the record."""
    record: dict[str, object] = {
        "source": f"krcf {version('krcf')} from PyPI, score before update, sampler as in benchmarks/fidelity.py",
        "points": N_POINTS,
        "skipped": N_SKIPPED,
        "stream_seed": STREAM_SEED,
        "every": EVERY,
    }
    for case in RECORDED:
        points = case.make(N_POINTS, STREAM_SEED)
        runs = np.array([krcf_scores(case, points, seed) for seed in range(1, N_SEEDS + 1)])[:, N_SKIPPED:]
        pairs = [np.corrcoef(one, other)[0, 1] for one, other in itertools.combinations(runs, 2)]
        mean = runs.mean(axis=0)[::EVERY]
        record[case.name] = {
            "mean": runs.mean(axis=1).round(4).tolist(),
            "p99": np.quantile(runs, 0.99, axis=1).round(4).tolist(),
            "correlation": [round(min(pairs), 4), round(max(pairs), 4)],
            "scores": mean.round(3).tolist(),
            "correlation_with_mean": [
                round(
                    float(np.corrcoef(run[::EVERY], (mean * N_SEEDS - run[::EVERY]) / (N_SEEDS - 1))[0, 1]), 4
                )
                for run in runs
            ],
        }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
