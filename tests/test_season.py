"""Slots of time: which season an interval has, and what is found a season ago."""

import numpy as np
import pytest

from detector.model.season import (
    DAY_MS,
    HOUR_MS,
    MOMENT,
    RANGE,
    WEEK_MS,
    Rhythm,
    allocate_ring,
    enter,
    reset_season,
    rhythm_of,
    slots_of,
    turn_to,
)

MINUTE_MS = 60_000
START_MS = 1_400_000_400_000


class Bench:
    """The season of the second of two models of one metric."""

    def __init__(self, interval_ms: int) -> None:
        self.rhythm: Rhythm = rhythm_of(interval_ms)
        self.ring = allocate_ring(2, 1, self.rhythm)
        self.moment = np.zeros(1, MOMENT)[0]
        self.ranges = np.zeros(1, np.dtype([("season", RANGE)], align=True))
        reset_season(self.ring, 1, self.moment, self.ranges)

    def turn(self, local_ms: int) -> None:
        slot = slots_of(self.rhythm, np.array([local_ms]))[0]
        turn_to(self.ring, self.rhythm, 1, self.moment, self.ranges, slot)

    def enter(self, local_ms: int, value: float) -> None:
        self.turn(local_ms)
        enter(self.ranges[0]["season"], value)
        self.moment["top_score"] = max(self.moment["top_score"], value)

    @property
    def past(self) -> tuple[float, float]:
        return self.ranges[0]["season"]["past_low"], self.ranges[0]["season"]["past_high"]


@pytest.mark.parametrize(
    ("interval_ms", "lag_ms", "slot_ms", "reach_ms"),
    [
        (1_000, DAY_MS, 15 * MINUTE_MS, HOUR_MS),
        (5 * MINUTE_MS, DAY_MS, 15 * MINUTE_MS, HOUR_MS),
        (25 * MINUTE_MS, 58 * 25 * MINUTE_MS, 25 * MINUTE_MS, 2 * 25 * MINUTE_MS),
        (HOUR_MS, DAY_MS, HOUR_MS, 2 * HOUR_MS),
        (6 * HOUR_MS, DAY_MS, 6 * HOUR_MS, 0),
        (8 * HOUR_MS, WEEK_MS, 8 * HOUR_MS, 0),
        (DAY_MS, WEEK_MS, DAY_MS, 0),
        (WEEK_MS, 0, WEEK_MS, 0),
    ],
)
def test_an_interval_has_the_season_that_holds_four_windows(
    interval_ms: int, lag_ms: int, slot_ms: int, reach_ms: int
) -> None:
    """A day, a week for longer intervals, none beyond; all in whole slots."""
    rhythm = rhythm_of(interval_ms)
    assert (rhythm.lag * slot_ms, rhythm.slot_ms, rhythm.value_reach * slot_ms) == (lag_ms, slot_ms, reach_ms)


@pytest.mark.parametrize("interval_ms", [MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS])
def test_what_was_entered_is_found_a_season_later(interval_ms: int) -> None:
    """Round after round of the ring, within the tolerance and not outside of it."""
    bench = Bench(interval_ms)
    rhythm = bench.rhythm
    lag = rhythm.lag * rhythm.slot_ms // interval_ms
    for window in range(3 * lag):
        bench.turn(START_MS // DAY_MS * DAY_MS + window * interval_ms)
        low, high = bench.past
        top, middle = bench.moment["past_top_score"], bench.ranges[0]["season"]["past_middle"]
        reach = (rhythm.score_reach + 1) * rhythm.slot_ms // interval_ms
        old = window - lag
        if old > reach:
            assert old - reach <= low <= old <= high <= old + reach
            assert top >= high
            assert abs(middle - old) <= rhythm.slot_ms // interval_ms
        elif old < -reach:
            assert low > high
            assert top == 0
            assert np.isnan(middle)
        bench.enter(START_MS // DAY_MS * DAY_MS + window * interval_ms, window)
    assert not bench.ring.slot_id[0].any()


def test_a_day_that_begins_an_hour_early_keeps_its_slot() -> None:
    """Calendar days of a place with summer time, in winter and in summer."""
    midnight = START_MS // DAY_MS * DAY_MS
    for shift_ms in (-HOUR_MS, 0, HOUR_MS):
        bench = Bench(DAY_MS)
        bench.enter(midnight, 5.0)
        bench.turn(midnight + WEEK_MS + shift_ms)
        assert bench.past == (5.0, 5.0)
        bench.turn(midnight + WEEK_MS + DAY_MS)
        assert bench.past == (np.inf, -np.inf)


def test_an_hour_that_comes_twice_fills_its_slots_twice() -> None:
    """Clocks set back: a day later both rounds are remembered, and the hour before keeps what it had."""
    bench = Bench(5 * MINUTE_MS)
    midnight = START_MS // DAY_MS * DAY_MS
    for minute, value in ((120, 1.0), (150, 2.0), (175, 3.0), (120, 9.0), (150, 8.0), (180, 4.0), (240, 5.0)):
        bench.enter(midnight + minute * MINUTE_MS, value)
    for minute, middle in ((120, 5.0), (150, 5.0), (175, 3.5), (240, 5.0)):
        bench.turn(midnight + DAY_MS + minute * MINUTE_MS)
        assert bench.ranges[0]["season"]["past_middle"] == middle
    bench.turn(midnight + DAY_MS + 150 * MINUTE_MS)
    assert bench.past == (1.0, 9.0)
    assert bench.moment["past_top_score"] == 9.0
