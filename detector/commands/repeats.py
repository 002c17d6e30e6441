"""Errors that repeat: the first is logged at once, the others as one line with a count every few minutes."""

import threading
import time
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, WrappedLogger

QUIET_S = 300.0
"""How long an error that was just logged is not logged again."""

MOST_KEPT = 1_000
"""Different errors that are remembered; more than there can be unless their texts never repeat."""

LIMITED = ("warning", "error", "critical")


class Repeats:
    """A structlog processor that drops a warning or error like one of the last five minutes.

    Alike are events of the same name, detector and text. The next that is let through carries `repeated`, the number
    of those that were dropped before it. Nothing is lost to whoever counts: metrics and heartbeats have each.

    Parameters
    ----------
    clock
        Seconds that only ever increase.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Pass an event on, or end it."""
        if method not in LIMITED:
            return event
        key = (event.get("event"), event.get("detector"), event.get("error"), event.get("reason"))
        now_s = self._clock()
        with self._lock:
            logged_s, dropped = self._seen.get(key, (float("-inf"), 0))
            if now_s - logged_s < QUIET_S:
                self._seen[key] = (logged_s, dropped + 1)
                raise structlog.DropEvent
            self._forget()
            self._seen[key] = (now_s, 0)
        return {**event, "repeated": dropped} if dropped else event

    def _forget(self) -> None:
        """Drop the oldest memories beyond a number, so that texts that never repeat do not fill the memory."""
        while len(self._seen) >= MOST_KEPT:
            del self._seen[min(self._seen, key=lambda key: self._seen[key][0])]
