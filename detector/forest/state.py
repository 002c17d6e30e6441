"""Memory of many forests: one slot a model, arrays allocated once, no pointers.

A tree of n leaves is n - 1 records in preorder, its points lie in leaf order (left to right), and nothing
else is stored: no child indices, no boxes, no masses of leaves. A subtree is three numbers, first node, first
leaf and number of leaves, and both children follow from the parent's record (see `node.py`). So a subtree's
points are one contiguous range, whose box is a sequential minimum and maximum.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_COLUMNS = 254
MAX_TREES = 1_024
MIN_SAMPLE_SIZE = 2
MAX_SAMPLE_SIZE = 1_024

NARROW_SAMPLE_SIZE = 256
"""Up to this many samples the mass of a left child fits a byte; beyond, a record takes 64 bits."""

PADDING = 64
"""Elements behind an array that vector loads may touch but never use."""


class ForestShape(NamedTuple):
    """Size of every forest of one state.

    Attributes
    ----------
    n_columns
        Dimensions of a point, 1 to 254.
    n_trees
        Trees of a forest, 1 to 1,024.
    sample_size
        Points kept by a tree, 2 to 1,024.
    code_bytes
        Bytes of a column of a point: 1 resolves to 1/32 of the unit near zero and reaches 62 units, 2 resolves
        to 1/256 everywhere and reaches 128 (see `quantise.py`).
    """

    n_columns: int
    n_trees: int
    sample_size: int
    code_bytes: int = 2


class ForestState(NamedTuple):
    """Arrays of `n_models` forests; the leading axis is the model's slot. Kernels modify them in place.

    Attributes
    ----------
    seen
        Points offered to the model so far, int64, shape (n_models,).
    random
        State of the model's random generator, uint64, shape (n_models,).
    next_accept
        Index of the next point a tree takes, int64, shape (n_models, n_trees).
    top_key
        Largest sampling key of a tree, in codes (see `sample.py`), int64, shape (n_models, n_trees).
    nodes
        Records in preorder (see `node.py`), shape (n_models, n_trees, sample_size): uint32, or uint64 if the
        sample is larger than 256; with one-byte codes up to 256 samples uint8, shape (..., 3).
    points
        Codes of points in leaf order (see `quantise.py`), uint8 or uint16, shape (n_models, n_trees,
        sample_size, n_columns).
    keys
        Sampling keys in leaf order, modulo 256, uint8, shape (n_models, n_trees, sample_size).
    """

    seen: NDArray[np.int64]
    random: NDArray[np.uint64]
    next_accept: NDArray[np.int64]
    top_key: NDArray[np.int64]
    nodes: NDArray[np.unsignedinteger[Any]]
    points: NDArray[np.uint8] | NDArray[np.uint16]
    keys: NDArray[np.uint8]


def check_shape(shape: ForestShape) -> None:
    """Refuse a shape no forest can have.

    Raises
    ------
    ValueError
        With the field, its limits and what was given.
    """
    limits = (
        ("n_columns", shape.n_columns, 1, MAX_COLUMNS),
        ("n_trees", shape.n_trees, 1, MAX_TREES),
        ("sample_size", shape.sample_size, MIN_SAMPLE_SIZE, MAX_SAMPLE_SIZE),
        ("code_bytes", shape.code_bytes, 1, 2),
    )
    for name, value, low, high in limits:
        if not low <= value <= high:
            msg = f"`{name}` must be in {low}..{high}, got {value}"
            raise ValueError(msg)


def _padded(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:  # noqa: ANN401 - numpy's own word for a type
    """Zeros with something behind them that may be read."""
    size = math.prod(shape)
    whole: NDArray[Any] = np.zeros(size + PADDING, dtype=dtype)
    return whole[:size].reshape(shape)


def _records(shape: ForestShape, n_models: int) -> NDArray[np.unsignedinteger[Any]]:
    """Zero records of the smallest type that cut, column and mass of the left child fit."""
    leaves = (n_models, shape.n_trees, shape.sample_size)
    if shape.sample_size > NARROW_SAMPLE_SIZE:
        return np.zeros(leaves, np.uint64)
    return _padded((*leaves, 3), np.uint8) if shape.code_bytes == 1 else np.zeros(leaves, np.uint32)


def allocate(shape: ForestShape, n_models: int) -> ForestState:
    """Arrays for `n_models` forests, all zero: a slot is usable after `reset`.

    Raises
    ------
    ValueError
        If the shape is outside its limits.
    """
    check_shape(shape)
    n_columns, n_trees, sample_size, code_bytes = shape
    leaves = (n_models, n_trees, sample_size)
    return ForestState(
        seen=np.zeros(n_models, dtype=np.int64),
        random=np.zeros(n_models, dtype=np.uint64),
        next_accept=np.zeros((n_models, n_trees), dtype=np.int64),
        top_key=np.zeros((n_models, n_trees), dtype=np.int64),
        nodes=_records(shape, n_models),
        points=_padded((*leaves, n_columns), np.uint8 if code_bytes == 1 else np.uint16),
        keys=np.zeros(leaves, dtype=np.uint8),
    )


def shape_of(state: ForestState) -> ForestShape:
    """Return the shape a state was allocated with."""
    _, n_trees, sample_size, n_columns = state.points.shape
    return ForestShape(n_columns, n_trees, sample_size, state.points.itemsize)


def arrays_of(state: ForestState) -> tuple[NDArray[Any], ...]:
    """Return the arrays of a state in the order of its fields; the leading axis of each is the slot."""
    return tuple(state)


def grow(state: ForestState, n_models: int) -> ForestState:
    """Copy a state into one of `n_models` slots; those behind its own are zero.

    Raises
    ------
    ValueError
        If `n_models` is smaller than the number of slots there are.
    """
    n_present = state.seen.shape[0]
    if n_models < n_present:
        msg = f"`n_models` must be at least the {n_present} slots there are, got {n_models}"
        raise ValueError(msg)
    larger = allocate(shape_of(state), n_models)
    for old, new in zip(arrays_of(state), arrays_of(larger), strict=True):
        new[:n_present] = old
    return larger


def model_bytes(shape: ForestShape) -> int:
    """Bytes one model takes in memory."""
    return sum(array.nbytes for array in allocate(shape, 1))
