"""Questions to the forest in normalised units: what scores so, what would be expected, what lies near.

The forest resolves its input to a fixed step; `gain` is its units a normalised unit (see `resolution.py`).
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.attribute import attribute
from detector.forest.kernels.impute import impute
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.neighbours import reach
from detector.forest.kernels.prepare import NO_SLOT, Ahead, prepare_query
from detector.forest.kernels.update import score_paths, update_with
from detector.forest.state import ForestState
from detector.model.trcf.desk import Desk, Parts


@inner
def to_query(point: NDArray[np.float32], gain: float, query: NDArray[np.float32]) -> None:
    """Write a normalised point in units of the forest. Modified in place."""
    for column in range(point.shape[0]):
        query[column] = point[column] * gain


@kernel
def learn_query(forest: ForestState, slot: int, time_decay: float, desk: Desk) -> None:
    """Show `desk.query` to the forest. Modified in place."""
    update_with(forest, slot, desk.query, time_decay, desk.scratch)


@kernel
def score_point(forest: ForestState, slot: int, gain: float, point: NDArray[np.float32], desk: Desk) -> float:
    """Return the score of a normalised point."""
    to_query(point, gain, desk.query)
    prepare_query(forest, slot, desk.query, desk.scratch)
    return score_paths(forest, slot, desk.scratch, Ahead(NO_SLOT, desk.scratch, NO_SLOT))


@kernel
def attribute_point(
    forest: ForestState, slot: int, gain: float, point: NDArray[np.float32], desk: Desk, parts: Parts
) -> float:
    """Split the score of a normalised point over its columns and return their sum. Modified in place: `parts`."""
    to_query(point, gain, desk.query)
    attribute(forest, slot, desk.query, parts.high, parts.low)
    return parts.high.sum() + parts.low.sum()


@kernel
def impute_point(forest: ForestState, slot: int, gain: float, point: NDArray[np.float32], desk: Desk) -> None:
    """Write a normalised point to `desk.wanted`, with what the forest expects in `desk.missing`.

    Modified in place.
    """
    to_query(point, gain, desk.query)
    impute(forest, slot, desk.query, desk.missing, desk.wanted)
    for column in range(point.shape[0]):
        desk.wanted[column] = desk.wanted[column] / gain if desk.missing[column] else point[column]


@kernel
def reach_point(forest: ForestState, slot: int, gain: float, point: NDArray[np.float32], desk: Desk) -> None:
    """Write what each tree keeps nearest to a normalised point to `desk.reached`, and how far it is.

    Distances are in units of the forest. Modified in place.
    """
    to_query(point, gain, desk.query)
    reach(forest, slot, desk.query, desk.reached, desk.distances)
    for tree in range(desk.reached.shape[0]):
        for column in range(point.shape[0]):
            desk.reached[tree, column] /= gain
