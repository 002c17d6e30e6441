"""Discounted mean and standard deviation of a stream: the one statistic of the profile.

A value counts 1 when it comes and (1 - discount) as much after each further one. The reference keeps the sums of
values and of squares, which cancel once the mean is 1e7 deviations; here they are centred, the same numbers
otherwise. Source: `Deviation` of the AWS implementation.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner

WEIGHT, MEAN, SQUARES = range(3)
"""What a cell holds: sum of the weights, mean, weighted sum of squared distances from the mean."""

CELL = 3

Cell = NDArray[np.float64]
"""One statistic, float64, shape (3,); all zero = nothing seen."""


@inner
def add(cell: Cell, value: float, discount: float) -> None:
    """Enter a value, finite. Modified in place."""
    keep = 1.0 - discount
    cell[WEIGHT] = keep * cell[WEIGHT] + 1.0
    distance = value - cell[MEAN]
    cell[MEAN] += distance / cell[WEIGHT]
    cell[SQUARES] = keep * cell[SQUARES] + distance * (value - cell[MEAN])


@inner
def add_repeated(cell: Cell, value: float, discount: float, count: int) -> None:
    """Enter the same value `count` times at once, as after a long gap. Modified in place."""
    if count <= 0:
        return
    keep = (1.0 - discount) ** count
    added = (1.0 - keep) / discount if discount > 0.0 else float(count)
    old = keep * cell[WEIGHT]
    distance = value - cell[MEAN]
    cell[WEIGHT] = old + added
    cell[MEAN] += distance * added / cell[WEIGHT]
    cell[SQUARES] = keep * cell[SQUARES] + distance * distance * old * added / cell[WEIGHT]


@inner
def deviation(cell: Cell) -> float:
    """Return the standard deviation, 0 before the first value."""
    return np.sqrt(max(cell[SQUARES], 0.0) / cell[WEIGHT]) if cell[WEIGHT] > 0.0 else 0.0
