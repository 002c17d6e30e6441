# ruff: noqa: ANN401, ARG001 - overloads are called with numba types, of which they use some
"""From the leaf upwards: the box of each node on a path, and how far the query sticks out of it.

No box is stored. The box of a parent is the child's box widened by the sibling's points, which are one range
of leaves; most paths end after four levels, in a box that holds the query.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload

from detector.forest.kernels.intrinsics import climb_lanes
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.node import leaf_of, sibling_of
from detector.forest.kernels.quantise import Codes
from detector.forest.kernels.scratch import Scratch
from detector.forest.kernels.vector import clear_box, widen


@inner
def overhang_of(gap: np.uint64) -> int:
    """Overhang of a gap, in steps."""
    return np.int64(gap) & 0xFFFFFFFF


@inner
def extent_of(gap: np.uint64) -> int:
    """Extent of a gap, in steps."""
    return np.int64(gap) >> 32


@inner
def climb_wide(points: Codes, slot: int, tree: int, scratch: Scratch) -> int:
    """`climb` for any number of columns."""
    depth = np.int64(scratch.depth[tree])
    place = np.int64(scratch.path[depth, tree])
    clear_box(scratch.box)
    first, count = leaf_of(place), 1
    for level in range(depth, -1, -1):
        if level < depth:
            child, place = place, np.int64(scratch.path[level, tree])
            first, count = sibling_of(child, place)
        overhang, extent = widen(points, slot, tree, first, count, scratch.box, scratch.query)
        scratch.gaps[tree, level] = overhang | extent << 32
        if overhang == 0:
            return level + 1 if level < depth else -1
    return 0


def climb(points: Codes, slot: int, tree: int, scratch: Scratch) -> int:
    """Measure the query against the boxes of its path, from the leaf up to the first box it is in.

    Returns
    -------
    top
        Topmost level whose box the query sticks out of; -1 if it equals the leaf. `scratch.gaps` holds the
        gaps from there down to the leaf. Modified in place: `scratch`.
    """
    return climb_wide(points, slot, tree, scratch)


@overload(climb, jit_options={"_nrt": False})
def _climb(points: Any, slot: Any, tree: Any, scratch: Any) -> Callable[..., int]:
    def compiled(points: Any, slot: Any, tree: Any, scratch: Any) -> int:
        n_columns = points.shape[3]
        n_trees = points.shape[1]
        index = (slot * n_trees + tree) * points.shape[2] * n_columns
        path, query, gaps = scratch.path, scratch.query, scratch.gaps
        depth = np.int64(scratch.depth[tree])
        place = depth * n_trees + tree
        gap = tree * gaps.shape[1]
        if n_columns <= 8:
            return climb_lanes(points, index, n_columns, path, place, n_trees, depth, query, gaps, gap, 8)
        if n_columns <= 16:
            return climb_lanes(points, index, n_columns, path, place, n_trees, depth, query, gaps, gap, 16)
        if n_columns <= 32:
            return climb_lanes(points, index, n_columns, path, place, n_trees, depth, query, gaps, gap, 32)
        return climb_wide(points, slot, tree, scratch)

    return compiled
