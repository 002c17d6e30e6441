"""Why a point scores as it does: the score split over columns, and over above (high) and below (low).

The recursion is the score's, with the separation probability split by the column and the side on which the
point sticks out; so the parts sum to the score. A point equal to a leaf has no side there: its score is split
evenly, then measured against the boxes of the siblings on the way up, and scaled back to its score.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.descend import descend, n_leaves
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.node import mass_of
from detector.forest.kernels.quantise import encode_point
from detector.forest.kernels.score import leaf_overhang, seen_score, widen_to_parent
from detector.forest.kernels.scratch import Scratch, make_scratch, steps_in
from detector.forest.kernels.vector import clear_box
from detector.forest.state import ForestState


@inner
def mix(
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    total: int,
    keep: float,
    gain: float,
    scratch: Scratch,
) -> None:
    """Scale the parts by `keep`, add `gain` times each column's overhang over `total`. Modified in place."""
    for column in range(high.shape[0]):
        at, bottom, top = steps_in(scratch, column)
        high[column] = keep * high[column] + gain * max(at - top, 0) / total
        low[column] = keep * low[column] + gain * max(bottom - at, 0) / total


@inner
def attribute_leaf(
    state: ForestState,
    slot: int,
    tree: int,
    n_leaves: int,
    scratch: Scratch,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> float:
    """Parts at the leaf. Returns the tree's score if the point equals the leaf, else 0. Modified in place."""
    depth = np.int64(scratch.depth[tree])
    overhang = leaf_overhang(state, slot, tree, scratch)
    if overhang > 0:
        high[:] = 0.0
        low[:] = 0.0
        mix(high, low, overhang, 0.0, 1.0 / (depth + 1), scratch)
        return 0.0
    seen = seen_score(depth, mass_of(np.int64(scratch.path[depth, tree])), n_leaves)
    high[:] = seen / (2 * high.shape[0])
    low[:] = seen / (2 * high.shape[0])
    clear_box(scratch.box)
    return float(seen)


@inner
def attribute_tree(
    state: ForestState,
    slot: int,
    tree: int,
    n_leaves: int,
    scratch: Scratch,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> None:
    """Parts of one tree's score, float64, shape (n_columns,) each. Modified in place."""
    seen = attribute_leaf(state, slot, tree, n_leaves, scratch, high, low)
    for level in range(np.int64(scratch.depth[tree]) - 1, -1, -1):
        overhang, extent = widen_to_parent(state, slot, tree, level, scratch)
        if overhang == 0:
            break
        total = overhang + extent
        mix(high, low, total, extent / total, 1.0 / (level + 1), scratch)
    if seen > 0.0:
        scale = seen / (high.sum() + low.sum())
        high *= scale
        low *= scale


@inner
def attribute_prepared(
    state: ForestState,
    slot: int,
    scratch: Scratch,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    tree_high: NDArray[np.float64],
    tree_low: NDArray[np.float64],
) -> None:
    """As `attribute`, for the point `prepare` put into `scratch`, with room for the parts of one tree."""
    high[:] = 0.0
    low[:] = 0.0
    n = n_leaves(state, slot)
    if n == 0:
        return
    scale = np.log2(n + 1.0) / state.keys.shape[1]
    for tree in range(state.keys.shape[1]):
        attribute_tree(state, slot, tree, n, scratch, tree_high, tree_low)
        high += tree_high
        low += tree_low
    high *= scale
    low *= scale


@kernel
def attribute(
    state: ForestState,
    slot: int,
    point: NDArray[np.float32],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> None:
    """Split the score of a point over its columns; the model does not change.

    Parameters
    ----------
    point
        Float32, shape (n_columns,), finite.
    high, low
        Float64, shape (n_columns,): share of the score because the column is above, or below, what is usual.
        Written here; their sum is the score.
    """
    scratch = make_scratch(state)
    encode_point(point, scratch.query[0])
    if n_leaves(state, slot) > 0:
        descend(state, slot, scratch)
    attribute_prepared(state, slot, scratch, high, low, np.empty_like(high), np.empty_like(low))
