"""How many points lie around a point, in which directions, and how far away.

The recursion is the score's: at each node of the path the point is separated with the node's separation
probability, which is split by column and by side. What is averaged is, by column and side, the probability
itself, the number of points beside it, and the distance to the far side of their box. Source: the simple
interpolation visitor of the streaming implementation by AWS.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.descend import n_leaves
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.node import mass_of
from detector.forest.kernels.prepare import prepare_query
from detector.forest.kernels.quantise import decode
from detector.forest.kernels.score import leaf_overhang, widen_to_parent
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.kernels.vector import clear_box
from detector.forest.state import ForestState

QUERY_MASS = 1.0
"""Points that the query itself stands for."""


class Around(NamedTuple):
    """What lies around one point, float64, shape (2, n_columns) each: where the point is above, then below.

    Attributes
    ----------
    probability
        Probability that the point is separated in this direction.
    mass
        Number of points beside it then, with its own, times the probability.
    distance
        Distance to the far side of their box, in the unit of the points, times the probability.
    """

    probability: NDArray[np.float64]
    mass: NDArray[np.float64]
    distance: NDArray[np.float64]


@inner
def measure_directions(scratch: Scratch, gaps: NDArray[np.float64], sides: NDArray[np.float64]) -> float:
    """Write gaps above and below the box and its sides; return the sum of the sides of box and query joined."""
    total = 0.0
    for column in range(sides.shape[0]):
        low = decode(np.int64(scratch.box[0, column]), scratch.box)
        high = decode(np.int64(scratch.box[1, column]), scratch.box)
        value = decode(np.int64(scratch.query[0, column]), scratch.query)
        sides[column] = high - low
        gaps[0, column] = max(value - high, 0.0)
        gaps[1, column] = max(low - value, 0.0)
        total += sides[column] + gaps[0, column] + gaps[1, column]
    return total


@inner
def blend(
    around: Around, gaps: NDArray[np.float64], sides: NDArray[np.float64], total: float, mass: float
) -> None:
    """Mix what the box just measured adds into what was found below. Modified in place: `around`."""
    keep = 1.0 - gaps.sum() / total
    for side in range(2):
        for column in range(sides.shape[0]):
            chance = gaps[side, column] / total
            reach = gaps[side, column] + sides[column]
            around.probability[side, column] = keep * around.probability[side, column] + chance
            around.mass[side, column] = keep * around.mass[side, column] + chance * mass
            around.distance[side, column] = keep * around.distance[side, column] + chance * reach


@inner
def look_around_tree(
    state: ForestState,
    slot: int,
    tree: int,
    scratch: Scratch,
    around: Around,
    gaps: NDArray[np.float64],
    sides: NDArray[np.float64],
) -> None:
    """Surroundings of the query in one tree. Modified in place: `scratch`, `around`, `gaps`, `sides`."""
    depth = np.int64(scratch.depth[tree])
    mass = mass_of(np.int64(scratch.path[depth, tree]))
    own = QUERY_MASS
    around.distance[:] = 0.0
    if leaf_overhang(state, slot, tree, scratch) == 0:
        # An equal leaf lies in no direction: it counts evenly, and only what is around both is measured.
        own += mass
        around.probability[:] = 0.5 / sides.shape[0]
        around.mass[:] = 0.5 * own / sides.shape[0]
        clear_box(scratch.box)
    else:
        around.probability[:] = 0.0
        around.mass[:] = 0.0
        blend(around, gaps, sides, measure_directions(scratch, gaps, sides), mass + own)
    for level in range(depth - 1, -1, -1):
        overhang, _ = widen_to_parent(state, slot, tree, level, scratch)
        if overhang == 0:
            break
        beside = mass_of(np.int64(scratch.path[level, tree]))
        blend(around, gaps, sides, measure_directions(scratch, gaps, sides), beside + own)


@kernel
def look_around(state: ForestState, slot: int, point: NDArray[np.float32], around: Around) -> None:
    """Say what lies around a point, mean over trees; the model does not change.

    Parameters
    ----------
    point
        Float32, shape (n_columns,), finite.
    around
        Written here; zero as long as the model has seen nothing.
    """
    around.probability[:] = 0.0
    around.mass[:] = 0.0
    around.distance[:] = 0.0
    if n_leaves(state, slot) == 0:
        return
    scratch = make_scratch(state)
    prepare_query(state, slot, point, scratch)
    gaps = np.zeros_like(around.mass)
    sides = np.zeros(point.shape[0])
    own = Around(np.empty_like(gaps), np.empty_like(gaps), np.empty_like(gaps))
    n_trees = state.keys.shape[1]
    for tree in range(n_trees):
        look_around_tree(state, slot, tree, scratch, own, gaps, sides)
        around.probability[:] += own.probability / n_trees
        around.mass[:] += own.mass / n_trees
        around.distance[:] += own.distance / n_trees


@kernel
def look_around_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    probability: NDArray[np.float64],
    mass: NDArray[np.float64],
    distance: NDArray[np.float64],
) -> None:
    """As `look_around`, for points, shape (n_points, n_columns); writes shape (n_points, 2, n_columns) each."""
    for index in range(slots.shape[0]):
        around = Around(probability[index], mass[index], distance[index])
        look_around(state, slots[index], points[index], around)
