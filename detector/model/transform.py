"""From the values of a window to the point that the forest sees: several time scales, or a shingle.

Per metric, five columns: the value, its means over the last 4, 16 and 64 values, and the mean of the last 16
seasonal residuals (how far outside yesterday's range at this time). Knows neither forest nor alarm.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.model.season import Rhythm, Season, past_range

SHORT, MEDIUM, LONG = 4, 16, 64
"""Values behind the three means: each four times the last, so a disturbance
of any length stands out in one."""

RESIDUALS = 16
"""Seasonal residuals behind the fifth column: a single one is mostly noise."""

SPANS = (1, SHORT, MEDIUM, LONG)
"""Values behind each of the first four columns."""

N_COLUMNS = 5
VALUE, SHORT_MEAN, MEDIUM_MEAN, LONG_MEAN, RESIDUAL_MEAN = range(N_COLUMNS)

NOVELTY_MARGIN = 0.05
"""A value is novel when it leaves everything seen so far by more than this share of that range."""

MAX_VALUE = 1e300
"""Larger values are taken for this one, so that sums of a window of them stay finite."""

KNEE = 16.0
"""Beyond so many deviations a column grows with the logarithm: the forest sees -128 to 128, and a value of a
million deviations must still lie beyond one of a thousand."""

METRIC = np.dtype(
    [
        ("pushed", np.int64),
        ("last", np.float64),
        ("lowest", np.float64),
        ("highest", np.float64),
    ],
    align=True,
)
"""Per model and metric: values entered so far, the last of them, and their range."""


class Transform(NamedTuple):
    """State of the transform; the leading axis is the model.

    Attributes
    ----------
    metric
        Records of `METRIC`, shape (n_models, n_metrics).
    recent
        Ring of the last values, float64, shape (n_models, n_metrics, at least 64, a power of two).
    residual
        Ring of seasonal residuals, float64, shape (n_models, n_metrics, 16).
    feature
        The five columns of the last value before scaling, float64, shape (n_models, n_metrics, 5).
    center, spread
        Frozen scale of the columns: median and standard deviation of each over the warm-up, float64, shape
        (n_models, n_metrics, 5). The long means vary less than the value and count as much. The residual has the
        center 0 and the spread of the value: in the warm-up there may be no season to compare with. A center of
        NaN waits for the first value, a spread of 0 for the first change.
    """

    metric: NDArray[np.void]
    recent: NDArray[np.float64]
    residual: NDArray[np.float64]
    feature: NDArray[np.float64]
    center: NDArray[np.float64]
    spread: NDArray[np.float64]


def allocate_transform(n_models: int, n_metrics: int, shingle_size: int) -> Transform:
    """Return the state of `n_models` models (`shingle_size` 0 = five columns), to be reset before use."""
    ring = LONG
    while ring < shingle_size:
        ring *= 2
    return Transform(
        metric=np.zeros((n_models, n_metrics), METRIC),
        recent=np.zeros((n_models, n_metrics, ring)),
        residual=np.zeros((n_models, n_metrics, RESIDUALS)),
        feature=np.zeros((n_models, n_metrics, N_COLUMNS)),
        center=np.zeros((n_models, n_metrics, N_COLUMNS)),
        spread=np.zeros((n_models, n_metrics, N_COLUMNS)),
    )


@inner
def reset_transform(transform: Transform, model: int) -> None:
    """Forget the values of a model; its scale stays."""
    for metric in range(transform.metric.shape[1]):
        record = transform.metric[model, metric]
        record["pushed"] = 0
        record["last"] = np.nan
        record["lowest"] = np.inf
        record["highest"] = -np.inf
    transform.recent[model] = 0.0
    transform.residual[model] = 0.0
    transform.feature[model] = 0.0


@inner
def reset_scale(transform: Transform, model: int) -> None:
    """Forget the scale of a model."""
    transform.center[model] = np.nan
    transform.spread[model] = 0.0


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


@kernel
def freeze_scale(transform: Transform, model: int, rows: NDArray[np.float64]) -> None:
    """Set the scale of every column from rows of values, float64, shape (n_rows, n_metrics), NaN = missing."""
    known = np.empty(rows.shape[0])
    for metric in range(rows.shape[1]):
        n_known = 0
        for row in range(rows.shape[0]):
            if not np.isnan(rows[row, metric]):
                known[n_known] = rows[row, metric]
                n_known += 1
        center, spread = transform.center[model, metric], transform.spread[model, metric]
        center[:] = np.nan
        spread[:] = 0.0
        if n_known > 0:
            for column in range(RESIDUAL_MEAN):
                means = _means(known[:n_known], SPANS[column])
                center[column] = np.median(means)
                spread[column] = _deviation(means)
            center[RESIDUAL_MEAN] = 0.0
            spread[RESIDUAL_MEAN] = spread[VALUE]


@kernel
def _means(values: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Return the mean of the last `span` values at each value, of those there are at the beginning."""
    means = np.empty(values.shape[0])
    for place in range(values.shape[0]):
        first = max(0, place + 1 - span)
        total = 0.0
        for value in values[first : place + 1]:
            total += value
        means[place] = total / (place + 1 - first)
    return means


