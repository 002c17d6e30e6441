"""When a detector is due: as soon as a window has closed and its delay has passed.

Pure arithmetic on the moments that the scheduler hands in; does not read the clock.
"""

import random
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from features.windows import Interval

LARGEST_JITTER_S = 2.0
"""Polls are spread by at most this and at most a tenth of the interval, so that detectors do not query at once."""


class WindowTrigger(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """Fires once a window, a little after it is closed.

    Unlike the library's interval trigger it counts from the windows and not from its last firing: neither the
    moment of the start, nor a retry, nor jitter moves it away from them, and days and weeks follow their calendar.

    Parameters
    ----------
    interval
        How time is cut into windows.
    delay_ms
        How long after its end a window may still receive documents.
    """

    def __init__(self, interval: Interval, delay_ms: int) -> None:
        self._interval = interval
        self._delay_ms = delay_ms
        self._jitter_s = min(LARGEST_JITTER_S, interval.milliseconds / 10_000)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:  # noqa: ARG002
        """Return the moment at which the next window is closed, somewhat spread."""
        moment_ms = int(now.timestamp() * 1000) - self._delay_ms
        end_ms = self._interval.next(self._interval.floor(moment_ms))
        jitter_s = random.uniform(0, self._jitter_s)  # noqa: S311 - spreading, not secrecy
        return datetime.fromtimestamp((end_ms + self._delay_ms) / 1000, UTC) + timedelta(seconds=jitter_s)
