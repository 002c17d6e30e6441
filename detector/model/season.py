"""What was seen a season ago: a ring of time slots with the range of each metric and the highest score.

Knows slots of time and numbers, not what is concluded from them.
"""

from typing import NamedTuple

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

SPARE_SLOTS = 3
"""Slots of the ring beyond season and tolerance: the ends that a range cuts, and the slot being written."""

NO_SLOT = np.iinfo(np.int64).min


REST_MS = 6 * HOUR_MS
REST_WINDOWS = 72
"""One disturbance is one alarm. In time, or hourly data would be mute for weeks; in windows for intervals below five
minutes, where six hours hold many disturbances."""


class Rhythm(NamedTuple):
    """How time is cut for one interval; all in milliseconds, `lag_ms` 0 = no season.

    No alarm follows another within `rest_ms`.
    """

    lag_ms: int
    slot_ms: int
    value_tolerance_ms: int
    score_tolerance_ms: int
    rest_ms: int


class Season(NamedTuple):
    """Rings of slots; the leading axis is the model. A slot that was never filled has the id `NO_SLOT`.

    Attributes
    ----------
    slot_id
        Number of the slot since the epoch, int64, shape (n_models, n_slots).
    low, high
        Range of a metric in the slot, float64, shape (n_models, n_slots, n_metrics); inf and -inf without
        value.
    top_score
        Highest score in the slot, float64, shape (n_models, n_slots).
    """

    slot_id: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    top_score: NDArray[np.float64]


def rhythm_of(interval_ms: int) -> Rhythm:
    """Return the slots and season of an interval: a day, for long intervals a week, beyond none."""
    lag_ms = 0
    for season_ms in (WEEK_MS, DAY_MS):
        if season_ms >= MIN_WINDOWS_A_SEASON * interval_ms:
            lag_ms = season_ms
    return Rhythm(
        lag_ms=lag_ms,
        slot_ms=max(MIN_SLOT_MS, interval_ms),
        value_tolerance_ms=min(max(VALUE_TOLERANCE_MS, 2 * interval_ms), MAX_TOLERANCE_MS),
        score_tolerance_ms=min(max(SCORE_TOLERANCE_MS, 2 * interval_ms), MAX_TOLERANCE_MS),
        rest_ms=min(REST_MS, REST_WINDOWS * interval_ms),
    )


def allocate_season(n_models: int, n_metrics: int, rhythm: Rhythm) -> Season:
    """Return rings for `n_models` models; a model is usable after `reset_season`."""
    n_slots = -(-(rhythm.lag_ms + rhythm.score_tolerance_ms) // rhythm.slot_ms) + SPARE_SLOTS
    return Season(
        slot_id=np.zeros((n_models, n_slots), np.int64),
        low=np.zeros((n_models, n_slots, n_metrics)),
        high=np.zeros((n_models, n_slots, n_metrics)),
        top_score=np.zeros((n_models, n_slots)),
    )


@inner
def reset_season(season: Season, model: int) -> None:
    """Forget every slot of a model."""
    season.slot_id[model] = NO_SLOT
    season.low[model] = np.inf
    season.high[model] = -np.inf
    season.top_score[model] = 0.0


@inner
def slot_of(rhythm: Rhythm, time_ms: int) -> int:
    """Return the slot whose middle is nearest, so that a day that begins an hour early keeps its own."""
    return (time_ms + rhythm.slot_ms // 2) // rhythm.slot_ms


@inner
def open_slot(season: Season, rhythm: Rhythm, model: int, time_ms: int) -> int:
    """Return the place of the slot that holds `time_ms`, emptied if a former round of the ring filled it."""
    slot = slot_of(rhythm, time_ms)
    place = int(slot % season.slot_id.shape[1])
    if season.slot_id[model, place] != slot:
        season.slot_id[model, place] = slot
        season.low[model, place] = np.inf
        season.high[model, place] = -np.inf
        season.top_score[model, place] = 0.0
    return place


@inner
def past_range(
    season: Season, rhythm: Rhythm, model: int, metric: int, time_ms: int, tolerance_ms: int
) -> tuple[float, float]:
    """Return the lowest and highest value of a metric a season before `time_ms`, (inf, -inf) if none."""
    low, high = np.inf, -np.inf
    if rhythm.lag_ms == 0:
        return low, high
    n_slots = season.slot_id.shape[1]
    middle_ms = time_ms - rhythm.lag_ms
    first, last = slot_of(rhythm, middle_ms - tolerance_ms), slot_of(rhythm, middle_ms + tolerance_ms)
    place = first % n_slots
    for slot in range(first, last + 1):
        if season.slot_id[model, place] == slot:
            low = min(low, season.low[model, place, metric])
            high = max(high, season.high[model, place, metric])
        place = place + 1 if place + 1 < n_slots else 0
    return low, high


@inner
def past_top_score(season: Season, rhythm: Rhythm, model: int, time_ms: int) -> float:
    """Return the highest score a season before `time_ms`, 0 if there is none."""
    top = 0.0
    if rhythm.lag_ms == 0:
        return top
    n_slots = season.slot_id.shape[1]
    middle_ms = time_ms - rhythm.lag_ms
    first = slot_of(rhythm, middle_ms - rhythm.score_tolerance_ms)
    last = slot_of(rhythm, middle_ms + rhythm.score_tolerance_ms)
    place = first % n_slots
    for slot in range(first, last + 1):
        if season.slot_id[model, place] == slot:
            top = max(top, season.top_score[model, place])
        place = place + 1 if place + 1 < n_slots else 0
    return top
