# ruff: noqa: ANN401, ARG001 - overloads are called with numba types, of which they use some
"""The two packed words of a tree: the record of an inner node and the place of a subtree.

Record: cut code (16 bits), cut column (8 bits), leaves of the left child minus one (8 bits, or more for large
samples). A point goes left if its code in the cut column is at most the cut code. `DUPLICATES` in place of the
column marks a group of equal points: k of them are k leaves under k - 1 such nodes, and a descent stops at the
topmost one. Where codes have one byte and samples no more than 256 points, a record is kept in three bytes: cut,
column, left.

Place: first node, first leaf, number of leaves. The left child of (node, leaf, mass) is (node + 1, leaf,
left), the right child (node + left, leaf + left, mass - left), and mass 1 is a leaf.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from detector.forest.kernels.intrinsics import load_word
from detector.forest.kernels.kernel import inner

DUPLICATES = 255


@inner
def pack_record(cut: int, column: int, left: int) -> int:
    """Record of a node from its cut code, cut column and the mass of its left child."""
    return cut | column << 16 | (left - 1) << 24


@inner
def from_bytes(word: int) -> int:
    """Record from its three bytes and whatever follows them."""
    return word & 0xFF | (word & 0xFFFF00) << 8


def read_record(nodes: NDArray[Any], slot: int, tree: int, node: int) -> int:
    """Record of a node."""
    if nodes.ndim == 4:
        return int(from_bytes(int.from_bytes(nodes[slot, tree, node].tobytes(), "little")))
    return int(nodes[slot, tree, node])


@overload(read_record, inline="always")
def _read_record(nodes: Any, slot: Any, tree: Any, node: Any) -> Callable[..., int]:
    def compiled_bytes(nodes: Any, slot: Any, tree: Any, node: Any) -> int:
        at = ((slot * nodes.shape[1] + tree) * nodes.shape[2] + node) * 3
        return from_bytes(load_word(nodes, at))

    def compiled(nodes: Any, slot: Any, tree: Any, node: Any) -> int:
        return np.int64(nodes[slot, tree, node])

    return compiled_bytes if nodes.ndim == 4 else compiled


def write_record(nodes: NDArray[Any], slot: int, tree: int, node: int, record: int) -> None:
    """Set the record of a node. Modified in place."""
    if nodes.ndim == 4:
        nodes[slot, tree, node] = cut_of(record), column_of(record), left_of(record) - 1
    else:
        nodes[slot, tree, node] = record


@overload(write_record, inline="always")
def _write_record(nodes: Any, slot: Any, tree: Any, node: Any, record: Any) -> Callable[..., None]:
    def compiled_bytes(nodes: Any, slot: Any, tree: Any, node: Any, record: Any) -> None:
        nodes[slot, tree, node, 0] = cut_of(record)
        nodes[slot, tree, node, 1] = column_of(record)
        nodes[slot, tree, node, 2] = left_of(record) - 1

    def compiled(nodes: Any, slot: Any, tree: Any, node: Any, record: Any) -> None:
        nodes[slot, tree, node] = record

    return compiled_bytes if nodes.ndim == 4 else compiled


@inner
def add_left(nodes: NDArray[Any], slot: int, tree: int, node: int, change: int) -> None:
    """Add to the leaves of a node's left child. Modified in place."""
    if nodes.ndim == 4:
        nodes[slot, tree, node, 2] += change
    else:
        # The sum of an unsigned and a signed integer of 64 bits would be a float.
        nodes[slot, tree, node] = np.int64(nodes[slot, tree, node]) + (change << 24)


@inner
def cut_of(record: int) -> int:
    """Cut code of a record."""
    return record & 0xFFFF


@inner
def column_of(record: int) -> int:
    """Cut column of a record, or `DUPLICATES`."""
    return record >> 16 & 0xFF


@inner
def left_of(record: int) -> int:
    """Leaves of the left child."""
    return (record >> 24 & 0xFFFF) + 1


@inner
def pack_place(node: int, leaf: int, mass: int) -> int:
    """Place of a subtree in 31 bits: 10, 10 and 11."""
    return node | leaf << 10 | mass << 20


@inner
def node_of(place: int) -> int:
    """First node of a place, in preorder."""
    return place & 0x3FF


@inner
def leaf_of(place: int) -> int:
    """First leaf of a place, left to right."""
    return place >> 10 & 0x3FF


@inner
def mass_of(place: int) -> int:
    """Leaves under a place."""
    return place >> 20 & 0x7FF


@inner
def left_child(place: int, left: int) -> int:
    """Place of the left child, which has `left` leaves."""
    return (place & 0xFFFFF) + 1 + (left << 20)


@inner
def right_child(place: int, left: int) -> int:
    """Place of the right child, whose sibling has `left` leaves."""
    return place + left + (left << 10) - (left << 20)


@inner
def sibling_of(child: int, parent: int) -> tuple[int, int]:
    """First leaf and number of leaves of what a parent has beside a child."""
    first = leaf_of(parent)
    count = mass_of(parent) - mass_of(child)
    return (first + mass_of(child) if leaf_of(child) == first else first), count
