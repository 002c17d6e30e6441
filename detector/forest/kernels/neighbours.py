"""The point that each tree keeps nearest to a query: the leaf at which the query ends.

Source: the near-neighbour visitor of the streaming implementation by AWS.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import kernel
from detector.forest.kernels.node import leaf_of
from detector.forest.kernels.prepare import prepare_query
from detector.forest.kernels.quantise import decode
from detector.forest.kernels.scratch import make_scratch
from detector.forest.state import ForestState


@kernel
def reach(
    state: ForestState,
    slot: int,
    point: NDArray[np.float32],
    neighbours: NDArray[np.float32],
    distances: NDArray[np.float64],
) -> None:
    """Write the point at which a query ends in each tree, and how far it is; the model has seen something.

    Parameters
    ----------
    point
        Float32, shape (n_columns,), finite.
    neighbours
        Float32, shape (n_trees, n_columns), as the tree holds them. Written here.
    distances
        Euclidean distance to the query as it would be held, float64, shape (n_trees,). Written here.
    """
    scratch = make_scratch(state)
    prepare_query(state, slot, point, scratch)
    for tree in range(state.keys.shape[1]):
        leaf = leaf_of(np.int64(scratch.path[scratch.depth[tree], tree]))
        square = 0.0
        for column in range(point.shape[0]):
            value = decode(np.int64(state.points[slot, tree, leaf, column]), state.points)
            neighbours[tree, column] = value
            square += (value - decode(np.int64(scratch.query[0, column]), scratch.query)) ** 2
        distances[tree] = np.sqrt(square)
