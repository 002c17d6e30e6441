"""From values to comparable units: each feature less its mean, by its smoothed deviation plus one, clipped.

The statistics are those before the value; the one added to the deviation is absolute, so that a series that varies
by far less than one is hardly scaled. Source: the NORMALIZE transform of the AWS implementation.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.trcf.deviation import MEAN, WEIGHT, add, deviation
from detector.model.trcf.models import CHANGE, DRIFT, NOISE, SPREAD, VALUE

CLIP = 100.0
"""Largest distance from the mean that is told apart, in scales."""

SLOWER = 0.1
"""Discount of the smoothed statistics of changes, in those of the values."""

Statistics = NDArray[np.float64]
"""Statistics of one feature, float64, shape (5, 3)."""


@inner
def shift_of(statistics: Statistics) -> float:
    """Return what is taken off a value: the mean."""
    return float(statistics[VALUE, MEAN])


@inner
def scale_of(statistics: Statistics) -> float:
    """Return what a value is divided by, at least 1."""
    return abs(float(statistics[SPREAD, MEAN])) + 1.0


@inner
def noise_of(statistics: Statistics) -> float:
    """Return the smoothed deviation of changes from one value to the next."""
    return abs(float(statistics[NOISE, MEAN]))


@inner
def normalized(value: float, shift: float, scale: float) -> np.float32:
    """Return a value in scales, -100 to 100."""
    return np.float32(min(max((value - shift) / scale, -CLIP), CLIP))


@inner
def learn_value(
    statistics: Statistics,
    value: float,
    previous: float,
    known: bool,
    decay: float,
) -> None:
    """Enter a value into a feature's statistics; one that was imputed counts for the changes only.

    Modified in place.
    """
    if known:
        add(statistics[VALUE], value, decay)
        add(statistics[SPREAD], deviation(statistics[VALUE]), decay)
    change = value - previous if statistics[CHANGE, WEIGHT] > 0.0 else 0.0
    add(statistics[CHANGE], change, decay)
    add(statistics[DRIFT], statistics[CHANGE, MEAN], SLOWER * decay)
    add(statistics[NOISE], deviation(statistics[CHANGE]), SLOWER * decay)
