"""Metrics whose noise has one long tail: latencies, sizes, prices. Their long side is made to grow as a logarithm.

What lies far out on it is ordinary for such a metric, and would be an alarm for any other. Decided once, from the
values of the warm-up. Knows values, neither what is made of them nor alarms.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import Record

MIN_VALUES = 128
"""Fewer say too little about tails."""

AROUND, FAR_AROUND = 9, 25
"""Values whose median is the level at the one in their middle: what lasts longer than half of them is no noise."""

SKEWED = 2.6
"""Noise is skewed when the outer quarter of one side lies so many times as far from the median as that of the other: 1
for symmetric noise, 2.4 for exponential, 3.5 for log-normal."""

BURSTS = 7.0
"""What is so much more skewed, against the level around it from afar, has no tail but a second state."""

FARTHEST = 1e300
"""Distance in units beyond which all are alike: nothing overflows."""

SKEW = np.dtype([("middle", np.float64), ("unit", np.float64)], align=True)
"""Per model and metric: median of the values, and how far the outer quarter of the short side reaches, negative where
that is the upper one; 0 = not skewed."""


@inner
def reset_skew(skew: Record) -> None:
    """Take the metric for not skewed."""
    skew["middle"] = 0.0
    skew["unit"] = 0.0


@inner
def measure_skew(skew: Record, values: NDArray[np.float64], n_values: int, work: NDArray[np.float64]) -> None:
    """Decide from the first values, float64, none missing; `work` is working memory of at least as many.

    A metric stays what `reset_skew` takes it for when there are too few values, or no skew is found.
    """
    if n_values < MIN_VALUES:
        return
    below, above = _sides_of_noise(values, n_values, AROUND, work)
    upward = above > below
    if max(below, above) <= SKEWED * min(below, above):
        return
    below, above = _sides_of_noise(values, n_values, FAR_AROUND, work)
    if max(below, above) > BURSTS * min(below, above):
        return
    for place in range(n_values):
        work[place] = values[place]
    below, above = _sides(work, n_values)
    skew["middle"] = work[n_values // 2]
    skew["unit"] = below if upward else -above


@inner
def _sides_of_noise(
    values: NDArray[np.float64], n_values: int, around: int, work: NDArray[np.float64]
) -> tuple[float, float]:
    """Return how far both sides reach of what values differ from the level at them."""
    for place in range(n_values):
        work[place] = values[place] - _level_at(values, n_values, place, around)
    return _sides(work, n_values)


@inner
def _level_at(values: NDArray[np.float64], n_values: int, place: int, around: int) -> float:
    """Return the median of the values around a place."""
    first = min(max(place - around // 2, 0), n_values - around)
    level = values[first]
    for candidate in range(first, first + around):
        smaller = equal = 0
        for other in range(first, first + around):
            smaller += values[other] < values[candidate]
            equal += values[other] == values[candidate]
        if smaller <= around // 2 < smaller + equal:
            level = values[candidate]
            break
    return float(level)


@inner
def _sides(values: NDArray[np.float64], n_values: int) -> tuple[float, float]:
    """Sort the values; return how far the means of the lowest and of the highest quarter lie from the median."""
    sort(values, n_values)
    middle, n_outer = values[n_values // 2], n_values // 4
    below = above = 0.0
    for place in range(n_outer):
        below += (middle - values[place]) / n_outer
        above += (values[n_values - 1 - place] - middle) / n_outer
    return below, above


@inner
def sort(values: NDArray[np.float64], n_values: int) -> None:
    """Sort the first values by insertion: they are some hundred, and numba's own sort allocates."""
    for place in range(1, n_values):
        value = values[place]
        hole = place
        while hole > 0 and values[hole - 1] > value:
            values[hole] = values[hole - 1]
            hole -= 1
        values[hole] = value


@inner
def straightened(skew: Record, value: float) -> float:
    """Return a value whose long side grows as a logarithm, with slope 1 at the median."""
    middle, unit = skew["middle"], skew["unit"]
    distance = value - middle
    if unit == 0.0 or distance * np.sign(unit) <= 0.0:
        return value
    ratio = distance / unit if abs(distance) < FARTHEST * min(abs(unit), 1.0) else FARTHEST
    return float(middle + unit * np.log1p(ratio))


@inner
def bent(skew: Record, straight: float) -> float:
    """Return the value that `straightened` makes this of."""
    middle, unit = skew["middle"], skew["unit"]
    distance = straight - middle
    if unit == 0.0 or distance * np.sign(unit) <= 0.0:
        return straight
    reach = distance / unit
    if reach >= np.log(FARTHEST) - np.log(abs(unit)):
        return float(np.sign(unit) * FARTHEST)
    return float(middle + unit * np.expm1(reach))
