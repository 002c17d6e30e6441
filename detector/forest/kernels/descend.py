# ruff: noqa: ANN401, ARG001 - overloads are called with numba types, of which they use some
"""The way of a point from the root to a leaf, in all trees of a model in step.

Trees advance one level each in turn, so that the loads of one level do not wait for one another; where records have
three bytes and all trees descend, eight at a time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload

from detector.forest.kernels.abreast import TREES_ABREAST, step_lanes
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.node import (
    DUPLICATES,
    column_of,
    cut_of,
    left_child,
    left_of,
    mass_of,
    node_of,
    pack_place,
    read_record,
    right_child,
)
from detector.forest.kernels.sample import is_due
from detector.forest.kernels.scratch import Scratch
from detector.forest.state import ForestState


@inner
def n_leaves(state: ForestState, slot: int) -> int:
    """Leaves of every tree of a model: all trees take the first points, so they fill together."""
    return min(state.seen[slot], state.keys.shape[2])


@inner
def start(state: ForestState, slot: int, scratch: Scratch) -> int:
    """Put every tree's path at its root and return the number of trees. Modified in place."""
    root = pack_place(0, 0, n_leaves(state, slot))
    for tree in range(scratch.depth.shape[0]):
        scratch.path[0, tree] = root
        scratch.depth[tree] = 0
        scratch.alive[tree] = tree
    return scratch.depth.shape[0]


@inner
def start_due(state: ForestState, slot: int, scratch: Scratch) -> int:
    """As `start`, for the trees alone that take the next point; returns their number. Modified in place."""
    start(state, slot, scratch)
    n_due = 0
    for tree in range(scratch.depth.shape[0]):
        if is_due(state, slot, tree):
            scratch.alive[n_due] = tree
            n_due += 1
    return n_due


@inner
def step(state: ForestState, slot: int, tree: int, level: int, scratch: Scratch) -> bool:
    """Take one tree's path a level down; true if it can go further. Modified in place.

    A leaf and a group of equal points end it.
    """
    place = np.int64(scratch.path[level, tree])
    record = read_record(state.nodes, slot, tree, node_of(place))
    column = column_of(record)
    if column == DUPLICATES:
        return False
    left = left_of(record)
    # All ones if the point goes right: which way it goes cannot be guessed, and a branch would try.
    goes_right = (cut_of(record) - np.int64(scratch.query[0, column])) >> 63
    stay, change = left_child(place, left), left_child(place, left) ^ right_child(place, left)
    child = stay ^ (change & goes_right)
    scratch.path[level + 1, tree] = child
    scratch.depth[tree] = level + 1
    return mass_of(child) > 1


@inner
def descend_alive(state: ForestState, slot: int, n_alive: int, scratch: Scratch) -> None:
    """Take the first `n_alive` trees of `scratch.alive` down to their leaves. Modified in place."""
    if n_leaves(state, slot) == 1:
        return
    level = 0
    while n_alive > 0:
        n_left = 0
        for index in range(n_alive):
            tree = np.int64(scratch.alive[index])
            goes_on = step(state, slot, tree, level, scratch)
            scratch.alive[n_left] = tree
            n_left += np.int64(goes_on)
        n_alive = n_left
        level += 1


def step_abreast(state: ForestState, slot: int, first: int, level: int, scratch: Scratch) -> bool:
    """Take the paths of eight trees, from `first` on, a level down; true if one can go further. Modified in place.

    A path that has ended stays where it is.
    """
    goes_on = False
    for tree in range(first, first + TREES_ABREAST):
        scratch.path[level + 1, tree] = scratch.path[level, tree]
        if mass_of(np.int64(scratch.path[level, tree])) > 1:
            goes_on |= step(state, slot, tree, level, scratch)
    return goes_on


@overload(step_abreast, jit_options={"_nrt": False})
def _step_abreast(state: Any, slot: Any, first: Any, level: Any, scratch: Any) -> Callable[..., bool]:
    def compiled(state: Any, slot: Any, first: Any, level: Any, scratch: Any) -> bool:
        n_trees = scratch.depth.shape[0]
        record = (slot * n_trees + first) * state.nodes.shape[2]
        path, depth, query = scratch.path, scratch.depth, scratch.query
        if query.shape[1] == 8:
            return step_lanes(state.nodes, record, path, depth, query, level, first, 8)
        return step_lanes(state.nodes, record, path, depth, query, level, first, 16)

    return compiled


@inner
def descend_abreast(state: ForestState, slot: int, scratch: Scratch) -> None:
    """Take all trees, at least eight, down to their leaves; their records have three bytes. Modified in place."""
    if n_leaves(state, slot) == 1:
        return
    n_trees = scratch.depth.shape[0]
    level, goes_on = 0, True
    while goes_on:
        goes_on = False
        for group in range(0, n_trees, TREES_ABREAST):
            # The last eight may take trees along that had their step already: it is the same one.
            goes_on |= step_abreast(state, slot, min(group, n_trees - TREES_ABREAST), level, scratch)
        level += 1


@inner
def descend(state: ForestState, slot: int, scratch: Scratch) -> None:
    """Fill the paths of the query in `scratch` through every tree of a model. Modified in place."""
    n_trees = start(state, slot, scratch)
    if state.nodes.ndim == 4 and n_trees >= TREES_ABREAST:
        descend_abreast(state, slot, scratch)
    else:
        descend_alive(state, slot, n_trees, scratch)
