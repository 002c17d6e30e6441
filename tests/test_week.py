"""The range of a week ago: found again, and used where it says more than yesterday's."""

import numpy as np
import pytest

from detector.model.fleet import Fleet, ModelSettings
from detector.model.parts import ALL_PARTS
from detector.model.season import DAY_MS, HOUR_MS, enter, rhythm_of
from detector.model.week import HOUR, WEEK, allocate_week, reset_week, turn_to_hour, widened

INTERVAL_MS = 300_000
RHYTHM = rhythm_of(INTERVAL_MS)
EMPTY = (np.inf, -np.inf)


class Bench:
    """One model of one metric."""

    def __init__(self) -> None:
        self.week = allocate_week(1, 1, RHYTHM)
        self.moment = np.zeros(1, HOUR)[0]
        self.metrics = np.zeros(1, np.dtype([("week", WEEK)], align=True))
        reset_week(self.week, 0, self.moment, self.metrics)

    def enter(self, hour: int, value: float) -> None:
        """Enter a value in the middle of an hour."""
        self.turn_to(hour)
        enter(self.metrics[0]["week"], value)

    def turn_to(self, hour: int) -> tuple[float, float]:
        """Return the range of a week before an hour."""
        turn_to_hour(self.week, RHYTHM, 0, self.moment, self.metrics, 4 * hour + 2)
        span = self.metrics[0]["week"]
        return span["past_low"], span["past_high"]

    def compare(self, day: tuple[float, float], value: float) -> tuple[float, float]:
        """Return the range that a value is compared with."""
        return widened(self.metrics[0]["week"], *day, value)


def test_a_week_is_of_hours_where_the_season_is_a_day() -> None:
    """Of longer slots where windows are longer; none where the season is a week or there is none."""
    weeks = [rhythm_of(hours * HOUR_MS).week_lag for hours in (1, 2, 6, 7, 24, 48)]
    assert weeks == [168, 84, 28, 0, 0, 0]
    assert [rhythm_of(minutes * 60_000).week_lag for minutes in (1, 5, 15, 30)] == [168] * 4
    assert allocate_week(3, 1, rhythm_of(DAY_MS)).low.size == 0


def test_the_hours_around_the_same_one_a_week_ago_are_found() -> None:
    """One to either side, and no others."""
    bench = Bench()
    for hour in range(168):
        bench.enter(hour, float(hour))
        bench.enter(hour, hour + 0.5)
    assert bench.turn_to(168 + 50) == (49.0, 51.5)
    assert bench.turn_to(168) == (0.0, 1.5)
    assert bench.turn_to(167 + 170) == EMPTY


def test_hours_that_come_again_go_on_being_filled() -> None:
    """Clocks that are set back."""
    bench = Bench()
    bench.enter(7, 1.0)
    bench.enter(8, 5.0)
    bench.enter(7, 3.0)
    bench.enter(9, 9.0)
    assert bench.turn_to(168 + 6) == (1.0, 3.0)


def test_an_hour_is_forgotten_after_a_week() -> None:
    """What stands in its place in the ring is of another week."""
    bench = Bench()
    bench.enter(7, 1.0)
    bench.enter(7 + 168, 2.0)
    assert bench.turn_to(7 + 336) == (2.0, 2.0)
    assert bench.turn_to(7 + 168 * 4) == EMPTY


def test_the_week_counts_where_values_keep_to_it_and_not_to_yesterday() -> None:
    """And no longer when they keep to neither, or to yesterday."""
    bench = Bench()
    bench.enter(7, 10.0)
    bench.enter(7, 20.0)
    bench.turn_to(7 + 168)
    day = (0.0, 5.0)
    assert bench.compare(day, 15.0) == (0.0, 20.0)
    assert bench.compare(EMPTY, 15.0) == (10.0, 20.0)
    for _ in range(400):
        bench.compare(day, 2.0)
    assert bench.compare(day, 2.0) == day
    nothing = Bench()
    assert nothing.compare(day, 15.0) == day


@pytest.mark.parametrize("has_week", [True, False])
def test_a_monday_is_no_surprise_after_the_first_one(*, has_week: bool) -> None:
    """Traffic of working days, half of it on weekends: the residual of the second Monday."""
    window = np.arange(15 * 288)
    is_weekend = window // 288 % 7 >= 5
    values = np.where(is_weekend, 50.0, 100.0) + np.random.default_rng(1).normal(size=len(window))
    fleet = Fleet(ModelSettings(1, INTERVAL_MS, n_trees=2, parts=ALL_PARTS._replace(has_week=has_week)))
    fleet.add(np.zeros(1, np.uint64))
    times_ms = 4 * DAY_MS + INTERVAL_MS * (window + 1)
    monday = 14 * 288 + 144
    rows = (values[:monday, None, None], np.ones((monday, 1), np.bool_))
    fleet.observe(np.zeros(1, np.int64), times_ms[:monday], *rows)
    residual = fleet.save(0, 1)["metric.transform.feature"][0, 0, 4]
    assert (abs(residual) < 1) == has_week
