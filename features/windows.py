"""Windows: how time is cut into intervals, and which of them are closed.

Pure arithmetic on epoch milliseconds; must not know the clock, configuration files or OpenSearch. A window is
named by its end, holds its start and not its end, and never depends on when anything was started.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

LONGEST_MS = 366 * 86_400_000
"""No window is longer than a leap year: a longer one is a slip of a digit, and would never close."""


class Unit(StrEnum):
    """Unit of an interval, spelt as in a detector's JSON."""

    SECONDS = "Seconds"
    MINUTES = "Minutes"
    HOURS = "Hours"
    DAYS = "Days"
    WEEKS = "Weeks"

    @property
    def milliseconds(self) -> int:
        """Length of one, taking a day as 24 hours."""
        return _UNIT_MS[self]

    @property
    def is_calendar(self) -> bool:
        """Whether windows of this unit follow the calendar of a time zone instead of the epoch."""
        return self in (Unit.DAYS, Unit.WEEKS)


_UNIT_MS = {
    Unit.SECONDS: 1_000,
    Unit.MINUTES: 60_000,
    Unit.HOURS: 3_600_000,
    Unit.DAYS: 86_400_000,
    Unit.WEEKS: 604_800_000,
}


@dataclass(frozen=True)
class Interval:
    """Length and alignment of a detector's windows.

    Seconds, minutes and hours are fixed lengths counted from the epoch. A day or a week is one of the
    calendar: it begins at local midnight (a week: of Monday), so a day is 23 or 25 hours long when clocks
    change. Where clocks skip midnight, the day begins at the moment of the change; where midnight comes
    twice, at the first.

    Parameters
    ----------
    count
        How many units; exactly 1 for days and weeks.
    unit
        The unit.
    timezone
        IANA name of the zone that days and weeks follow. Fixed lengths do not depend on it.

    Raises
    ------
    ValueError
        If the count does not fit the unit.
    """

    count: int
    unit: Unit
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        problem = interval_problem(self.count, self.unit)
        if problem is not None:
            msg = f"an interval {problem}"
            raise ValueError(msg)

    @property
    def milliseconds(self) -> int:
        """Nominal length; a calendar day counts as 24 hours."""
        return self.count * self.unit.milliseconds

    @property
    def is_calendar(self) -> bool:
        """Whether the length varies with the calendar."""
        return self.unit.is_calendar

    def floor(self, t_ms: int) -> int:
        """Return the start of the window that holds the moment `t_ms` (epoch ms)."""
        if not self.is_calendar:
            return t_ms - t_ms % self.milliseconds
        today = self._first_day(t_ms)
        step = timedelta(days=self._days)
        # Clocks set back over midnight show yesterday's date after today has begun: ask the later day first.
        candidates = (self._midnight(day) for day in (today + step, today, today - step))
        return next(start for start in candidates if start <= t_ms)

    def next(self, start_ms: int) -> int:
        """Return the end of the window that starts at `start_ms`, which is the start of the one after it."""
        if not self.is_calendar:
            return start_ms + self.milliseconds
        return self._midnight(self._first_day(start_ms) + timedelta(days=self._days))

    def previous(self, end_ms: int) -> int:
        """Return the start of the window that ends at `end_ms`."""
        return end_ms - self.milliseconds if not self.is_calendar else self.floor(end_ms - 1)

    @property
    def _days(self) -> int:
        return 7 if self.unit is Unit.WEEKS else 1

    def _first_day(self, t_ms: int) -> date:
        """Return the local date of the first day of the calendar unit that holds a moment."""
        zone = ZoneInfo(self.timezone)
        day = datetime.fromtimestamp(t_ms // 1000, zone).date()
        return day - timedelta(days=day.weekday()) if self.unit is Unit.WEEKS else day

    def _midnight(self, day: date) -> int:
        """Return the moment at which a local day begins."""
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.timezone))
        return int(start.timestamp()) * 1000


def interval_problem(count: int, unit: Unit) -> str | None:
    """Say why there can be no such interval, as the end of a sentence that begins with its name; or None."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        return f"must be a whole number of at least 1, got {count!r} {unit}"
    if unit.is_calendar and count != 1:
        return (
            f"in {unit} must be exactly 1, as it follows the calendar, got {count} {unit}; "
            "give a longer one in Hours"
        )
    if count * unit.milliseconds > LONGEST_MS:
        return f"must be at most 366 days, got {count} {unit}"
    return None


def closed_windows(since_ms: int, now_ms: int, interval: Interval, delay_ms: int) -> NDArray[np.int64]:
    """Return the ends of the windows that are complete by now.

    Parameters
    ----------
    since_ms
        The first window is the one that holds this moment (epoch ms).
    now_ms
        The present (epoch ms).
    interval
        How windows are cut.
    delay_ms
        How long after its end a window may still receive documents; it is closed only then.

    Returns
    -------
    int64, shape (n_windows,), ascending epoch ms; empty when none is closed. Windows touch: each end is the
    start of the next window.
    """
    first = interval.next(interval.floor(since_ms))
    last = now_ms - delay_ms
    if not interval.is_calendar:
        return np.arange(first, last + 1, interval.milliseconds, dtype=np.int64)
    return np.array(list(takewhile(lambda end: end <= last, _ends(first, interval))), dtype=np.int64)


def local_times_ms(times_ms: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """Return what clocks of a zone show, as if it were UTC.

    Parameters
    ----------
    times_ms
        int64, shape (n_times,), epoch ms.
    timezone
        IANA name of the zone.

    Returns
    -------
    int64, shape (n_times,): a local time of 13:00 is 13:00 of the epoch's day count, in summer and in winter.
    """
    if timezone == "UTC":
        return times_ms
    zone = ZoneInfo(timezone)
    offsets = [datetime.fromtimestamp(int(time_ms) // 1000, zone).utcoffset() for time_ms in times_ms]
    return times_ms + np.array(
        [offset // timedelta(milliseconds=1) if offset else 0 for offset in offsets], np.int64
    )


def _ends(first_ms: int, interval: Interval) -> Iterator[int]:
    """Count window ends upwards from one, without end."""
    end = first_ms
    while True:
        yield end
        end = interval.next(end)
