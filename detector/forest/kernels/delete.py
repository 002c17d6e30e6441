"""A leaf leaves a tree: found by its rank, so that no coordinates are compared and none can be missed."""

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.forest.kernels.node import add_left, left_of, read_record
from detector.forest.kernels.vector import shift
from detector.forest.state import ForestState


@inner
def delete(state: ForestState, slot: int, tree: int, n_leaves: int, rank: int) -> None:
    """Remove the node above leaf `rank` of a tree of `n_leaves` leaves; the points are not touched.

    Its sibling takes the node's place, which in preorder is to drop the node's record. Modified in place.
    """
    node = 0
    leaf = 0
    mass = n_leaves
    while True:
        left = left_of(read_record(state.nodes, slot, tree, node))
        is_left = rank < leaf + left
        below = left if is_left else mass - left
        if below == 1:
            shift(state.nodes, slot, tree, node, node + 1, n_leaves - 2 - node)
            return
        # No branch: on which side the leaf lies cannot be guessed.
        add_left(state.nodes, slot, tree, node, -np.int64(is_left))
        node += 1 if is_left else left
        leaf += 0 if is_left else left
        mass = below
