"""What was seen a season ago: a ring of time slots with the range of each metric, the highest score and excess.

Time comes as the number of a slot of local time. The slot being filled and what was a season before it stand in the
model's own records, so that the ring is touched only when a slot ends. Knows numbers, not what is concluded from them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS

MIN_SLOT_MS = 900_000
"""Shorter intervals share a slot of 15 minutes: a day is then about a hundred slots whatever the interval."""

MIN_WINDOWS_A_SEASON = 4
"""A season of fewer windows has no shape that could be compared: take the next longer one, or none."""

VALUE_TOLERANCE_MS = HOUR_MS
SCORE_TOLERANCE_MS = 2 * HOUR_MS
"""People and schedules are late by an hour, and so is a clock on the day of a time change."""

MAX_TOLERANCE_MS = 3 * HOUR_MS
"""An eighth of a day: beyond, morning would be compared with noon."""

SET_BACK_MS = HOUR_MS
"""Clocks that are set back by so much come upon slots again that are still in the ring."""

SPARE_SLOTS = 2
"""Slots of the ring beyond season, tolerance and clocks set back: the one being filled, and one for rounding."""

NO_SLOT = np.iinfo(np.int64).min

REST_MS = 6 * HOUR_MS
REST_WINDOWS = 72
"""One disturbance is one alarm. In time, or hourly data would be mute for weeks; in windows for intervals below five
minutes, where six hours hold many disturbances."""


Record = Any
"""One record of a structured array: numpy has no type for it that knows its fields."""


class Rhythm(NamedTuple):
    """How time is cut for one interval.

    Attributes
    ----------
    slot_ms
        Length of a slot in milliseconds.
    lag
        Slots of a season; 0 = no season.
    value_reach, score_reach
        Slots before and behind the same time a season ago that count as that time, for values and for scores.
    spare
        Slots of the ring beyond season and reach.
    rest_ms
        No alarm follows another within so many milliseconds.
    slots_an_hour, week_lag
        Slots of an hour, or 1 where slots are longer, and such hours of a week; 0 = the season is not a day.
    """

    slot_ms: int
    lag: int
    value_reach: int
    score_reach: int
    spare: int
    rest_ms: int
    slots_an_hour: int
    week_lag: int


MOMENT = np.dtype(
    [
        ("slot", np.int64),
        ("top_score", np.float64),
        ("past_top_score", np.float64),
        ("top_excess", np.float64),
        ("past_top_excess", np.float64),
    ],
    align=True,
)
"""Per model: the slot being filled, the highest score in it, and the highest one a season ago at this time, 0 if
none; the same of how far values fell outside their band."""

RANGE = np.dtype(
    [
        ("low", np.float64),
        ("high", np.float64),
        ("past_low", np.float64),
        ("past_high", np.float64),
        ("past_middle", np.float64),
    ],
    align=True,
)
"""Per model and metric: range of the values in the slot being filled; range a season ago at this time, with tolerance;
middle of the range in the one slot a season ago. Without value, low is inf, high is -inf and the middle is NaN."""


class Ring(NamedTuple):
    """Slots that have ended; the leading axis is the model. A slot that was never filled has the id `NO_SLOT`.

    Attributes
    ----------
    slot_id
        Number of the slot, int64, shape (n_models, n_slots).
    low, high
        Range of a metric in the slot, float64, shape (n_models, n_slots, n_metrics); inf and -inf without
        value.
    top_score, top_excess
        Highest score in the slot, and how far a value fell outside its band at most, float64, shape
        (n_models, n_slots).
    """

    slot_id: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    top_score: NDArray[np.float64]
    top_excess: NDArray[np.float64]


def rhythm_of(interval_ms: int) -> Rhythm:
    """Return the slots and season of an interval: a day, for long intervals a week, beyond none."""
    lag_ms = 0
    for season_ms in (WEEK_MS, DAY_MS):
        if season_ms >= MIN_WINDOWS_A_SEASON * interval_ms:
            lag_ms = season_ms
    slot_ms = max(MIN_SLOT_MS, interval_ms)
    slots_an_hour = max(1, HOUR_MS // slot_ms)

    def reach(tolerance_ms: int) -> int:
        return _nearest(min(max(tolerance_ms, 2 * interval_ms), MAX_TOLERANCE_MS), slot_ms)

    return Rhythm(
        slot_ms=slot_ms,
        lag=_nearest(lag_ms, slot_ms),
        value_reach=reach(VALUE_TOLERANCE_MS),
        score_reach=reach(SCORE_TOLERANCE_MS),
        spare=SPARE_SLOTS + -(-SET_BACK_MS // slot_ms),
        rest_ms=min(REST_MS, REST_WINDOWS * interval_ms),
        slots_an_hour=slots_an_hour,
        week_lag=_nearest(WEEK_MS, slots_an_hour * slot_ms) if lag_ms == DAY_MS else 0,
    )


def _nearest(span_ms: int, slot_ms: int) -> int:
    """Return a span in slots; of two that are equally near the smaller."""
    return -((slot_ms - 2 * span_ms) // (2 * slot_ms))


def slots_of(rhythm: Rhythm, local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the slots whose middles are nearest, so that a day that begins an hour early keeps its own.

    `local_ms` is local time as milliseconds since the epoch, int64, shape (n_windows,).
    """
    return (local_ms + rhythm.slot_ms // 2) // rhythm.slot_ms


def into_slots(rhythm: Rhythm, local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many milliseconds into their slots windows end, arrays as in `slots_of`."""
    return (local_ms + rhythm.slot_ms // 2) % rhythm.slot_ms


def allocate_ring(n_models: int, n_metrics: int, rhythm: Rhythm) -> Ring:
    """Return rings for `n_models` models; a model is usable after `reset_season`."""
    n_slots = rhythm.lag + rhythm.score_reach + rhythm.spare
    return Ring(
        slot_id=np.zeros((n_models, n_slots), np.int64),
        low=np.zeros((n_models, n_slots, n_metrics)),
        high=np.zeros((n_models, n_slots, n_metrics)),
        top_score=np.zeros((n_models, n_slots)),
        top_excess=np.zeros((n_models, n_slots)),
    )


@inner
def reset_season(ring: Ring, model: int, moment: Record, ranges: NDArray[np.void]) -> None:
    """Forget every slot of a model. `ranges` are records that hold a `RANGE` named `season`, shape (n_metrics,)."""
    ring.slot_id[model] = NO_SLOT
    moment["slot"] = NO_SLOT
    _clear(moment, ranges)
    moment["past_top_score"] = 0.0
    moment["past_top_excess"] = 0.0
    for metric in range(ranges.shape[0]):
        _forget_past(ranges[metric]["season"])


@inner
def _clear(moment: Record, ranges: NDArray[np.void]) -> None:
    """Empty the slot being filled."""
    moment["top_score"] = 0.0
    moment["top_excess"] = 0.0
    for metric in range(ranges.shape[0]):
        ranges[metric]["season"]["low"] = np.inf
        ranges[metric]["season"]["high"] = -np.inf


@inner
def _forget_past(span: Record) -> None:
    span["past_low"] = np.inf
    span["past_high"] = -np.inf
    span["past_middle"] = np.nan


@inner
def turn_to(
    ring: Ring, rhythm: Rhythm, model: int, moment: Record, ranges: NDArray[np.void], slot: int
) -> bool:
    """Make `slot` the one being filled and look up what was a season before it; false if it is already."""
    if moment["slot"] == slot:
        return False
    n_slots = ring.slot_id.shape[1]
    if moment["slot"] != NO_SLOT:
        _file(ring, model, moment, ranges, int(moment["slot"] % n_slots))
    moment["slot"] = slot
    place = int(slot % n_slots)
    _clear(moment, ranges)
    if ring.slot_id[model, place] == slot:
        _take_out(ring, model, moment, ranges, place)
    if rhythm.lag > 0:
        _look_back(ring, rhythm, model, moment, ranges, slot - rhythm.lag)
    return True


@inner
def _file(ring: Ring, model: int, moment: Record, ranges: NDArray[np.void], place: int) -> None:
    """Put the slot being filled into the ring."""
    ring.slot_id[model, place] = moment["slot"]
    ring.top_score[model, place] = moment["top_score"]
    ring.top_excess[model, place] = moment["top_excess"]
    for metric in range(ranges.shape[0]):
        span = ranges[metric]["season"]
        ring.low[model, place, metric] = span["low"]
        ring.high[model, place, metric] = span["high"]


@inner
def _take_out(ring: Ring, model: int, moment: Record, ranges: NDArray[np.void], place: int) -> None:
    """Go on filling a slot of the ring: clocks were set back."""
    moment["top_score"] = ring.top_score[model, place]
    moment["top_excess"] = ring.top_excess[model, place]
    for metric in range(ranges.shape[0]):
        span = ranges[metric]["season"]
        span["low"] = ring.low[model, place, metric]
        span["high"] = ring.high[model, place, metric]


@inner
def _look_back(
    ring: Ring, rhythm: Rhythm, model: int, moment: Record, ranges: NDArray[np.void], middle: int
) -> None:
    """Copy from the ring what was around the slot `middle`."""
    top = excess = 0.0
    for metric in range(ranges.shape[0]):
        _forget_past(ranges[metric]["season"])
    n_slots = ring.slot_id.shape[1]
    place = int((middle - rhythm.score_reach) % n_slots)
    for slot in range(middle - rhythm.score_reach, middle + rhythm.score_reach + 1):
        if ring.slot_id[model, place] == slot:
            top = max(top, ring.top_score[model, place])
            if abs(slot - middle) <= rhythm.value_reach:
                excess = max(excess, ring.top_excess[model, place])
                _join(ring, model, place, ranges, slot == middle)
        place = place + 1 if place + 1 < n_slots else 0
    moment["past_top_score"] = top
    moment["past_top_excess"] = excess


@inner
def _join(
    ring: Ring,
    model: int,
    place: int,
    ranges: NDArray[np.void],
    is_middle: bool,  # noqa: FBT001 - kernels have no keywords
) -> None:
    """Widen the ranges of a season ago by those of one slot."""
    for metric in range(ranges.shape[0]):
        span = ranges[metric]["season"]
        low, high = ring.low[model, place, metric], ring.high[model, place, metric]
        span["past_low"] = min(span["past_low"], low)
        span["past_high"] = max(span["past_high"], high)
        if is_middle and low <= high:
            span["past_middle"] = 0.5 * low + 0.5 * high


@inner
def enter(span: Record, value: float) -> None:
    """Enter a value into the slot being filled."""
    span["low"] = min(span["low"], value)
    span["high"] = max(span["high"], value)
