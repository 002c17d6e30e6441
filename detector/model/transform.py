"""From the values of a window to the point that the forest sees: several time scales, and their frozen scale.

Per metric, five columns: the value, its means over the last 4, 16 and 64 values, and the mean of the last 16
seasonal residuals (how far outside yesterday's range at this time). Knows neither forest nor alarm.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import Record
from detector.model.skew import SKEW, measure_skew, reset_skew, sort, straightened

SHORT, MEDIUM, LONG = 4, 16, 64
"""Values behind the three means: each four times the last, so a disturbance
of any length stands out in one."""

RESIDUALS = 16
"""Seasonal residuals behind the fifth column: a single one is mostly noise."""

SPANS = (1, SHORT, MEDIUM, LONG)
"""Values behind each of the first four columns."""

N_COLUMNS = 5
VALUE, SHORT_MEAN, MEDIUM_MEAN, LONG_MEAN, RESIDUAL_MEAN = range(N_COLUMNS)

NOVEL = 1.05
"""A value that lies so far out is novel: it leaves everything seen so far by more than a twentieth of that range."""

FAR_OUT = 0.9
"""A value that lies so far out is in the outermost tenth of everything seen so far, or beyond."""

MAX_VALUE = 1e300
"""Larger values are taken for this one, so that sums of a window of them stay finite."""

KNEE = 4.0
"""Beyond so many deviations a column grows with the logarithm: a value of a million deviations must still lie
beyond one of a thousand."""

LARGEST = 62.0
"""What a forest can tell apart reaches this far (see `quantise.py`)."""

COLUMNS = np.dtype(
    [
        ("pushed", np.int64),
        ("last", np.float64),
        ("lowest", np.float64),
        ("highest", np.float64),
        ("skew", SKEW),
        ("feature", np.float64, (N_COLUMNS,)),
        ("center", np.float64, (N_COLUMNS,)),
        ("spread", np.float64, (N_COLUMNS,)),
        ("values", np.float64, (SHORT,)),
        ("residuals", np.float64, (RESIDUALS,)),
        ("shorts", np.float64, (MEDIUM,)),
        ("mediums", np.float64, (LONG,)),
    ],
    align=True,
)
"""Per model and metric: values entered so far, the last of them, and their range.

`feature` has the five columns of the last value before scaling. `center` and `spread` are the frozen scale: median and
standard deviation of each column over the warm-up. The long means vary less than the value and count as much. The
residual has the center 0 and the spread of the value: in the warm-up there may be no season to compare with. A center
of NaN waits for the first value, a spread of 0 for the first change.

