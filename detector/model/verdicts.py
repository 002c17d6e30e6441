"""What a block of windows says of every model, in columns. Knows no model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ScoredBlock(NamedTuple):
    """What the models said about a block of n_windows x n_models rows.

    Attributes
    ----------
    score, grade, confidence, threshold
        Float64, shape (n_windows, n_models); NaN unless scored. Score: the forest's expected inverse depth.
        Grade: 0 = no alarm, else up to 1. Confidence: 0..1, of an alarm times
        the share of such alarms that is right. Threshold: the score that an alarm takes here;
        none follows another within six hours or 72 windows, whatever the score.
    expected, lower, upper
        Expected value and band, float64, shape (n_windows, n_models, n_features); of every row that is
        there, NaN for a metric that never had a value before.
    contribution
        Share of each metric in an alarm, 0..1, float64, same shape; NaN unless the grade is above 0.
    basis
        What the expected value was made from, uint8, shape (n_windows, n_models, n_features): 0 = nothing, else one
        more than the number of the predictor that spoke (see `detector.model.expected`).
    departed, routine
        Where departures from the routine of a metric make an alarm: what departed, uint8, codes as in
        `detector.model.routine`, and what the value is by the routine, float64; else 0 and NaN; same shape.
    trait
        What of a metric is unusual where the score makes an alarm, uint8, same shape; codes as in
        `detector.model.attribution`.
    lasted_ms
        Where an alarm is made by what lasts, for how long scores have been high, in milliseconds, int64, shape
        (n_windows, n_models); else 0.
    status
        uint8, shape (n_windows, n_models). 0 absent: no row, or one that is not newer than the model. 1
        warming up: a row without score, because the model has seen fewer than 40. 2 scored. 3 missing: a row whose
        values are all missing.
    """

    score: NDArray[np.float64]
    grade: NDArray[np.float64]
    confidence: NDArray[np.float64]
    threshold: NDArray[np.float64]
    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    contribution: NDArray[np.float64]
    basis: NDArray[np.uint8]
    departed: NDArray[np.uint8]
    routine: NDArray[np.float64]
    trait: NDArray[np.uint8]
    lasted_ms: NDArray[np.int64]
    status: NDArray[np.uint8]


def empty_block(shape: tuple[int, ...]) -> ScoredBlock:
    """Return a block for values of this shape that says nothing yet: NaN and 0."""
    rows = shape[:2]
    return ScoredBlock(
        score=np.full(rows, np.nan),
        grade=np.full(rows, np.nan),
        confidence=np.full(rows, np.nan),
        threshold=np.full(rows, np.nan),
        expected=np.full(shape, np.nan),
        lower=np.full(shape, np.nan),
        upper=np.full(shape, np.nan),
        contribution=np.full(shape, np.nan),
        basis=np.zeros(shape, np.uint8),
        departed=np.zeros(shape, np.uint8),
        routine=np.full(shape, np.nan),
        trait=np.zeros(shape, np.uint8),
        lasted_ms=np.zeros(rows, np.int64),
        status=np.zeros(rows, np.uint8),
    )
