"""The value expected in a window, and a band, for rows that are no alarm: a short mean and the spread around it.

The reference says what it expected on alarms only. This costs a few operations a row and knows no season; an alarm's
expected value comes from the forest.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.trcf.deviation import MEAN, WEIGHT, add, deviation

LEVEL_WEIGHT = 0.5
"""Weight of the newest value in the mean."""

DISCOUNT = 1.0 / 128.0
"""Of distances from it."""

REACH = 2.0
"""Deviations to either side of the expected value: some 95 % of normally distributed distances."""

FAR = 4.0
FAR_FROM = 16.0
"""A distance of more deviations than `FAR` is entered as that many, once there are 16."""

LEVEL = 0

Outlook = NDArray[np.float64]
"""Of one feature, float64, shape (4,): the mean, NaN before the first value, and the statistic of distances."""


@inner
def expected_of(outlook: Outlook) -> float:
    """Return the expected value."""
    return float(outlook[LEVEL] + outlook[1 + MEAN])


@inner
def reach_of(outlook: Outlook) -> float:
    """Return how far the band reaches to either side."""
    return REACH * deviation(outlook[1:])


@inner
def learn_outlook(outlook: Outlook, value: float) -> None:
    """Enter a value. Modified in place."""
    if np.isnan(outlook[LEVEL]):
        outlook[LEVEL] = value
        return
    distance = value - outlook[LEVEL]
    if outlook[1 + WEIGHT] >= FAR_FROM:
        far = FAR * deviation(outlook[1:])
        distance = min(max(distance, outlook[1 + MEAN] - far), outlook[1 + MEAN] + far)
    add(outlook[1:], distance, DISCOUNT)
    outlook[LEVEL] += LEVEL_WEIGHT * (value - outlook[LEVEL])