The others are rings of the last values and residuals, and of the last sums of 4 and of 16 values. A sum of 16 is one of
four sums of 4, and a sum of 64 one of four sums of 16: a dozen additions, and nothing that drifts.
"""


@inner
def reset_columns(columns: Record) -> None:
    """Forget the values of a metric; its scale stays."""
    columns["pushed"] = 0
    columns["last"] = np.nan
    columns["lowest"] = np.inf
    columns["highest"] = -np.inf
    columns["feature"][:] = 0.0
    columns["values"][:] = 0.0
    columns["residuals"][:] = 0.0
    columns["shorts"][:] = 0.0
    columns["mediums"][:] = 0.0


@inner
def reset_scale(columns: Record) -> None:
    """Forget the scale of a metric."""
    columns["center"][:] = np.nan
    columns["spread"][:] = 0.0
    reset_skew(columns["skew"])


@inner
def clean(values: NDArray[np.float64], cleaned: NDArray[np.float64]) -> int:
    """Copy a row of values, infinite ones as missing and huge ones cut; return how many are not missing."""
    n_known = 0
    for metric in range(values.shape[0]):
        value = values[metric]
        if np.isfinite(value):
            cleaned[metric] = min(max(value, -MAX_VALUE), MAX_VALUE)
            n_known += 1
        else:
            cleaned[metric] = np.nan
    return n_known


@inner
def freeze_scale(
    columns: Record,
    values: NDArray[np.float64],
    n_rows: int,
    straightens: bool,  # noqa: FBT001 - kernels have no keywords
    known: NDArray[np.float64],
    means: NDArray[np.float64],
) -> None:
    """Set the scale of a metric's columns from the first `n_rows` of its values, float64, NaN = missing.

    If it `straightens`, skewed metrics are. `known` and `means` are working memory of at least as many elements.
    Modified in place.
    """
    n_known = 0
    for row in range(n_rows):
        if not np.isnan(values[row]):
            known[n_known] = values[row]
            n_known += 1
    center, spread = columns["center"], columns["spread"]
    center[:] = np.nan
    spread[:] = 0.0
    skew = columns["skew"]
    reset_skew(skew)
    if straightens:
        measure_skew(skew, known, n_known, means)
    for place in range(n_known):
        known[place] = straightened(skew, known[place])
    if n_known > 0:
        for column in range(RESIDUAL_MEAN):
            _fill_means(known, n_known, SPANS[column], means)
            spread[column] = _deviation(means, n_known)
            sort(means, n_known)
            center[column] = 0.5 * means[(n_known - 1) // 2] + 0.5 * means[n_known // 2]
        center[RESIDUAL_MEAN] = 0.0
        spread[RESIDUAL_MEAN] = spread[VALUE]


@inner
def _fill_means(values: NDArray[np.float64], n_values: int, span: int, means: NDArray[np.float64]) -> None:
    """Write the mean of the last `span` values at each value, of those there are at the beginning."""
    for place in range(n_values):
        first = max(0, place + 1 - span)
        total = 0.0
        for index in range(first, place + 1):
            total += values[index]
        means[place] = total / (place + 1 - first)


@inner
def _deviation(values: NDArray[np.float64], n_values: int) -> float:
    """Return the standard deviation of the first values; in units of the largest one, so that squares stay finite."""
    mean = 0.0
    for index in range(n_values):
        mean += values[index] / n_values
    unit = 0.0
    for index in range(n_values):
        unit = max(unit, abs(values[index] - mean))
    # A rest of rounding in the mean of equal values is not a deviation.
    if unit <= 1e-14 * abs(mean):
        return 0.0
    total = 0.0
    for index in range(n_values):
        ratio = (values[index] - mean) / unit
        total += ratio * ratio
    return float(unit * np.sqrt(total / n_values))


@inner
def push(columns: Record, past_low: float, past_high: float, value: float) -> float:
    """Enter a value that is not missing; return how far out it lies.

    That is its distance from the farther end of all values seen so far, in units of their range: 0.5 in its middle,
    1 at either end, more beyond. 0 of the first value, and of one that equals all before it.

    The range a season ago is (inf, -inf) where there was none. A missing value is not entered: the columns of its
    metric stay what they were.
    """
    skew = columns["skew"]
    value = straightened(skew, value)
    reach = _reach(value, columns["lowest"], columns["highest"])
    columns["lowest"] = min(columns["lowest"], value)
    columns["highest"] = max(columns["highest"], value)
    residual = 0.0
    if past_low <= past_high:
        high, low = straightened(skew, past_high), straightened(skew, past_low)
        residual = max(value - high, 0.0) + min(value - low, 0.0)
    pushed = columns["pushed"]
    columns["values"][pushed & (SHORT - 1)] = value
    columns["residuals"][pushed & (RESIDUALS - 1)] = residual
    columns["pushed"] = pushed + 1
    columns["last"] = value
    _describe(columns, pushed)
    return reach


@inner
def _reach(value: float, lowest: float, highest: float) -> float:
    farther = max(value - lowest, highest - value)
    if lowest > highest or farther == 0.0:
        return 0.0
    if lowest == highest:
        return np.inf
    return float(farther / (highest - lowest))


@inner
def _describe(columns: Record, newest: int) -> None:
    """Write the five columns before scaling; places of a ring that have had no value hold 0 and are not counted."""
    pushed = newest + 1
    feature = columns["feature"]
    feature[VALUE] = columns["last"]
    short = _total(columns["values"], 1, newest)
    columns["shorts"][newest & (MEDIUM - 1)] = short
    feature[SHORT_MEAN] = short / min(pushed, SHORT)
    medium = _total(columns["shorts"], SHORT, newest)
    columns["mediums"][newest & (LONG - 1)] = medium
    feature[MEDIUM_MEAN] = medium / min(pushed, MEDIUM)
    feature[LONG_MEAN] = _total(columns["mediums"], MEDIUM, newest) / min(pushed, LONG)
    residuals = columns["residuals"]
    total = 0.0
    for quarter in range(0, RESIDUALS, 4):
        total += (residuals[quarter] + residuals[quarter + 1]) + (
            residuals[quarter + 2] + residuals[quarter + 3]
        )
    feature[RESIDUAL_MEAN] = total / min(pushed, RESIDUALS)


@inner
def _total(ring: NDArray[np.float64], span: int, newest: int) -> float:
    """Return the sum of the newest element of a ring of 4 x span and of the three a span apart before it."""
    mask = ring.shape[0] - 1
    late = ring[newest & mask] + ring[(newest - span) & mask]
    return float(late + (ring[(newest - 2 * span) & mask] + ring[(newest - 3 * span) & mask]))


@inner
def write_columns(columns: Record, point: NDArray[np.float32], start: int) -> None:
    """Write the five scaled columns of a metric from `start` on; zeros while it has had no value yet."""
    if columns["pushed"] == 0:
        for column in range(N_COLUMNS):
            point[start + column] = 0.0
        return
    feature, center, spread = columns["feature"], columns["center"], columns["spread"]
    complete_scale(columns["last"], center, spread)
    for column in range(N_COLUMNS):
        point[start + column] = scaled(feature[column], center[column], spread[column])


@inner
def complete_scale(value: float, center: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
    """Take a scale from the latest value, when the warm-up had no value of the metric or only equal ones."""
    if np.isnan(center[VALUE]):
        center[:] = value
        center[RESIDUAL_MEAN] = 0.0
    if spread[VALUE] == 0.0:
        spread[:] = abs(value - center[VALUE])


@inner
def scaled(value: float, center: float, spread: float) -> float:
    """Return the deviation in units of the spread, logarithmic beyond the knee; 0 without spread."""
    if spread == 0.0:
        return 0.0
    ratio = (value - center) / spread
    size = abs(ratio)
    if size > KNEE:
        # log(size) overflows only where size has.
        size = KNEE + KNEE * np.log(min(size, 1e300) / KNEE)
    return min(size, LARGEST) if ratio > 0.0 else -min(size, LARGEST)
