"""What our searches may ask of the user's cluster: so many at once, and fewer while it is under pressure.

One budget a process, shared by all detectors. Knows how long searches take and that they were turned away; does not
know what is searched.
"""

import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import structlog

from storage.errors import Unavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""Before a search while the cluster is under pressure: doubled by each further sign of it, halved by a good answer."""

SLOW_RATIO, SLOW_S = 4.0, 1.0
"""A search that takes four times as long as usual for its detector, and more than a second, is a sign of pressure."""

MEMORY = 0.1
"""Weight of the last search in what is usual: after ten searches a cluster that became slower for good is normal."""


class QueryBudget:
    """Gives searches their turn.

    Parameters
    ----------
    n_searches
        Searches at the same time, at most, at least 1. Under pressure it is one.
    stop
        Ends a pause when it is set.
    """

    def __init__(self, n_searches: int, stop: threading.Event) -> None:
        self._n_searches = n_searches
        self._stop = stop
        self._n_running = 0
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = count()
        self._changed = threading.Condition()
        self._usual_s: dict[str, float] = {}
        self.pause_s = 0.0
        """Pause before each search; above 0 the cluster is under pressure."""

    @contextmanager
    def turn(self, name: str, urgency: int) -> Iterator[None]:
        """Wait for a turn; what is done inside is one search of the detector `name`.

        Of those that wait, the one with the smallest `urgency` comes first: the length of the detector's windows, so
        that one that has an hour lets one that has a minute pass.
        """
        self._enter(urgency)
        try:
            self._stop.wait(self.pause_s)
            began_s = time.monotonic()
            try:
                yield
            except Unavailable as error:
                if error.is_overloaded:
                    self._hold_back(name, str(error))
                raise
            self._learn(name, time.monotonic() - began_s)
        finally:
            self._leave()

    def _enter(self, urgency: int) -> None:
        ticket = (urgency, next(self._arrivals))
        with self._changed:
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: self._waiting[0] == ticket and self._n_running < self._n_allowed)
            heapq.heappop(self._waiting)
            self._n_running += 1
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._n_running -= 1
            self._changed.notify_all()

    @property
    def _n_allowed(self) -> int:
        return 1 if self.pause_s else self._n_searches

    def _learn(self, name: str, took_s: float) -> None:
        usual_s = self._usual_s.get(name, took_s)
        self._usual_s[name] = usual_s + MEMORY * (took_s - usual_s)
        if took_s > max(SLOW_S, SLOW_RATIO * usual_s):
            self._hold_back(name, f"a search took {took_s:.1f} s, usually {usual_s:.1f} s")
        elif self.pause_s:
            self.pause_s = self.pause_s / 2 if self.pause_s > FIRST_PAUSE_S else 0.0
            if not self.pause_s:
                log.info("searches_resumed", detector=name)

    def _hold_back(self, name: str, reason: str) -> None:
        if not self.pause_s:
            log.warning("searches_held_back", detector=name, reason=reason)
        self.pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self.pause_s))
