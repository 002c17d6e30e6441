"""The score from as few trees as it takes: one after another until enough of them speak for an anomaly.

From the fifth tree on a tree is a witness when its score lies above the mean so far by more than half the
standard deviation so far; with enough witnesses the mean is taken as it is. Source: the one-sided converging
accumulator of the streaming implementation by AWS.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.descend import descend_alive, n_leaves, start
from detector.forest.kernels.kernel import kernel
from detector.forest.kernels.quantise import encode_point
from detector.forest.kernels.score import score_tree
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.state import ForestState

FIRST_WITNESS = 5
"""Trees before which none is a witness."""

WITNESS_DEVIATIONS = 0.5
TOLERANCE = 1e-6
"""What makes a tree a witness when all trees agree."""


@kernel
def approximate(
    state: ForestState, slot: int, point: NDArray[np.float32], n_witnesses: int, scratch: Scratch
) -> tuple[float, int]:
    """Score a point with as few trees as it takes, in the order of the trees; the model does not change.

    Parameters
    ----------
    point
        Float32, shape (n_columns,), finite.
    n_witnesses
        Trees that must lie above the others, at least 1; more than there are trees: all trees are asked.

    Returns
    -------
    score
        Float64, as in `score`.
    n_used
        Trees that were asked.
    """
    n = n_leaves(state, slot)
    if n == 0:
        return 0.0, 0
    encode_point(point, scratch.query[0])
    n_trees = start(state, slot, scratch)
    scale = np.log2(n + 1.0)
    total = 0.0
    squares = 0.0
    found = 0
    n_used = 0
    while n_used < n_trees and found < n_witnesses:
        scratch.alive[0] = n_used
        descend_alive(state, slot, 1, scratch)
        value = scale * score_tree(state, slot, n_used, n, scratch)[0]
        n_used += 1
        total += value
        squares += value * value
        if n_used >= FIRST_WITNESS:
            mean = total / n_used
            variance = max(squares / n_used - mean * mean, 0.0) * n_used / (n_used - 1)
            found += value - mean + TOLERANCE > WITNESS_DEVIATIONS * np.sqrt(variance)
    return total / n_used, n_used


@kernel
def approximate_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    n_witnesses: int,
    scores: NDArray[np.float64],
    n_used: NDArray[np.int64],
) -> None:
    """As `approximate`, for points, shape (n_points, n_columns); writes shape (n_points,) each."""
    scratch = make_scratch(state)
    for index in range(slots.shape[0]):
        scores[index], n_used[index] = approximate(state, slots[index], points[index], n_witnesses, scratch)
