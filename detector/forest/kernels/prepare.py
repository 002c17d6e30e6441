"""Everything that can be done for a model before its turn, so that its memory is at hand when it comes.

In production every model is cold: what a point costs is waiting for memory. So while one model works, the
points are asked for that the next one's will be compared with, which went down its trees just before (their
records were asked for one model earlier still), and the records of the one after that. Both are asked for a tree
at a time. None of this changes a model.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.descend import descend, n_leaves
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.node import leaf_of, mass_of
from detector.forest.kernels.quantise import encode_point
from detector.forest.kernels.sample import is_due
from detector.forest.kernels.scratch import Scratch
from detector.forest.kernels.vector import prefetch_rows, prefetch_words
from detector.forest.state import ForestState

AHEAD_MASS = 64
"""Largest subtree whose points are asked for: the part of a tree that a point is usually compared with."""

NO_SLOT = np.int64(-1)


class Ahead(NamedTuple):
    """What to ask for while a model works, a tree at a time: all at once, and the processor waits for it.

    Attributes
    ----------
    points_of
        Slot of the next model, or `NO_SLOT`.
    scratch
        Paths of its point.
    records_of
        Slot of the next but one, or `NO_SLOT`.
    """

    points_of: np.int64
    scratch: Scratch
    records_of: np.int64


@inner
def ask_for_header(state: ForestState, slot: int) -> None:
    """Ask for what a model keeps beside its trees."""
    prefetch_words(state.seen, slot, 1)
    prefetch_words(state.random, slot, 1)
    n_trees = state.next_accept.shape[1]
    prefetch_words(state.next_accept, slot * n_trees, n_trees)
    prefetch_words(state.top_key, slot * n_trees, n_trees)


@inner
def ask_for_tree(state: ForestState, slot: int, tree: int) -> None:
    """Ask for the records of one tree."""
    prefetch_rows(state.nodes, slot, tree, 0, state.nodes.shape[2])


@inner
def ask_for_points(state: ForestState, slot: int, tree: int, scratch: Scratch) -> None:
    """Ask for the points near the end of the path in `scratch`, or for all of a tree that will change."""
    if n_leaves(state, slot) == 0:
        return
    if is_due(state, slot, tree):
        prefetch_rows(state.points, slot, tree, 0, n_leaves(state, slot))
        prefetch_rows(state.keys, slot, tree, 0, state.keys.shape[2])
        return
    level = np.int64(scratch.depth[tree])
    place = np.int64(scratch.path[level, tree])
    while level > 0 and mass_of(np.int64(scratch.path[level - 1, tree])) <= AHEAD_MASS:
        level -= 1
        place = np.int64(scratch.path[level, tree])
    prefetch_rows(state.points, slot, tree, leaf_of(place), mass_of(place))


@inner
def ask_ahead(state: ForestState, tree: int, ahead: Ahead) -> None:
    """Ask for a tree of the models to come; with the first one for a header, too."""
    if ahead.points_of != NO_SLOT:
        ask_for_points(state, ahead.points_of, tree, ahead.scratch)
    if ahead.records_of != NO_SLOT:
        if tree == 0:
            ask_for_header(state, ahead.records_of)
        ask_for_tree(state, ahead.records_of, tree)


@inner
def prepare_query(state: ForestState, slot: int, point: NDArray[np.float32], scratch: Scratch) -> None:
    """Encode a point and take it down every tree. Modified in place: `scratch`."""
    encode_point(point, scratch.query[0])
    if n_leaves(state, slot) > 0:
        descend(state, slot, scratch)


@kernel
def prefetch(state: ForestState, slot: int) -> None:
    """Ask for the memory a model needs to take a point down its trees: two models ahead of its turn is best."""
    ask_for_header(state, slot)
    for tree in range(state.nodes.shape[1]):
        ask_for_tree(state, slot, tree)


@kernel
def prepare(state: ForestState, slot: int, point: NDArray[np.float32], scratch: Scratch) -> None:
    """Take a point, float32, shape (n_columns,), down a model's trees: one model ahead of its turn is best.

    Afterwards `scratch` serves `score_prepared` and `update_prepared`, as long as the model does not change.
    Modified in place: `scratch`.
    """
    prepare_query(state, slot, point, scratch)
    for tree in range(state.keys.shape[1]):
        ask_for_points(state, slot, tree, scratch)
