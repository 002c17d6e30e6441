"""How far a value may lie off the expected one before that is news. Source: `PredictorCorrector` of AWS.

The widest of: what the user ignores (an amount, or a share of the value), the usual change from step to step, and the
change from step to step in the shingle since then; and a thousandth of the units for rounding.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.trcf.desk import Desk

PRECISION = 1e-3
"""Differences of this size, in normalised units, come from rounding."""

NEAR = 1.1
"""Neighbours within so many mean distances count."""

SUPPORT = 0.1
"""Share of the trees that must know a like value."""

ABOVE, BELOW, ABOVE_SHARE, BELOW_SHARE = range(4)
"""Rows of `TrcfPlan.margin`."""


@inner
def path_length(point: NDArray[np.float32], start: int, n_features: int) -> float:
    """Return the mean absolute change from step to step of one feature, from its column `start` on."""
    total, count = 0.0, 0
    for column in range(start, point.shape[0] - n_features, n_features):
        total += abs(np.float64(point[column]) - np.float64(point[column + n_features]))
        count += 1
    return total / count if count > 0 else 0.0


@inner
def set_tolerance(desk: Desk, margin: NDArray[np.float64], start: int) -> None:
    """Set on the desk how far the block at `start` may lie off. Modified in place."""
    n_features = desk.row.shape[0]
    for feature in range(n_features):
        scale, shift = desk.feature[feature]["scale"], desk.feature[feature]["shift"]
        value = scale * desk.point[start + feature] + shift
        slack = PRECISION
        if shift != 0.0:
            slack += PRECISION * (scale + abs(shift))
        path = scale * path_length(desk.point, start + feature, n_features)
        least = max(path, desk.feature[feature]["noise"]) + slack
        above = max(margin[ABOVE, feature], margin[ABOVE_SHARE, feature] * abs(value))
        below = max(margin[BELOW, feature], margin[BELOW_SHARE, feature] * abs(value))
        desk.feature[feature]["above"] = max(above, least)
        desk.feature[feature]["below"] = max(below, least)


@inner
def is_within(desk: Desk, other: NDArray[np.float32], start: int) -> bool:
    """Whether every feature of the point's block lies within the tolerance of another point's. A read."""
    for feature in range(desk.row.shape[0]):
        distance = desk.feature[feature]["scale"] * (
            np.float64(desk.point[start + feature]) - np.float64(other[start + feature])
        )
        if distance > desk.feature[feature]["above"] or -distance > desk.feature[feature]["below"]:
            return False
    return True


@inner
def is_rounding(desk: Desk) -> bool:
    """Whether the whole corrected shingle is zero but for rounding."""
    n_features = desk.row.shape[0]
    for column in range(desk.corrected.shape[0]):
        feature = column % n_features
        least = PRECISION * (1.0 + abs(desk.feature[feature]["shift"]))
        if abs(np.float64(desk.corrected[column])) * desk.feature[feature]["scale"] > least:
            return False
    return True


@inner
def is_explained(desk: Desk, start: int) -> bool:
    """Whether near enough points of the forest, in a tenth of its trees, have about the same value.

    Equal points count once in the mean distance, as in the reference.
    """
    n_trees = desk.reached.shape[0]
    total, n_distinct = 0.0, 0
    for tree in range(n_trees):
        if not _is_repeated(desk.reached, tree):
            total += desk.distances[tree]
            n_distinct += 1
    weight = 0
    for tree in range(n_trees):
        near = desk.distances[tree] < NEAR * total / n_distinct
        weight += near and is_within(desk, desk.reached[tree], start)
    return weight >= SUPPORT * n_trees


@inner
def _is_repeated(points: NDArray[np.float32], index: int) -> bool:
    """Whether an earlier point equals the one at `index`."""
    for earlier in range(index):
        same = True
        for column in range(points.shape[1]):
            same = same and points[earlier, column] == points[index, column]
        if same:
            return True
    return False
