"""Working memory of one pass over the trees of one model; not part of any state, never shared by threads."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.quantise import Codes, steps_of
from detector.forest.kernels.vector import full_code, lanes
from detector.forest.state import ForestState


class Scratch(NamedTuple):
    """Buffers for one query against one model.

    Attributes
    ----------
    query
        Codes of the point, then a mask of the columns there are, of the type of the points, shape (2, lanes).
    box
        Smallest and largest code of a range of points, of the same type, shape (2, lanes).
    path
        Places from the root to the leaf (see `node.py`), uint32, shape (sample_size + 1, n_trees).
    depth
        Level of the leaf of each path, uint16, shape (n_trees,).
    alive
        Trees whose descent has not ended, uint16, shape (n_trees,).
    gaps
        Per level of each path, how far the query sticks out of the box (low 32 bits) and the sum of the box's
        sides (high 32 bits), in steps, uint64, shape (n_trees, sample_size + 1).
    tops
        Topmost level where the point can be separated, of every tree, int64, shape (n_trees,).
    """

    query: Codes
    box: Codes
    path: NDArray[np.uint32]
    depth: NDArray[np.uint16]
    alive: NDArray[np.uint16]
    gaps: NDArray[np.uint64]
    tops: NDArray[np.int64]


@inner
def steps_in(scratch: Scratch, column: int) -> tuple[int, int, int]:
    """Return the steps of the query and of the low and high side of the box in a column (see `quantise.py`)."""
    query, box = scratch.query, scratch.box
    return (
        steps_of(np.int64(query[0, column]), query),
        steps_of(np.int64(box[0, column]), box),
        steps_of(np.int64(box[1, column]), box),
    )


@kernel
def make_scratch(state: ForestState) -> Scratch:
    """Buffers that fit the shape of `state`."""
    _, n_trees, sample_size, n_columns = state.points.shape
    width = lanes(n_columns)
    query = np.zeros((2, width), dtype=state.points.dtype)
    query[1, :n_columns] = full_code(query)
    return Scratch(
        query,
        np.zeros((2, width), dtype=state.points.dtype),
        np.empty((sample_size + 1, n_trees), dtype=np.uint32),
        np.empty(n_trees, dtype=np.uint16),
        np.empty(n_trees, dtype=np.uint16),
        np.empty((n_trees, sample_size + 1), dtype=np.uint64),
        np.empty(n_trees, dtype=np.int64),
    )
