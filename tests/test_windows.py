"""Windows: alignment, calendars, and which are closed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.windows import Interval, Unit, closed_windows

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

fixed_intervals = st.one_of(
    st.builds(Interval, st.integers(1, 5_000), st.sampled_from([Unit.SECONDS, Unit.MINUTES])),
    st.builds(Interval, st.integers(1, 8_000), st.just(Unit.HOURS)),
)
zones = st.sampled_from(
    ["UTC", "America/New_York", "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Pacific/Apia"]
)
intervals = st.one_of(
    fixed_intervals, st.builds(Interval, st.just(1), st.sampled_from([Unit.DAYS, Unit.WEEKS]), zones)
)
moments = st.integers(0, 2_000_000_000_000)


def epoch_ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


@given(interval=intervals, t_ms=moments)
def test_windows_touch_and_hold_their_moment(interval: Interval, t_ms: int) -> None:
    """A moment lies in its window; the window's neighbours begin and end at its borders."""
    start = interval.floor(t_ms)
    end = interval.next(start)
    assert start <= t_ms < end
    assert interval.floor(start) == interval.floor(end - 1) == interval.previous(end) == start
    assert interval.floor(end) == end


@given(interval=fixed_intervals, t_ms=moments)
def test_fixed_windows_are_counted_from_the_epoch(interval: Interval, t_ms: int) -> None:
    """A fixed window starts at a multiple of its length, whatever the zone."""
    assert interval.floor(t_ms) % interval.milliseconds == 0


def test_a_day_is_23_or_25_hours_when_clocks_change() -> None:
    """Days in Berlin follow summer time."""
    days = Interval(1, Unit.DAYS, "Europe/Berlin")
    lengths = {}
    for day in ("2024-03-30", "2024-03-31", "2024-10-27"):
        start = epoch_ms(day, "Europe/Berlin")
        assert days.floor(start + 5 * HOUR) == start
        lengths[day] = (days.next(start) - start) // HOUR
    assert lengths == {"2024-03-30": 24, "2024-03-31": 23, "2024-10-27": 25}


def test_a_day_without_midnight_begins_when_clocks_change() -> None:
    """On 26 April 2024 clocks in Cairo went from 00:00 to 01:00."""
    days = Interval(1, Unit.DAYS, "Africa/Cairo")
    start = days.floor(epoch_ms("2024-04-26T12:00", "Africa/Cairo"))
    assert (
        datetime.fromtimestamp(start / 1000, ZoneInfo("Africa/Cairo")).isoformat()
        == "2024-04-26T01:00:00+03:00"
    )
    assert days.next(start) - start == 23 * HOUR


def test_a_day_that_never_was_has_no_window() -> None:
    """Samoa went from 29 to 31 December 2011."""
    days = Interval(1, Unit.DAYS, "Pacific/Apia")
    end = days.next(epoch_ms("2011-12-29", "Pacific/Apia"))
    assert datetime.fromtimestamp(end / 1000, ZoneInfo("Pacific/Apia")).date() == date(2011, 12, 31)


def test_weeks_start_on_monday_in_the_zone() -> None:
    """The week that holds a Sunday evening in New York started on Monday midnight there."""
    weeks = Interval(1, Unit.WEEKS, "America/New_York")
    start = weeks.floor(epoch_ms("2024-11-03T23:00", "America/New_York"))
    assert start == epoch_ms("2024-10-28", "America/New_York")
    assert weeks.next(start) - start == 7 * DAY + HOUR


def test_closed_windows_wait_for_the_delay() -> None:
    """With a delay of five minutes the window that ends at 00:20 is closed at 00:25, not a moment before."""
    interval = Interval(10, Unit.MINUTES)
    since, closed = 3 * MINUTE, 25 * MINUTE
    assert closed_windows(since, closed, interval, 5 * MINUTE).tolist() == [10 * MINUTE, 20 * MINUTE]
    assert closed_windows(since, closed - 1, interval, 5 * MINUTE).tolist() == [10 * MINUTE]


@given(interval=intervals, since_ms=moments, n_windows=st.integers(0, 30), delay_ms=st.integers(0, DAY))
def test_closed_windows_are_consecutive(
    interval: Interval, since_ms: int, n_windows: int, delay_ms: int
) -> None:
    """They begin with the window that holds `since` and touch each other until the last closed one."""
    end = interval.floor(since_ms)
    expected = [end := interval.next(end) for _ in range(n_windows)]
    now_ms = (expected[-1] if expected else interval.floor(since_ms)) + delay_ms
    ends = closed_windows(since_ms, now_ms, interval, delay_ms)
    assert ends.dtype == np.int64
    assert ends.tolist() == expected


def test_closed_windows_are_empty_when_since_lies_ahead() -> None:
    """A start in the future is no error."""
    for unit in (Unit.MINUTES, Unit.DAYS):
        ends = closed_windows(DAY, 0, Interval(1, unit), 0)
        assert ends.shape == (0,)
        assert ends.dtype == np.int64


@pytest.mark.parametrize(
    ("count", "unit", "message"),
    [
        (0, Unit.MINUTES, r"an interval must be a whole number of at least 1, got 0 Minutes"),
        (-5, Unit.SECONDS, r"at least 1, got -5 Seconds"),
        (True, Unit.SECONDS, r"must be a whole number"),
        (2, Unit.DAYS, r"in Days must be exactly 1.*got 2 Days; give a longer one in Hours"),
        (2, Unit.WEEKS, r"in Weeks must be exactly 1"),
        (10**9, Unit.MINUTES, r"must be at most 366 days, got 1000000000 Minutes"),
    ],
)
def test_an_impossible_interval_is_refused(count: int, unit: Unit, message: str) -> None:
    """The message says what is possible and what to do."""
    with pytest.raises(ValueError, match=message):
        Interval(count, unit)


def test_days_follow_the_clock_of_their_zone_for_decades() -> None:
    """Every day from 1990 to 2030 starts where the local date changes."""
    zone = ZoneInfo("America/New_York")
    days = Interval(1, Unit.DAYS, zone.key)
    start, day = days.floor(epoch_ms("1990-01-01T12:00")), date(1990, 1, 1)
    while day.year < 2030:
        local = datetime.fromtimestamp(start / 1000, zone)
        assert (local.date(), local.hour) == (day, 0)
        start, day = days.next(start), day + timedelta(days=1)
    assert datetime.fromtimestamp(start / 1000, UTC).year == 2030
