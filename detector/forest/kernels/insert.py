"""A new leaf in a tree: where it splits off, with which cut, and the records that change.

The point splits off above the topmost level of its path that wins a toss with that level's separation
probability; the cut is uniform over the part of the point that sticks out of that level's box. This equals
drawing a cut of the joined box from the root down until one separates (Guha et al. 2016, section 2), because
levels are independent.
"""

import numpy as np

from detector.forest.kernels.draws import below, uniform
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.node import (
    DUPLICATES,
    add_left,
    leaf_of,
    mass_of,
    node_of,
    pack_record,
    write_record,
)
from detector.forest.kernels.quantise import cut_at
from detector.forest.kernels.score import separation
from detector.forest.kernels.scratch import Scratch, steps_in
from detector.forest.kernels.vector import clear_box, shift, widen
from detector.forest.state import ForestState


@inner
def toss(state: ForestState, slot: int, tree: int, top: int, scratch: Scratch) -> int:
    """Level above which the point splits off: the first from `top` down that wins; the leaf always does."""
    depth = np.int64(scratch.depth[tree])
    for level in range(top, depth):
        if uniform(state, slot) < separation(scratch.gaps[tree, level]):
            return level
    return depth


@inner
def draw_cut(state: ForestState, slot: int, overhang: int, scratch: Scratch) -> tuple[int, int, bool]:
    """Cut uniform over the overhang of the query: cut code, column, and whether the query lies left of it."""
    rest = below(state, slot, overhang)
    for column in range(state.points.shape[3]):
        steps, low, high = steps_in(scratch, column)
        if rest < low - steps:
            return cut_at(steps + rest, scratch.query), column, True
        rest -= max(low - steps, 0)
        if rest < steps - high:
            return cut_at(high + rest, scratch.query), column, False
        rest -= max(steps - high, 0)
    msg = "the overhang is larger than the sum over its columns"
    raise AssertionError(msg)


@inner
def count_leaf(state: ForestState, slot: int, tree: int, level: int, scratch: Scratch) -> None:
    """Add one to the left mass of each node above `level` where the path goes left. Modified in place."""
    for upper in range(level):
        parent = np.int64(scratch.path[upper, tree])
        child = np.int64(scratch.path[upper + 1, tree])
        # No branch: which way a point went cannot be guessed.
        add_left(state.nodes, slot, tree, node_of(parent), np.int64(leaf_of(child) == leaf_of(parent)))


@inner
def insert(state: ForestState, slot: int, tree: int, n_leaves: int, top: int, scratch: Scratch) -> int:
    """Add the node for the query to a tree of `n_leaves` leaves; the points are not touched yet.

    `top` and `scratch` are as `score_tree` left them. Modified in place.

    Returns
    -------
    position
        Leaf before which the new one belongs.
    """
    depth = np.int64(scratch.depth[tree])
    if top < 0:
        level, cut, column, is_left = depth, 0, DUPLICATES, True
    else:
        level = toss(state, slot, tree, top, scratch)
        cut, column, is_left = 0, 0, True
    place = np.int64(scratch.path[level, tree])
    mass = mass_of(place)
    if top >= 0:
        clear_box(scratch.box)
        overhang, _ = widen(state.points, slot, tree, leaf_of(place), mass, scratch.box, scratch.query)
        cut, column, is_left = draw_cut(state, slot, overhang, scratch)
    count_leaf(state, slot, tree, level, scratch)
    node = node_of(place)
    shift(state.nodes, slot, tree, node + 1, node, n_leaves - 1 - node)
    write_record(state.nodes, slot, tree, node, pack_record(cut, column, 1 if is_left else mass))
    return leaf_of(place) if is_left else leaf_of(place) + mass
