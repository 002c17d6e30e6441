"""The largest departure on record: what one is measured by, and how it grows. Knows sizes, not what departed."""

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.model.season import Record

OVER = 0.5
"""A run of departures is over when they fall below this share of the record; what it reached then enters the record."""

BROKEN = 1.2
"""A departure so many times the record is taken for an anomaly."""

BROKEN_GROWTH = 1.05
"""What an anomaly does to the record, whatever its size: it must not hide the next one, but what keeps on happening
must become ordinary. Four of the rarest events raise it by a fifth."""

RECORD = np.dtype([("most", np.float64), ("run", np.float64)], align=True)
"""The largest departure on record, and what the run of windows at hand has reached, 0 when there is none."""


@inner
def reset_record(record: Record) -> None:
    """Forget the record."""
    record["most"] = 0.0
    record["run"] = 0.0


@inner
def compare(record: Record, size: float, is_young: bool, kept: float) -> float:  # noqa: FBT001 - kernels have no keywords
    """Return how many times the record a departure is, and enter it."""
    record["most"] *= kept
    most = record["most"]
    if is_young:
        record["most"] = max(most, size)
        return 0.0
    if size > OVER * most:
        record["run"] = max(record["run"], size)
    elif record["run"] > 0.0:
        is_broken = most > 0.0 and record["run"] > BROKEN * most
        record["most"] = BROKEN_GROWTH * most if is_broken else max(most, record["run"])
        record["run"] = 0.0
    return size / most if most > 0.0 else 0.0
