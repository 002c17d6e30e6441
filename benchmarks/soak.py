"""Runs ten million points through one model of the default shape and looks for drift.

    python -m benchmarks.soak [--points 10000000] [--from 0]

Prints a JSON line a tenth of the way: share of points that a tree takes, ages of the points it keeps, mean and 99th
percentile of the score, and the correlation of scores with those of a fresh model that has seen the last 10,000 points
alone. Without drift each stays where it is. `--from` begins at a later point of a model's life: the law of the sampler
knows differences of indices only, so nothing may change there either.
"""

import argparse
import json

import numpy as np
from numpy.typing import NDArray

from benchmarks.forests import Streams
from detector.forest.kernels.many import score_and_update_many
from detector.forest.kernels.sample import codes_per_nat
from detector.forest.kernels.update import reset
from detector.forest.state import ForestState, allocate
from detector.model.fleet import RECENCY_EMPHASIS, ModelSettings

PARTS = 10
RECENT = 10_000
DECAY = 1.0 / RECENCY_EMPHASIS
SHAPE = ModelSettings(1, 1).forest_shape


def points_of(first: int, count: int) -> Streams:
    """Return points of one endless stream, float32, shape (count, n_columns): noisy waves, each an index of its own."""
    steps = np.arange(first, first + count)
    rng = np.random.default_rng(first)
    waves = [np.sin(2 * np.pi * steps / period) for period in (60, 97, 144, 1440, 10_080)]
    return (np.stack(waves, axis=1) + rng.normal(0, 0.2, (count, len(waves)))).astype(np.float32)


def fresh_model(seed: int) -> ForestState:
    """Return the state of one model."""
    state = allocate(SHAPE, 1)
    reset(state, 0, np.uint64(seed))
    return state


def learn(state: ForestState, points: Streams) -> NDArray[np.float64]:
    """Score and learn points in order; return the scores."""
    scores = np.empty(len(points))
    score_and_update_many(state, np.zeros(len(points), dtype=np.int64), points, DECAY, scores)
    return scores


def age(state: ForestState, points: int) -> None:
    """Move a model to a later point of its life, as if it had lived that long. Modified in place."""
    shift = -round(DECAY * points * codes_per_nat(DECAY, SHAPE.sample_size))
    state.seen[:] += points
    state.next_accept[:] += points
    state.top_key[:] += shift
    state.keys[:] = (state.keys.astype(np.int64) + shift) & 0xFF


def taken(state: ForestState, points: Streams) -> float:
    """Learn points one by one; return the share of them that a tree takes, mean over trees."""
    count = 0
    for point in points:
        count += int((state.next_accept[0] <= state.seen[0]).sum())
        learn(state, point[np.newaxis])
    return count / len(points) / SHAPE.n_trees


def main() -> None:
    """Run the points and print what is measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    state = fresh_model(1)
    learn(state, points_of(0, RECENT))
    age(state, options.first)
    per_part = options.points // PARTS
    for part in range(PARTS):
        first = RECENT + part * per_part
        for begin in range(first, first + per_part, RECENT):
            block = points_of(begin, RECENT)
            scores = learn(state, block)
        fresh = fresh_model(2 + part)
        learn(fresh, points_of(first + per_part - 2 * RECENT, RECENT))
        other = learn(fresh, block)
        spread = np.percentile(scores, [50, 99])
        print(
            json.dumps(
                {
                    "benchmark": "soak",
                    "seen": int(state.seen[0]),
                    "taken": round(taken(state, points_of(first + per_part, 2_000)), 5),
                    "mean_score": round(float(scores.mean()), 4),
                    "p50": round(float(spread[0]), 4),
                    "p99": round(float(spread[1]), 4),
                    "fresh_mean_score": round(float(other.mean()), 4),
                    "correlation_with_fresh": round(float(np.corrcoef(scores, other)[0, 1]), 4),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
