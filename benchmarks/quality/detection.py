"""What flags are worth where the anomalies are known: hits, false flags, delays.

A flag inside an event's windows detects it; a run of flags outside every event is one false flag.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.generators import DAY_MS, Streams


class Detection(NamedTuple):
    """Counts of any number of streams.

    Attributes
    ----------
    planted, found
        Events by kind, and those that were detected.
    right_flags
        Flags inside events.
    false_flags
        Runs of flags outside events.
    delays_ms
        From the start of each event that was detected to the end of the first window with a flag.
    weeks
        Weeks of windows that were there and hold no event.
    """

    planted: Counter[str]
    found: Counter[str]
    right_flags: int
    false_flags: int
    delays_ms: tuple[int, ...]
    weeks: float

    @property
    def recall(self) -> float:
        """Share of events that were detected."""
        return self.found.total() / self.planted.total()

    @property
    def precision(self) -> float:
        """Share of right flags among all; 1 when there are none."""
        n_flags = self.right_flags + self.false_flags
        return self.right_flags / n_flags if n_flags else 1.0

    @property
    def false_per_week(self) -> float:
        """False flags a stream and week."""
        return self.false_flags / self.weeks

    @property
    def median_delay_minutes(self) -> float:
        """Half of the detected events were flagged within this time."""
        return float(np.median(self.delays_ms)) / 60_000 if self.delays_ms else float("nan")


def detect(flags: NDArray[np.bool_], streams: Streams, first: int = 0, last: int | None = None) -> Detection:
    """Count the flags of shape (n_windows, n_streams) in the windows from `first` to `last` (exclusive).

    An event that does not lie between them as a whole counts neither way.
    """
    end = len(flags) if last is None else last
    return total(_stream(flags, streams, stream, first, end) for stream in range(streams.n_streams))


def total(parts: Iterable[Detection]) -> Detection:
    """Add up."""
    planted, found, right, false, delays, weeks = zip(*parts, strict=True)
    return Detection(
        sum(planted, Counter()), sum(found, Counter()), sum(right), sum(false), sum(delays, ()), sum(weeks)
    )


def _stream(flags: NDArray[np.bool_], streams: Streams, stream: int, first: int, last: int) -> Detection:
    events = [event for event in streams.events[stream] if first <= event.first and event.last < last]
    expected = streams.expected_flags(stream)[first:last]
    flagged = flags[first:last, stream]
    hits = {event: np.flatnonzero(flags[event.first : event.last + 1, stream]) for event in events}
    present = ~np.isnan(streams.values[first:last, stream]).all(axis=1)
    false = flagged & ~expected
    return Detection(
        planted=Counter(event.kind for event in events),
        found=Counter(event.kind for event, rows in hits.items() if rows.size),
        right_flags=int((flagged & expected).sum()),
        false_flags=n_runs(false),
        delays_ms=tuple(streams.interval_ms * int(rows[0] + 1) for rows in hits.values() if rows.size),
        weeks=float((present & ~expected).sum()) * streams.interval_ms / (7 * DAY_MS),
    )


def n_runs(flagged: NDArray[np.bool_]) -> int:
    """Return the number of runs of consecutive flags."""
    return int(flagged[:1].sum()) + int((flagged[1:] & ~flagged[:-1]).sum())


def by_kind(detection: Detection) -> Iterable[tuple[str, float]]:
    """Yield the recall of each kind of event, by name."""
    for kind, planted in sorted(detection.planted.items()):
        yield kind, detection.found[kind] / planted
