"""Whether confidence means something: of alarms with confidence near c, the share inside labelled windows."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import weigh
from benchmarks.quality.generated import StreamsRun
from benchmarks.quality.labelled import SeriesRun
from benchmarks.quality.rows import Row, row

N_BINS = 5
"""Groups of equally many alarms, by confidence: most alarms come from models that have seen much."""


def calibration_rows(labelled: Sequence[SeriesRun], generated: Sequence[StreamsRun]) -> Iterator[Row]:
    """Yield mean confidence and share of right alarms, group by group of ascending confidence."""
    for source, alarms in (("nab", _labelled(labelled)), ("seasonal", _generated(generated))):
        if len(alarms) < N_BINS:
            continue
        ascending = alarms[np.argsort(alarms[:, 0], kind="stable")]
        for number, group in enumerate(np.array_split(ascending, N_BINS), 1):
            case = f"{source}, alarms by confidence, fifth {number}"
            yield row(case, "confidence", "1", group[:, 0].tolist())
            yield row(case, "share_in_windows", "1", [float(group[:, 1].mean())])


def _labelled(runs: Sequence[SeriesRun]) -> NDArray[np.float64]:
    """Return confidence and whether it is right (1 or 0) of every alarm after the probation, shape (n, 2)."""
    alarms = [np.empty((0, 2))]
    for one in runs:
        _, window = weigh(one.series)
        for seed in range(one.run.flags.shape[1]):
            rows = np.flatnonzero(one.flags(seed) & (window != -2))
            alarms.append(np.column_stack([one.run.scored.confidence[rows, seed], window[rows] >= 0]))
    return np.concatenate(alarms)


def _generated(runs: Sequence[StreamsRun]) -> NDArray[np.float64]:
    alarms = [np.empty((0, 2))]
    for one in runs:
        for stream in range(one.streams.n_streams):
            right = one.streams.expected_flags(stream)
            rows = np.flatnonzero(one.run.flags[:, stream])
            alarms.append(np.column_stack([one.run.scored.confidence[rows, stream], right[rows]]))
    return np.concatenate(alarms)
