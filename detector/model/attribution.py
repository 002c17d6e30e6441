"""What share each metric has in an alarm: in a score by the forest's attribution, in departures by their size."""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.attribute import attribute_prepared
from detector.forest.kernels.kernel import inner
from detector.forest.kernels.scratch import Scratch
from detector.forest.state import ForestState


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
def attribute_departures(times: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Write the share of every metric in an alarm that departures make, float64, shape (n_metrics,).

    `times` is how many times the record each departs; one below it has no share.
    """
    for metric in range(shares.shape[0]):
        shares[metric] = np.log(max(times[metric], 1.0))
    _normalise(shares)


@inner
def _normalise(shares: NDArray[np.float64]) -> None:
    total = 0.0
    for metric in range(shares.shape[0]):
        total += shares[metric]
    for metric in range(shares.shape[0]):
        shares[metric] = shares[metric] / total if total > 0.0 else 1.0 / shares.shape[0]
