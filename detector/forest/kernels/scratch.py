"""Working memory of one pass over the trees of one model; not part of any state, never shared by threads."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import kernel
from detector.forest.kernels.vector import lanes
from detector.forest.state import ForestState


class Scratch(NamedTuple):
    """Buffers for one query against one model.

    Attributes
    ----------
    query
        Codes of the point, then a mask of the columns there are, uint16, shape (2, lanes).
    box
        Smallest and largest code of a range of points, uint16, shape (2, lanes).
    path
        Places from the root to the leaf (see `node.py`), uint32, shape (sample_size + 1, n_trees).
    depth
        Level of the leaf of each path, uint16, shape (n_trees,).
    alive
        Trees whose descent has not ended, uint16, shape (n_trees,).
    gaps
        Per level of one path, how far the query sticks out of the box (low 32 bits) and the sum of the box's
        sides (high 32 bits), in codes, uint64, shape (sample_size + 1,).
    tops
        Topmost level where the point can be separated, of every tree, int64, shape (n_trees,).
    kept
        The gaps of the trees that are due, from that level down, uint64, shape (n_trees, sample_size + 1).
    """

    query: NDArray[np.uint16]
    box: NDArray[np.uint16]
    path: NDArray[np.uint32]
    depth: NDArray[np.uint16]
    alive: NDArray[np.uint16]
    gaps: NDArray[np.uint64]
    tops: NDArray[np.int64]
    kept: NDArray[np.uint64]


@kernel
def make_scratch(state: ForestState) -> Scratch:
    """Buffers that fit the shape of `state`."""
    _, n_trees, sample_size, n_columns = state.points.shape
    width = lanes(n_columns)
    query = np.zeros((2, width), dtype=np.uint16)
    query[1, :n_columns] = 0xFFFF
    return Scratch(
        query,
        np.zeros((2, width), dtype=np.uint16),
        np.empty((sample_size + 1, n_trees), dtype=np.uint32),
        np.empty(n_trees, dtype=np.uint16),
        np.empty(n_trees, dtype=np.uint16),
        np.empty(sample_size + 1, dtype=np.uint64),
        np.empty(n_trees, dtype=np.int64),
        np.empty((n_trees, sample_size + 1), dtype=np.uint64),
    )
