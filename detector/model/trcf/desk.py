"""Working memory of one walk over models of the profile; not part of any state, never shared by threads."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.model.trcf.deviation import CELL
from detector.model.trcf.models import TrcfModels

FEATURE = np.dtype(
    [
        (name, np.float64)
        for name in (
            "previous", "shift", "scale", "noise", "above", "below", "share", "expected", "lower", "upper",
        )
    ]
)  # fmt: skip
"""Of the row at hand, per feature: value of the step before; mean, scale and deviation of changes before the row is
learned; how far a value may lie above and below the expected one; and, of an alarm, contribution, expected value and
band."""


class Parts(NamedTuple):
    """Attribution of a point's score to its columns: above and below what is usual, float64, shape (D,)."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]


class Desk(NamedTuple):
    """Buffers; `D` = shingle size x features.

    Attributes
    ----------
    row
        Values of the row, float64, shape (n_features,); NaN = missing.
    filled, filler
        The row with the filler in place of what is missing, and the filler of a step without row.
    feature
        Records of `FEATURE`, shape (n_features,).
    point
        Shingle that ends with the row, normalised, float32, shape (D,).
    corrected
        The same without the after-effects of the last alarm.
    wanted
        The same with the flagged values as the forest expects them.
    query
        A point in units of the forest.
    missing
        Columns to be imputed, bool, shape (D,).
    parts, other
        Attribution of the corrected point, and of another.
    reached, distances
        Point that each tree keeps nearest, float32, shape (n_trees, D), and how far it is, float64, shape
        (n_trees,).
    cell
        A statistic, float64, shape (3,).
    scratch
        The forest's own.
    """

    row: NDArray[np.float64]
    filled: NDArray[np.float64]
    filler: NDArray[np.float64]
    feature: NDArray[np.void]
    point: NDArray[np.float32]
    corrected: NDArray[np.float32]
    wanted: NDArray[np.float32]
    query: NDArray[np.float32]
    missing: NDArray[np.bool_]
    parts: Parts
    other: Parts
    reached: NDArray[np.float32]
    distances: NDArray[np.float64]
    cell: NDArray[np.float64]
    scratch: Scratch


@inner
def copy_into(target: NDArray[Any], source: NDArray[Any]) -> None:
    """Copy a vector onto another of its length. Modified in place: `target`."""
    for index in range(source.shape[0]):
        target[index] = source[index]


@kernel
def make_desk(models: TrcfModels) -> Desk:
    """Return working memory for these models."""
    n_features = models.waiting.shape[2]
    width, n_trees = models.shingle.shape[1], models.forest.points.shape[1]
    return Desk(
        np.empty(n_features),
        np.empty(n_features),
        np.empty(n_features),
        np.zeros(n_features, FEATURE),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.bool_),
        Parts(np.empty(width), np.empty(width)),
        Parts(np.empty(width), np.empty(width)),
        np.empty((n_trees, width), np.float32),
        np.empty(n_trees),
        np.zeros(CELL),
        make_scratch(models.forest),
    )
