"""What was seen a week ago, and whether that says more than yesterday.

Beside the ring of a day there is one of a week: the range of each metric in every hour. Where values have lately kept
to the range of a week ago and not to that of yesterday, they are compared with both, so that a Monday is not unusual
for not being like a Sunday. Only where the season is a day. Knows values and slots of time, neither columns nor scores.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import NO_SLOT, Record, Rhythm

REACH = 1
"""Hours before and behind the same hour a week ago that count as that time."""

SPARE_HOURS = 3
"""Hours of the ring beyond week and reach: the one being filled, a clock set back, and one for rounding."""

ERROR_WEIGHT = 1.0 / 576.0
"""Weight of the newest window in the mean distances from both ranges: two days of windows of five minutes."""

BETTER = 0.5
"""The week says more when values leave its range by less than half of what they leave yesterday's by."""

HOUR = np.dtype([("hour", np.int64)], align=True)
"""Per model: the hour being filled."""

WEEK = np.dtype(
    [
        ("low", np.float64),
        ("high", np.float64),
        ("past_low", np.float64),
        ("past_high", np.float64),
        ("day_error", np.float64),
        ("week_error", np.float64),
    ],
    align=True,
)
"""Per model and metric: range in the hour being filled, range a week ago at this time, both empty as in `RANGE`; mean
distance of values from the range of yesterday, and from that of a week ago."""


class Week(NamedTuple):
    """Hours that have ended; the leading axis is the model. An hour that was never filled has the id `NO_SLOT`.

    Attributes
    ----------
    hour_id
        Number of the hour, int64, shape (n_models, n_hours).
    low, high
        Range of a metric in the hour, float64, shape (n_models, n_hours, n_metrics).
    """

    hour_id: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def allocate_week(n_models: int, n_metrics: int, rhythm: Rhythm) -> Week:
    """Return rings for `n_models` models, empty ones where there is no week; usable after `reset_week`."""
    n_hours = rhythm.week_lag + REACH + SPARE_HOURS if rhythm.week_lag else 0
    return Week(
        hour_id=np.zeros((n_models, n_hours), np.int64),
        low=np.zeros((n_models, n_hours, n_metrics)),
        high=np.zeros((n_models, n_hours, n_metrics)),
    )


@inner
def reset_week(week: Week, model: int, moment: Record, metrics: NDArray[np.void]) -> None:
    """Forget every hour of a model. `metrics` are records that hold a `WEEK` named `week`, shape (n_metrics,)."""
    week.hour_id[model] = NO_SLOT
    moment["hour"] = NO_SLOT
    for metric in range(metrics.shape[0]):
        span = metrics[metric]["week"]
        _clear(span)
        span["day_error"] = 0.0
        span["week_error"] = 0.0


@inner
def _clear(span: Record) -> None:
    span["low"] = np.inf
    span["high"] = -np.inf
    span["past_low"] = np.inf
    span["past_high"] = -np.inf


@inner
def turn_to_hour(
    week: Week, rhythm: Rhythm, model: int, moment: Record, metrics: NDArray[np.void], slot: int
) -> None:
    """Make the hour of `slot` the one being filled and look up what was a week before it."""
    if rhythm.week_lag == 0:
        return
    hour = slot // rhythm.slots_an_hour
    if moment["hour"] == hour:
        return
    n_hours = week.hour_id.shape[1]
    if moment["hour"] != NO_SLOT:
        _file(week, model, moment, metrics, int(moment["hour"] % n_hours))
    moment["hour"] = hour
    place = int(hour % n_hours)
    for metric in range(metrics.shape[0]):
        span = metrics[metric]["week"]
        _clear(span)
        if week.hour_id[model, place] == hour:
            # Clocks were set back.
            span["low"] = week.low[model, place, metric]
            span["high"] = week.high[model, place, metric]
    middle = hour - rhythm.week_lag
    for past in range(middle - REACH, middle + REACH + 1):
        place = int(past % n_hours)
        if week.hour_id[model, place] == past:
            _join(week, model, place, metrics)


@inner
def _file(week: Week, model: int, moment: Record, metrics: NDArray[np.void], place: int) -> None:
    """Put the hour being filled into the ring."""
    week.hour_id[model, place] = moment["hour"]
    for metric in range(metrics.shape[0]):
        week.low[model, place, metric] = metrics[metric]["week"]["low"]
        week.high[model, place, metric] = metrics[metric]["week"]["high"]


@inner
def _join(week: Week, model: int, place: int, metrics: NDArray[np.void]) -> None:
    """Widen the ranges of a week ago by those of one hour."""
    for metric in range(metrics.shape[0]):
        span = metrics[metric]["week"]
        span["past_low"] = min(span["past_low"], week.low[model, place, metric])
        span["past_high"] = max(span["past_high"], week.high[model, place, metric])


@inner
def widened(span: Record, low: float, high: float, value: float) -> tuple[float, float]:
    """Return yesterday's range, with that of a week ago where the week says more; note what each says of a value."""
    if span["past_low"] > span["past_high"]:
        return low, high
    if low <= high:
        span["day_error"] += ERROR_WEIGHT * (_outside(low, high, value) - span["day_error"])
        outside = _outside(span["past_low"], span["past_high"], value)
        span["week_error"] += ERROR_WEIGHT * (outside - span["week_error"])
    if span["week_error"] < BETTER * span["day_error"]:
        return min(low, span["past_low"]), max(high, span["past_high"])
    return low, high


@inner
def _outside(low: float, high: float, value: float) -> float:
    return max(value - high, 0.0) + max(low - value, 0.0)
