"""Slots of time: which season an interval has, and what is found a season ago."""

import numpy as np
import pytest

from detector.model.season import (
    DAY_MS,
    HOUR_MS,
    WEEK_MS,
    allocate_season,
    open_slot,
    past_range,
    past_top_score,
    reset_season,
    rhythm_of,
)

MINUTE_MS = 60_000
START_MS = 1_400_000_400_000


@pytest.mark.parametrize(
    ("interval_ms", "lag_ms", "slot_ms", "tolerance_ms"),
    [
        (1_000, DAY_MS, 15 * MINUTE_MS, HOUR_MS),
        (5 * MINUTE_MS, DAY_MS, 15 * MINUTE_MS, HOUR_MS),
        (HOUR_MS, DAY_MS, HOUR_MS, 2 * HOUR_MS),
        (6 * HOUR_MS, DAY_MS, 6 * HOUR_MS, 3 * HOUR_MS),
        (8 * HOUR_MS, WEEK_MS, 8 * HOUR_MS, 3 * HOUR_MS),
        (DAY_MS, WEEK_MS, DAY_MS, 3 * HOUR_MS),
        (WEEK_MS, 0, WEEK_MS, 3 * HOUR_MS),
    ],
)
def test_an_interval_has_the_season_that_holds_four_windows(
    interval_ms: int, lag_ms: int, slot_ms: int, tolerance_ms: int
) -> None:
    """A day, a week for longer intervals, none beyond."""
    rhythm = rhythm_of(interval_ms)
    assert (rhythm.lag_ms, rhythm.slot_ms, rhythm.value_tolerance_ms) == (lag_ms, slot_ms, tolerance_ms)


@pytest.mark.parametrize("interval_ms", [MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS])
def test_what_was_entered_is_found_a_season_later(interval_ms: int) -> None:
    """Round after round of the ring, within the tolerance and not outside of it."""
    rhythm = rhythm_of(interval_ms)
    season = allocate_season(2, 1, rhythm)
    reset_season(season, 1)
    for window in range(3 * rhythm.lag_ms // interval_ms):
        time_ms = START_MS // DAY_MS * DAY_MS + window * interval_ms
        low, high = past_range(season, rhythm, 1, 0, time_ms, rhythm.value_tolerance_ms)
        top = past_top_score(season, rhythm, 1, time_ms)
        reach = (rhythm.score_tolerance_ms + rhythm.slot_ms) // interval_ms
        old = window - rhythm.lag_ms // interval_ms
        if old > reach:
            assert old - reach <= low <= old <= high <= old + reach
            assert top >= high
        elif old < -reach:
            assert low > high
            assert top == 0
        place = open_slot(season, rhythm, 1, time_ms)
        season.low[1, place, 0] = min(season.low[1, place, 0], window)
        season.high[1, place, 0] = max(season.high[1, place, 0], window)
        season.top_score[1, place] = max(season.top_score[1, place], window)
    assert not season.slot_id[0].any()


def test_a_day_that_begins_an_hour_early_keeps_its_slot() -> None:
    """Calendar days of a place with summer time, in winter and in summer."""
    rhythm = rhythm_of(DAY_MS)
    season = allocate_season(1, 1, rhythm)
    reset_season(season, 0)
    midnight = START_MS // DAY_MS * DAY_MS
    place = open_slot(season, rhythm, 0, midnight)
    season.low[0, place, 0] = season.high[0, place, 0] = 5.0
    for shift_ms in (-HOUR_MS, 0, HOUR_MS):
        assert past_range(season, rhythm, 0, 0, midnight + WEEK_MS + shift_ms, HOUR_MS) == (5.0, 5.0)
    assert past_range(season, rhythm, 0, 0, midnight + WEEK_MS + DAY_MS, HOUR_MS) == (np.inf, -np.inf)
