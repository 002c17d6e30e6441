"""Scans and moves of contiguous points: the inner loops of every kernel."""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import kernel

EMPTY_LOW = 65_535
EMPTY_HIGH = 0


@kernel
def lanes(n_columns: int) -> int:
    """Width of a buffer for one point: the columns rounded up to whole vectors."""
    return n_columns


@kernel
def clear_box(box: NDArray[np.uint16]) -> None:
    """Make a box empty. Modified in place."""
    box[0, :] = EMPTY_LOW
    box[1, :] = EMPTY_HIGH


@kernel
def widen(
    points: NDArray[np.uint16],
    slot: int,
    tree: int,
    first: int,
    count: int,
    box: NDArray[np.uint16],
    query: NDArray[np.uint16],
) -> tuple[int, int]:
    """Widen a box by a range of leaves and measure it against the query.

    Returns
    -------
    overhang
        Sum over columns of how far the query sticks out of the widened box, in codes.
    extent
        Sum of the sides of the widened box, in codes.
    """
    overhang = 0
    extent = 0
    for column in range(points.shape[3]):
        low = np.int64(box[0, column])
        high = np.int64(box[1, column])
        for leaf in range(first, first + count):
            code = np.int64(points[slot, tree, leaf, column])
            low = min(low, code)
            high = max(high, code)
        box[0, column] = low
        box[1, column] = high
        code = np.int64(query[0, column])
        overhang += max(low - code, 0) + max(code - high, 0)
        extent += high - low
    return overhang, extent


@kernel
def move_points(points: NDArray[np.uint16], slot: int, tree: int, position: int, victim: int) -> int:
    """Close the gap of leaf `victim` and open one before leaf `position`, both counted before the move.

    Returns
    -------
    place
        The leaf that is free now. `points` is modified in place.
    """
    n_columns = points.shape[3]
    if victim < position:
        for leaf in range(victim, position - 1):
            for column in range(n_columns):
                points[slot, tree, leaf, column] = points[slot, tree, leaf + 1, column]
        return position - 1
    for leaf in range(victim, position, -1):
        for column in range(n_columns):
            points[slot, tree, leaf, column] = points[slot, tree, leaf - 1, column]
    return position


@kernel
def move_keys(keys: NDArray[np.uint8], slot: int, tree: int, position: int, victim: int) -> None:
    """Move the keys as `move_points` moves the points. Modified in place."""
    if victim < position:
        for leaf in range(victim, position - 1):
            keys[slot, tree, leaf] = keys[slot, tree, leaf + 1]
    else:
        for leaf in range(victim, position, -1):
            keys[slot, tree, leaf] = keys[slot, tree, leaf - 1]


@kernel
def open_node(nodes: NDArray[np.uint32], slot: int, tree: int, node: int, n_nodes: int) -> None:
    """Shift the records from `node` on one place up. Modified in place."""
    for index in range(n_nodes, node, -1):
        nodes[slot, tree, index] = nodes[slot, tree, index - 1]


@kernel
def close_node(nodes: NDArray[np.uint32], slot: int, tree: int, node: int, n_nodes: int) -> None:
    """Shift the records behind `node` one place down over it. Modified in place."""
    for index in range(node, n_nodes - 1):
        nodes[slot, tree, index] = nodes[slot, tree, index + 1]