@kernel
def _deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation; in units of the largest one, so that squares stay finite."""
    n_values = values.shape[0]
    mean = 0.0
    for value in values:
        mean += value / n_values
    unit = 0.0
    for value in values:
        unit = max(unit, abs(value - mean))
    # A rest of rounding in the mean of equal values is not a deviation.
    if unit <= 1e-14 * abs(mean):
        return 0.0
    total = 0.0
    for value in values:
        ratio = (value - mean) / unit
        total += ratio * ratio
    return float(unit * np.sqrt(total / n_values))


@inner
def push(
    transform: Transform, season: Season, rhythm: Rhythm, model: int, time_ms: int, row: NDArray[np.float64]
) -> bool:
    """Enter a row of values, NaN = missing; return whether one of them is novel.

    A missing value enters no ring, no mean and no range: the columns of its metric stay what they were.
    """
    novel = False
    for metric in range(row.shape[0]):
        value = row[metric]
        if np.isnan(value):
            continue
        record = transform.metric[model, metric]
        novel = novel or _is_novel(value, record["lowest"], record["highest"])
        record["lowest"] = min(record["lowest"], value)
        record["highest"] = max(record["highest"], value)
        low, high = past_range(season, rhythm, model, metric, time_ms, rhythm.value_tolerance_ms)
        residual = 0.0
        if low <= high:
            residual = max(value - high, 0.0) + min(value - low, 0.0)
        recent, residuals = transform.recent[model, metric], transform.residual[model, metric]
        pushed = record["pushed"]
        recent[pushed & (recent.shape[0] - 1)] = value
        residuals[pushed & (RESIDUALS - 1)] = residual
        record["pushed"] = pushed + 1
        record["last"] = value
        _describe(recent, residuals, pushed + 1, transform.feature[model, metric])
    return novel


@inner
def _is_novel(value: float, lowest: float, highest: float) -> bool:
    margin = NOVELTY_MARGIN * (highest - lowest)
    return lowest <= highest and (value > highest + margin or value < lowest - margin)


@inner
def _describe(
    recent: NDArray[np.float64], residuals: NDArray[np.float64], pushed: int, feature: NDArray[np.float64]
) -> None:
    """Write the five columns before scaling; while there are few values, means are over those."""
    mask = recent.shape[0] - 1
    newest = pushed - 1
    short, medium, long = min(pushed, SHORT), min(pushed, MEDIUM), min(pushed, LONG)
    total = 0.0
    for back in range(short):
        total += recent[(newest - back) & mask]
    feature[VALUE] = recent[newest & mask]
    feature[SHORT_MEAN] = total / short
    for back in range(short, medium):
        total += recent[(newest - back) & mask]
    feature[MEDIUM_MEAN] = total / medium
    for back in range(medium, long):
        total += recent[(newest - back) & mask]
    feature[LONG_MEAN] = total / long
    total = 0.0
    for back in range(min(pushed, RESIDUALS)):
        total += residuals[(newest - back) & (RESIDUALS - 1)]
    feature[RESIDUAL_MEAN] = total / min(pushed, RESIDUALS)


@inner
def repeat_missing(transform: Transform, model: int, row: NDArray[np.float64]) -> None:
    """Enter the last known value of each missing metric: a shingle has a place for every window."""
    for metric in range(row.shape[0]):
        record = transform.metric[model, metric]
        if np.isnan(row[metric]) and record["pushed"] > 0:
            recent = transform.recent[model, metric]
            recent[record["pushed"] & (recent.shape[0] - 1)] = record["last"]
            record["pushed"] += 1


@inner
def write_columns(transform: Transform, model: int, point: NDArray[np.float32]) -> None:
    """Write the five scaled columns of every metric; zeros for a metric that has had no value yet."""
    for metric in range(transform.metric.shape[1]):
        record = transform.metric[model, metric]
        feature = transform.feature[model, metric]
        start = metric * N_COLUMNS
        if record["pushed"] == 0:
            point[start : start + N_COLUMNS] = 0.0
            continue
        center, spread = transform.center[model, metric], transform.spread[model, metric]
        _complete_scale(record["last"], center, spread)
        for column in range(N_COLUMNS):
            point[start + column] = scaled(feature[column], center[column], spread[column])


@inner
def write_shingle(transform: Transform, model: int, point: NDArray[np.float32]) -> None:
    """Write the last values of every metric, scaled, oldest first; at first the oldest is repeated."""
    n_metrics = transform.metric.shape[1]
    shingle_size = point.shape[0] // n_metrics
    for metric in range(n_metrics):
        record = transform.metric[model, metric]
        recent = transform.recent[model, metric]
        start = metric * shingle_size
        if record["pushed"] == 0:
            point[start : start + shingle_size] = 0.0
            continue
        center, spread = transform.center[model, metric], transform.spread[model, metric]
        _complete_scale(record["last"], center, spread)
        for place in range(shingle_size):
            back = min(shingle_size - 1 - place, record["pushed"] - 1)
            value = recent[(record["pushed"] - 1 - back) & (recent.shape[0] - 1)]
            point[start + place] = scaled(value, center[VALUE], spread[VALUE])


@inner
def _complete_scale(value: float, center: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
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
        # log(size) overflows only where size has; the forest cuts everything beyond 128 anyway.
        size = KNEE + KNEE * np.log(min(size, 1e300) / KNEE)
    return min(size, 127.0) if ratio > 0.0 else -min(size, 127.0)
