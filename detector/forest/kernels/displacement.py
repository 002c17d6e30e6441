"""How much of a tree a point would displace, and how deep it would come to lie: the score's recursion, other terms.

A point is separated from a node's box with the node's separation probability, as in the score. What is
averaged is the number of points beside it then (displacement), or the depth at which that happens (height),
instead of the inverse depth. Sources: Guha, Mishra, Roy, Schrijvers, "Robust random cut forest based anomaly
detection on streams", 2016, section 3, for displacement; the streaming implementation by AWS, whose scores may
be given these terms.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.climb import climb
from detector.forest.kernels.descend import n_leaves
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.node import mass_of
from detector.forest.kernels.prepare import prepare_query
from detector.forest.kernels.score import separation
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.state import ForestState


@inner
def displace_in_tree(state: ForestState, slot: int, tree: int, scratch: Scratch) -> tuple[float, float]:
    """Displacement and height of the query in one tree. Modified in place: `scratch`."""
    depth = np.int64(scratch.depth[tree])
    mass = mass_of(np.int64(scratch.path[depth, tree]))
    top = climb(state.points, slot, tree, scratch)
    if top < 0:
        return 1.0, depth + np.log2(float(mass))
    displacement, height = float(mass), float(depth)
    for level in range(depth - 1, top - 1, -1):
        chance = separation(scratch.gaps[tree, level])
        beside = mass_of(np.int64(scratch.path[level, tree]))
        displacement = chance * beside + (1.0 - chance) * displacement
        height = chance * level + (1.0 - chance) * height
    return displacement, height


@kernel
def displace(
    state: ForestState, slot: int, point: NDArray[np.float32], scratch: Scratch
) -> tuple[float, float]:
    """Displacement and height of a point, float32, shape (n_columns,), finite; the model does not change.

    Returns
    -------
    displacement
        Expected number of points beside the query where it splits off, mean over trees, 1 up to sample_size;
        1 also for a point that equals a leaf.
    height
        Expected depth at which it splits off, mean over trees, 0 at the root; a leaf of k equal points counts
        as log2(k) levels deeper. Both are 0 as long as the model has seen nothing.
    """
    if n_leaves(state, slot) == 0:
        return 0.0, 0.0
    prepare_query(state, slot, point, scratch)
    displacement = 0.0
    height = 0.0
    for tree in range(state.keys.shape[1]):
        found = displace_in_tree(state, slot, tree, scratch)
        displacement += found[0]
        height += found[1]
    return displacement / state.keys.shape[1], height / state.keys.shape[1]


@kernel
def displace_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    displacements: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> None:
    """As `displace`, for points, shape (n_points, n_columns); writes float64, shape (n_points,) each."""
    scratch = make_scratch(state)
    for index in range(slots.shape[0]):
        displacements[index], heights[index] = displace(state, slots[index], points[index], scratch)
