# ruff: noqa: ANN401, ARG001 - overloads are called with numba types, of which they use some
"""Scans and moves of contiguous points: the inner loops of every kernel.

Each is a plain function, which says what it does and runs when the JIT is disabled, and a compiled form with
the vector instructions of `intrinsics.py` that takes its place inside kernels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from detector.forest.kernels.intrinsics import (
    COMPARED_AT_ONCE,
    move_elements,
    prefetch_element,
    unequal_before,
    widen_lanes,
)
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.quantise import Codes, steps_of

VECTOR = 32
"""Codes in the widest vector; a point of more columns takes several."""

CACHE_LINE = 64


@inner
def lanes(n_columns: int) -> int:
    """Width of a buffer for one point: its columns rounded up to whole vectors of 8, 16 or 32 codes."""
    if n_columns <= 8:
        return 8
    if n_columns <= 16:
        return 16
    return (n_columns + VECTOR - 1) // VECTOR * VECTOR


@inner
def full_code(codes: Codes) -> int:
    """Largest code there is, all ones."""
    return (1 << 8 * codes.itemsize) - 1


@inner
def clear_box(box: Codes) -> None:
    """Make a box empty. Modified in place."""
    box[0, :] = full_code(box)
    box[1, :] = 0


def widen(
    points: Codes,
    slot: int,
    tree: int,
    first: int,
    count: int,
    box: Codes,
    query: Codes,
) -> tuple[int, int]:
    """Widen a box by a range of leaves, at least one, and measure it against the query.

    Returns
    -------
    overhang
        Sum over columns of how far the query sticks out of the widened box, in steps.
    extent
        Sum of the sides of the widened box, in steps.
    """
    n_columns = points.shape[3]
    leaves = points[slot, tree, first : first + count].astype(np.int64)
    low = np.minimum(box[0, :n_columns], leaves.min(axis=0))
    high = np.maximum(box[1, :n_columns], leaves.max(axis=0))
    box[0, :n_columns] = low
    box[1, :n_columns] = high
    overhang, extent = 0, 0
    for column in range(n_columns):
        at = steps_of(int(query[0, column]), query)
        bottom, top = steps_of(int(low[column]), box), steps_of(int(high[column]), box)
        overhang += max(bottom - at, 0) + max(at - top, 0)
        extent += top - bottom
    return overhang, extent


@overload(widen, jit_options={"_nrt": False})
def _widen(
    points: Any, slot: Any, tree: Any, first: Any, count: Any, box: Any, query: Any
) -> Callable[..., tuple[int, int]]:
    def compiled(
        points: Any, slot: Any, tree: Any, first: Any, count: Any, box: Any, query: Any
    ) -> tuple[int, int]:
        n_columns = points.shape[3]
        index = ((slot * points.shape[1] + tree) * points.shape[2] + first) * n_columns
        if n_columns <= 8:
            return widen_lanes(points, index, count, n_columns, box, query, 0, 8)
        if n_columns <= 16:
            return widen_lanes(points, index, count, n_columns, box, query, 0, 16)
        overhang = 0
        extent = 0
        for lane in range(0, n_columns, 32):
            part = widen_lanes(points, index + lane, count, n_columns, box, query, lane, 32)
            overhang += part[0]
            extent += part[1]
        return overhang, extent

    return compiled


def shift(array: NDArray[Any], slot: Any, tree: Any, target: Any, source: Any, count: Any) -> None:
    """Copy `count` rows of a tree's block from row `source` on to row `target` on. Modified in place."""
    if count > 0:
        array[slot, tree, target : target + count] = array[slot, tree, source : source + count].copy()


@overload(shift, jit_options={"_nrt": False})
def _shift(array: Any, slot: Any, tree: Any, target: Any, source: Any, count: Any) -> Callable[..., None]:
    def compiled_rows(array: Any, slot: Any, tree: Any, target: Any, source: Any, count: Any) -> None:
        width = array.shape[3]
        block = (slot * array.shape[1] + tree) * array.shape[2]
        if count > 0:
            move_elements(array, (block + target) * width, (block + source) * width, count * width)

    def compiled(array: Any, slot: Any, tree: Any, target: Any, source: Any, count: Any) -> None:
        block = (slot * array.shape[1] + tree) * array.shape[2]
        if count > 0:
            move_elements(array, block + target, block + source, count)

    return compiled_rows if array.ndim == 4 else compiled


def first_equal(array: NDArray[np.uint8], slot: int, tree: int, begin: int, end: int, value: int) -> int:
    """First of the bytes `begin` to `end` (exclusive) of a tree's block with this value; `end` if there is none."""
    found = np.flatnonzero(array[slot, tree, begin:end] == value)
    return begin + int(found[0]) if found.size else end


@overload(first_equal, jit_options={"_nrt": False})
def _first_equal(array: Any, slot: Any, tree: Any, begin: Any, end: Any, value: Any) -> Callable[..., int]:
    def compiled(array: Any, slot: Any, tree: Any, begin: Any, end: Any, value: Any) -> int:
        block = (slot * array.shape[1] + tree) * array.shape[2]
        for first in range(begin, end, COMPARED_AT_ONCE):
            before = unequal_before(array, block + first, value)
            if before < COMPARED_AT_ONCE:
                return min(first + before, end)
        return end

    return compiled


def prefetch_rows(array: NDArray[Any], slot: Any, tree: Any, first: Any, count: Any) -> None:
    """Ask for the cache lines of `count` rows of a tree's block; changes nothing but the time later loads take."""


@overload(prefetch_rows, jit_options={"_nrt": False})
def _prefetch_rows(array: Any, slot: Any, tree: Any, first: Any, count: Any) -> Callable[..., None]:
    def compiled_rows(array: Any, slot: Any, tree: Any, first: Any, count: Any) -> None:
        width = array.shape[3]
        row = (slot * array.shape[1] + tree) * array.shape[2] + first
        prefetch_words(array, row * width, count * width)

    def compiled(array: Any, slot: Any, tree: Any, first: Any, count: Any) -> None:
        prefetch_words(array, (slot * array.shape[1] + tree) * array.shape[2] + first, count)

    return compiled_rows if array.ndim == 4 else compiled


def prefetch_words(array: NDArray[Any], first: int, count: int) -> None:
    """Ask for the cache lines of `count` elements, counted over the whole array; as `prefetch_rows`."""


@overload(prefetch_words, jit_options={"_nrt": False})
def _prefetch_words(array: Any, first: Any, count: Any) -> Callable[..., None]:
    step = CACHE_LINE * 8 // array.dtype.bitwidth

    def compiled(array: Any, first: Any, count: Any) -> None:
        for element in range(first, first + count, step):
            prefetch_element(array, element)
        prefetch_element(array, first + count - 1)

    return compiled


@inner
def exchange(array: NDArray[Any], slot: int, tree: int, position: int, victim: int) -> int:
    """Close the gap of row `victim` and open one before row `position`, both counted before the move.

    Returns
    -------
    place
        The row that is free now. `array` is modified in place.
    """
    if victim < position:
        shift(array, slot, tree, victim, victim + 1, position - 1 - victim)
        return position - 1
    shift(array, slot, tree, position + 1, position, victim - position)
    return position
