"""Anomaly score of a point: expected inverse depth, from the leaf upwards.

At every node the point would be separated from the node's box with probability p = g / (r + g), where r is
the sum of the box's sides and g the sum of what the point sticks out. The score of a tree is the expectation
of the inverse depth at which that happens, times log2(mass + 1), so that ordinary points score 0.7 to 0.9
whatever the sample size. Source: Guha, Mishra, Roy, Schrijvers, "Robust random cut forest based anomaly
detection on streams", 2016, and the streaming implementation by AWS.
"""

import numpy as np

from detector.forest.kernels.climb import climb, extent_of, overhang_of
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.node import leaf_of, mass_of, sibling_of
from detector.forest.kernels.scratch import Scratch
from detector.forest.kernels.vector import clear_box, widen
from detector.forest.state import ForestState


@inner
def widen_to_parent(
    state: ForestState, slot: int, tree: int, level: int, scratch: Scratch
) -> tuple[int, int]:
    """Widen the box from the place at `level + 1` of the path to the one at `level`: by the sibling's points.

    Returns overhang and extent, as `widen` does.
    """
    child = np.int64(scratch.path[level + 1, tree])
    parent = np.int64(scratch.path[level, tree])
    first, count = sibling_of(child, parent)
    return widen(state.points, slot, tree, first, count, scratch.box, scratch.query)


@inner
def leaf_overhang(state: ForestState, slot: int, tree: int, scratch: Scratch) -> int:
    """Set the box to the leaf of the path and return the query's distance to it in steps; 0 means equal."""
    leaf = leaf_of(np.int64(scratch.path[scratch.depth[tree], tree]))
    clear_box(scratch.box)
    overhang, _ = widen(state.points, slot, tree, leaf, 1, scratch.box, scratch.query)
    return overhang


@inner
def seen_score(level: int, mass: int, n_leaves: int) -> float:
    """Inverse depth of a point equal to a leaf of this mass, damped for leaves that hold much of the tree."""
    return (1.0 - 0.5 * mass / n_leaves) / (level + np.log2(mass + 1.0))


@inner
def separation(gap: np.uint64) -> float:
    """Probability that a random cut of a box and the query together separates the query."""
    return overhang_of(gap) / (overhang_of(gap) + extent_of(gap))


@inner
def score_tree(
    state: ForestState, slot: int, tree: int, n_leaves: int, scratch: Scratch
) -> tuple[float, int]:
    """Score of one tree, and the topmost level where the point can be separated (-1: it equals a leaf).

    Leaves the gaps of the levels from there down to the leaf in `scratch`. Modified in place.
    """
    depth = np.int64(scratch.depth[tree])
    top = climb(state.points, slot, tree, scratch)
    if top < 0:
        return seen_score(depth, mass_of(np.int64(scratch.path[depth, tree])), n_leaves), top
    value = 1.0 / (depth + 1)
    for level in range(depth - 1, top - 1, -1):
        chance = separation(scratch.gaps[tree, level])
        value = chance / (level + 1) + (1.0 - chance) * value
    return value, top
