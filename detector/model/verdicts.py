"""What a block of windows says of every model, in columns. Knows no model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Columns(NamedTuple):
    """Where the verdicts go: arrays as in `ScoredBlock`, filled with NaN and 0 beforehand."""

    score: NDArray[np.float64]
    grade: NDArray[np.float64]
    confidence: NDArray[np.float64]
    threshold: NDArray[np.float64]
    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    contribution: NDArray[np.float64]
    basis: NDArray[np.uint8]
    status: NDArray[np.uint8]


def empty_columns(shape: tuple[int, ...]) -> Columns:
    """Return empty verdicts for values of this shape."""
    rows = shape[:2]
    return Columns(
        score=np.full(rows, np.nan),
        grade=np.full(rows, np.nan),
        confidence=np.full(rows, np.nan),
        threshold=np.full(rows, np.nan),
        expected=np.full(shape, np.nan),
        lower=np.full(shape, np.nan),
        upper=np.full(shape, np.nan),
        contribution=np.full(shape, np.nan),
        basis=np.zeros(shape, np.uint8),
        status=np.zeros(rows, np.uint8),
    )
