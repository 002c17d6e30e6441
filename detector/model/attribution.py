"""What share each metric has in an alarm: in a score by the forest's attribution, in departures by their size.

And which of a metric's columns, on which side, it is in a score.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.attribute import attribute_prepared
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.scratch import Scratch
from detector.forest.state import ForestState
from detector.model.transform import N_COLUMNS

NO_TRAIT = 0
"""Code of a metric of which no side stands out; else one more than twice the number of the column, one more again where
the column is low."""

ONE_SIDED = 2.0 / 3.0
"""Share of a metric's part in the score that lies on one side, above or below, from which the side is told."""


@inner
def attribute_score(
    forest: ForestState,
    model: int,
    scratch: Scratch,
    columns: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> None:
    """Write the share of every metric in the score of the point that was prepared: that of its columns in the whole.

    `columns` is working memory, float64, shape (4, n_columns); `shares` float64, shape (n_metrics,).
    """
    high, low = columns[0], columns[1]
    attribute_prepared(forest, model, scratch, high, low, columns[2], columns[3])
    n_metrics = shares.shape[0]
    width = high.shape[0] // n_metrics
    for metric in range(n_metrics):
        shares[metric] = 0.0
        for column in range(metric * width, (metric + 1) * width):
            shares[metric] += high[column] + low[column]
    _normalise(shares)


@inner
def tell_traits(columns: NDArray[np.float64], traits: NDArray[np.uint8]) -> None:
    """Write for every metric of five columns which of them, on the side that stands out, has most of the score.

    `columns` as `attribute_score` leaves it; `traits` uint8, shape (n_metrics,).
    """
    for metric in range(traits.shape[0]):
        first = metric * N_COLUMNS
        high, low = columns[0, first : first + N_COLUMNS], columns[1, first : first + N_COLUMNS]
        sum_high, sum_low = _sum(high), _sum(low)
        is_low = sum_low > sum_high
        traits[metric] = NO_TRAIT
        if max(sum_high, sum_low) > ONE_SIDED * (sum_high + sum_low):
            traits[metric] = 1 + 2 * _place_of_largest(low if is_low else high) + is_low


@inner
def _sum(numbers: NDArray[np.float64]) -> float:
    total = 0.0
    for index in range(numbers.shape[0]):
        total += numbers[index]
    return total


@inner
def _place_of_largest(numbers: NDArray[np.float64]) -> int:
    largest = 0
    for index in range(1, numbers.shape[0]):
        if numbers[index] > numbers[largest]:
            largest = index
    return largest


@inner
def attribute_departures(times: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Write the share of every metric in an alarm that departures make, float64, shape (n_metrics,).

    `times` is how many times the record each departs; one below it has no share.
    """
    for metric in range(shares.shape[0]):
        shares[metric] = np.log(max(times[metric], 1.0))
    _normalise(shares)


@inner
def _normalise(shares: NDArray[np.float64]) -> None:
    total = _sum(shares)
    for metric in range(shares.shape[0]):
        shares[metric] = shares[metric] / total if total > 0.0 else 1.0 / shares.shape[0]
