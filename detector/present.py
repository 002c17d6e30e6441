"""The present: the clock of this host, but never ahead of the cluster's.

A window is over when both say so. A host that is set wrong, or that is set right while a sidecar runs, then neither
reads windows before they are over nor takes a detector into a future in which it would wait for years. Only the moment
of reading depends on this; what a window holds depends on the times in the data alone.
"""

import time
from collections.abc import Callable
from threading import Lock

import structlog

log = structlog.get_logger(__name__)

JUMP_S = 1.0
"""Difference between the wall clock and a clock that only grows at which the cluster is asked again."""

MEASURE_EVERY_S = 600.0
"""Time after which the cluster is asked again in any case."""

TELL_FROM_S = 5.0
"""Difference to the cluster's clock from which a person is told."""


class Present:
    """What time it is; safe to use from several threads.

    Parameters
    ----------
    cluster_ms
        Asks the cluster for its time, epoch milliseconds.
    wall_ms
        The clock of this host, epoch milliseconds.
    steady_s
        Seconds that only ever grow.
    """

    def __init__(
        self,
        cluster_ms: Callable[[], int],
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster_ms = cluster_ms
        self._wall_ms = wall_ms
        self._steady_s = steady_s
        self._lock = Lock()
        self._measured: tuple[int, float] | None = None
        self.ahead_ms = 0
        """By how much the clock of this host was ahead of the cluster's; 0 when it was behind."""

    def now_ms(self) -> int:
        """Return the present, epoch milliseconds.

        Raises
        ------
        StorageError
            When the cluster has to be asked and does not answer.
        """
        with self._lock:
            wall_ms, steady_s = self._wall_ms(), self._steady_s()
            if self._measured is None or self._is_stale(*self._measured, wall_ms, steady_s):
                cluster_ms = self._cluster_ms()
                if self._steady_s() - steady_s > JUMP_S:
                    # The answer took its time: a moment from before it would make this host seem less ahead.
                    wall_ms, steady_s = self._wall_ms(), self._steady_s()
                difference_ms = wall_ms - cluster_ms
                self._tell(difference_ms / 1000)
                self.ahead_ms = max(0, difference_ms)
                self._measured = wall_ms, steady_s
            return wall_ms - self.ahead_ms

    @staticmethod
    def _is_stale(measured_ms: int, measured_s: float, wall_ms: int, steady_s: float) -> bool:
        passed_s = steady_s - measured_s
        jump_s = (wall_ms - measured_ms) / 1000 - passed_s
        return passed_s > MEASURE_EVERY_S or abs(jump_s) > JUMP_S

    @staticmethod
    def _tell(difference_s: float) -> None:
        if abs(difference_s) > TELL_FROM_S:
            log.warning(
                "clock_differs",
                ahead_of_cluster_s=round(difference_s),
                effect="windows are read by the cluster's clock"
                if difference_s > 0
                else "windows are read late",
                hint="let this host and the cluster set their clocks by NTP; time zones have no effect",
            )
