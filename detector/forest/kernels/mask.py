"""The score of a point as if the leaf nearest to it had never been inserted, and that score split over columns.

An anomaly that has entered the sample hides the next one like it: the second point ends beside the first. A
masked score leaves small leaves out: the point is measured against the siblings of its path alone. Source: the
streaming implementation by AWS, where it is the threshold of the leaf's mass that is ignored.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.attribute import mix
from detector.forest.kernels.descend import n_leaves
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.node import mass_of
from detector.forest.kernels.prepare import prepare_query
from detector.forest.kernels.score import leaf_overhang, seen_score, widen_to_parent
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.kernels.vector import clear_box
from detector.forest.state import ForestState


@inner
def begin_at_leaf(
    state: ForestState,
    slot: int,
    tree: int,
    ignored_mass: int,
    scratch: Scratch,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> tuple[float, bool]:
    """Score and parts at the leaf, and whether the score is final because a larger leaf is equal.

    The parts of a leaf that is ignored, or equal, have no side and are even. Modified in place: `scratch`,
    `high`, `low`.
    """
    depth = np.int64(scratch.depth[tree])
    mass = mass_of(np.int64(scratch.path[depth, tree]))
    overhang = leaf_overhang(state, slot, tree, scratch)
    is_final = overhang == 0 and mass > ignored_mass
    value = seen_score(depth, mass, n_leaves(state, slot)) if is_final else 1.0 / (depth + 1)
    if overhang > 0 and mass > ignored_mass:
        high[:] = 0.0
        low[:] = 0.0
        mix(high, low, overhang, 0.0, value, scratch)
    else:
        high[:] = value / (2 * high.shape[0])
        low[:] = value / (2 * high.shape[0])
    clear_box(scratch.box)
    return value, is_final


@inner
def mask_tree(
    state: ForestState,
    slot: int,
    tree: int,
    ignored_mass: int,
    scratch: Scratch,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> float:
    """Masked score of one tree and its parts, float64, shape (n_columns,) each. Modified in place."""
    value, is_final = begin_at_leaf(state, slot, tree, ignored_mass, scratch, high, low)
    for level in range(np.int64(scratch.depth[tree]) - 1, -1, -1):
        overhang, extent = widen_to_parent(state, slot, tree, level, scratch)
        if overhang == 0:
            break
        total = overhang + extent
        mix(high, low, total, extent / total, 1.0 / (level + 1), scratch)
        if not is_final:
            value = (overhang / (level + 1) + extent * value) / total
    scale = value / (high.sum() + low.sum())
    high *= scale
    low *= scale
    return value


@kernel
def attribute_masked(
    state: ForestState,
    slot: int,
    point: NDArray[np.float32],
    ignored_mass: int,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> float:
    """Score a point as if small leaves were not there, and split the score; the model does not change.

    Parameters
    ----------
    point
        Float32, shape (n_columns,), finite.
    ignored_mass
        Largest number of equal points in a leaf that is ignored, at least 1. Only the leaf at which the point
        ends is ever ignored; a larger one is, unless the point equals it, left out of the boxes as well.
    high, low
        Float64, shape (n_columns,), as in `attribute`. Written here; their sum is the score.

    Returns
    -------
    score
        Float64, as in `score`.
    """
    high[:] = 0.0
    low[:] = 0.0
    n = n_leaves(state, slot)
    if n == 0:
        return 0.0
    scratch = make_scratch(state)
    prepare_query(state, slot, point, scratch)
    tree_high = np.empty_like(high)
    tree_low = np.empty_like(low)
    total = 0.0
    for tree in range(state.keys.shape[1]):
        total += mask_tree(state, slot, tree, ignored_mass, scratch, tree_high, tree_low)
        high += tree_high
        low += tree_low
    scale = np.log2(n + 1.0) / state.keys.shape[1]
    high *= scale
    low *= scale
    return total * scale


@kernel
def attribute_masked_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    ignored_mass: int,
    scores: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> None:
    """As `attribute_masked`, for points, shape (n_points, n_columns), which is also that of `high` and `low`."""
    for index in range(slots.shape[0]):
        scores[index] = attribute_masked(
            state, slots[index], points[index], ignored_mass, high[index], low[index]
        )
