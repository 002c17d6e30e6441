"""Trees of the forest's state as trees of the naive twin, and the invariants every one of them must keep."""

import numpy as np
from naive import Leaf, Node, Point, Tree
from numpy.typing import NDArray

from detector.forest.kernels.node import DUPLICATES, column_of, cut_of, left_of, read_record
from detector.forest.kernels.quantise import (
    STEPS_PER_UNIT,
    WIDE_STEPS_PER_UNIT,
    WIDE_ZERO,
    ZERO_STEP,
    Codes,
    decode,
    encode_point,
    steps_of,
)
from detector.forest.state import ForestState


def tree_of(state: ForestState, slot: int, tree: int) -> Tree:
    """Return one tree, its points and cuts in steps; checks every record on the way."""
    n_leaves = min(int(state.seen[slot]), state.keys.shape[2])
    codes = state.points
    points = [tuple(steps_of(int(code), codes) for code in row) for row in codes[slot, tree, :n_leaves]]
    records = [read_record(state.nodes, slot, tree, node) for node in range(n_leaves - 1)]
    return _subtree(records, points, codes)


def trees_of(state: ForestState, slot: int) -> list[Tree]:
    """Return all trees of a model."""
    return [tree_of(state, slot, tree) for tree in range(state.keys.shape[1])]


def _subtree(records: list[int], points: list[Point], codes: Codes) -> Tree:
    assert len(records) == len(points) - 1
    if len(points) == 1:
        return Leaf(points[0])
    column, left = column_of(records[0]), left_of(records[0])
    assert 1 <= left < len(points)
    if column == DUPLICATES:
        assert len(set(points)) == 1
        assert all(column_of(record) == DUPLICATES for record in records)
        return Leaf(points[0], len(points))
    cut = steps_of(cut_of(records[0]), codes)
    assert all(point[column] <= cut for point in points[:left])
    assert all(point[column] > cut for point in points[left:])
    return Node(
        column,
        cut,
        _subtree(records[1:left], points[:left], codes),
        _subtree(records[left:], points[left:], codes),
    )


def check_model(state: ForestState, slot: int) -> None:
    """Recompute from scratch what the kernels keep up: structure, masses, cuts, groups and largest keys."""
    n_leaves = min(int(state.seen[slot]), state.keys.shape[2])
    for index, tree in enumerate(trees_of(state, slot)):
        assert len(tree.points()) == n_leaves
        keys = state.keys[slot, index, :n_leaves].astype(np.int64)
        below_top = (state.top_key[slot, index] - keys) & 0xFF
        assert below_top.min() == 0
        if n_leaves == state.keys.shape[2]:
            assert state.next_accept[slot, index] >= state.seen[slot]


def decoded(state: ForestState, point: NDArray[np.float32]) -> Point:
    """Return a point as a tree would hold it, in the point's own unit."""
    codes = np.zeros(len(point), dtype=state.points.dtype)
    encode_point(point, codes)
    return tuple(decode(int(code), codes) for code in codes)


def decoded_trees_of(state: ForestState, slot: int) -> list[Tree]:
    """Return all trees of a model with points in their own unit."""
    zero, unit = (
        (ZERO_STEP, STEPS_PER_UNIT) if state.points.itemsize == 1 else (WIDE_ZERO, WIDE_STEPS_PER_UNIT)
    )

    def convert(tree: Tree) -> Tree:
        if isinstance(tree, Leaf):
            return Leaf(tuple((steps - zero) / unit for steps in tree.point), tree.mass)
        return Node(tree.column, (tree.cut - zero) / unit, convert(tree.left), convert(tree.right))

    return [convert(tree) for tree in trees_of(state, slot)]
