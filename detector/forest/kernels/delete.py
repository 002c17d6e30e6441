"""A leaf leaves a tree: found by its rank, so that no coordinates are compared and none can be missed."""

from detector.forest.kernels.kernel import inner
from detector.forest.kernels.node import left_of, read_record, with_left, write_record
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
        record = read_record(state.nodes, slot, tree, node)
        left = left_of(record)
        is_left = rank < leaf + left
        below = left if is_left else mass - left
        if below == 1:
            shift(state.nodes, slot, tree, node, node + 1, n_leaves - 2 - node)
            return
        if is_left:
            write_record(state.nodes, slot, tree, node, with_left(record, left - 1))
            node += 1
        else:
            node += left
            leaf += left
        mass = below
