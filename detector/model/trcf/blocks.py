"""Which step of a shingle, and which of its features, a score comes from.

A block is the columns of one step. Its index counts from the newest one: 0 now, -1 the step before. Source:
`PredictorCorrector` of the AWS implementation.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.trcf.desk import Parts

MOST_ATTRIBUTORS = 5
"""More features than this are not imputed together: what would be left to expect them from?"""

SMALL_SHARE, SMALL_PART = 0.1, 0.1
"""A feature takes part with a tenth of its block's attribution, or a tenth of a unit of score if that is less."""

NEW_SHARE = 0.3
"""Of the last alarm's score: what the steps since must add to it to be an alarm of their own."""

NEW_FACTOR = 1.2
"""By how much that, spread over the shingle, must exceed the threshold."""


@inner
def part(parts: Parts, column: int) -> float:
    """Return the attribution of a column, whatever its direction."""
    return float(parts.high[column] + parts.low[column])


@inner
def largest_block(parts: Parts, n_features: int, oldest: int) -> int:
    """Return the index of the block with the largest attribution among the newest `oldest` blocks, 0 or negative."""
    width = parts.high.shape[0]
    best, index = -1.0, 0
    for block in range(1 - oldest, 1):
        total = 0.0
        for column in range(width + (block - 1) * n_features, width + block * n_features):
            total += part(parts, column)
        if total > best:
            best, index = total, block
    return index


@inner
def mark_missing(parts: Parts, start: int, n_features: int, missing: NDArray[np.bool_]) -> bool:
    """Mark the features of the block at `start` that an alarm comes from; false if there is nothing to impute.

    Modified in place: `missing`.
    """
    missing[:] = False
    if n_features == 1:
        missing[start] = True
        return missing.shape[0] > 1
    total = largest = 0.0
    for column in range(start, start + n_features):
        total += part(parts, column)
        largest = max(largest, part(parts, column))
    if largest < SMALL_SHARE * total:
        return False
    least = min(SMALL_SHARE * total, SMALL_PART)
    picked = 0
    for column in range(start, start + n_features):
        if part(parts, column) >= least or part(parts, column) == largest:
            missing[column] = part(parts, column) > SMALL_SHARE * total or part(parts, column) == largest
            picked += 1
    return picked <= MOST_ATTRIBUTORS and 2 * missing.sum() <= missing.shape[0]


@inner
def adds_enough(parts: Parts, ideal: Parts, n_columns: int, alarm_score: float, threshold: float) -> bool:
    """Whether the newest columns, those since the last alarm, would have been an alarm without it.

    Compares the attribution of a point with that of the same point as the forest expects it.
    """
    width = parts.high.shape[0]
    change = 0.0
    for column in range(width - n_columns, width):
        change += abs(parts.high[column] - ideal.high[column]) + abs(parts.low[column] - ideal.low[column])
    return change > NEW_SHARE * alarm_score and change * width / n_columns > NEW_FACTOR * threshold
