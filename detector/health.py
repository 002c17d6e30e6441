"""Whether the sidecar is alive and ready, from what its polls have come to.

*Alive* is a matter of this process alone: its scheduler turns. *Ready* asks the cluster's part too: every detector
has been polled, its last poll went well, and it is not hopelessly late. Whoever restarts what is not alive must not
do so because the cluster is away, which no restart mends. Knows neither HTTP nor metrics.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_TURN_S = 60.0
"""A scheduler that has not turned for so long hangs: it is to turn every few seconds."""

LATE_INTERVALS, LATE_S = 10, 600
"""A detector that lags by more than ten intervals and ten minutes is not ready: it has an outage to catch up."""


def is_late(lag_s: float, interval_s: float) -> bool:
    """Whether a detector lags by more than is ordinary for windows of this length."""
    return lag_s > max(LATE_S, LATE_INTERVALS * interval_s)


@dataclass(frozen=True)
class Pulse:
    """What the last poll of a detector has come to; `lag_s` is None while that is not known."""

    interval_s: float
    lag_s: float | None
    error: str | None


class Health:
    """Vital signs of one process, written by its threads and read by whoever asks.

    Parameters
    ----------
    detector_ids
        The detectors that are to be polled.
    """

    def __init__(self, detector_ids: Iterable[str]) -> None:
        self._pulses: dict[str, Pulse | None] = dict.fromkeys(sorted(detector_ids))
        self._turned_s = time.monotonic()
        self._lock = threading.Lock()

    def turn(self) -> None:
        """Note that the scheduler turns."""
        self._turned_s = time.monotonic()

    def note(self, detector_id: str, pulse: Pulse) -> None:
        """Note what a poll has come to."""
        with self._lock:
            self._pulses[detector_id] = pulse

    @property
    def is_alive(self) -> bool:
        """Whether the scheduler turns."""
        return time.monotonic() - self._turned_s < LONGEST_TURN_S

    def complaints(self) -> dict[str, str]:
        """Return why the sidecar is not ready, by detector; nothing when it is."""
        with self._lock:
            pulses = dict(self._pulses)
        found = {detector_id: _complaint(pulse) for detector_id, pulse in pulses.items()}
        return {detector_id: text for detector_id, text in found.items() if text}


def _complaint(pulse: Pulse | None) -> str:
    if pulse is None:
        return "not polled yet"
    if pulse.error is not None:
        return pulse.error
    if pulse.lag_s is not None and is_late(pulse.lag_s, pulse.interval_s):
        return f"{pulse.lag_s:,.0f} s behind, still catching up"
    return ""
