"""What a poll has come to, as key-values: for the log line and for `outrider status`."""

from datetime import UTC, datetime
from typing import NamedTuple

from detector.configuration.config import DetectorConfig
from detector.job import Job
from detector.poll import PollReport

Outcome = dict[str, object]


class Polled(NamedTuple):
    """What a poll has come to, as numbers; counts are of this poll alone, None = not known.

    Attributes
    ----------
    detector_id, interval_s
        The detector, and the length of its windows.
    seconds
        How long the poll took.
    windows, results, anomalies, refused
        Windows committed, documents written, those with a grade above 0, those refused for good.
    frontier_s
        End of the last window that is done, seconds since the epoch.
    lag_s
        How far that is behind the present.
    entities, partitions, model_bytes
        Known entities, partitions held, and memory of their models.
    failures, error
        Failed polls in a row, and what the last failed of.
    """

    detector_id: str
    interval_s: float
    seconds: float
    windows: int
    results: int
    anomalies: int
    refused: int
    frontier_s: float | None
    lag_s: float | None
    entities: int | None
    partitions: int
    model_bytes: int
    failures: int
    error: str | None


def polled_of(
    report: PollReport, job: Job | None, config: DetectorConfig, now_ms: int, seconds: float
) -> Polled:
    """Return what a poll of `seconds` has come to, as if it had gone well; the rest as in `outcome_of`."""
    known, done_ms = _known(job)
    return Polled(
        detector_id=config.detector_id,
        interval_s=config.interval.milliseconds / 1000,
        seconds=seconds,
        windows=report.windows,
        results=report.results,
        anomalies=report.anomalies,
        refused=report.refused,
        frontier_s=None if done_ms is None else done_ms / 1000,
        lag_s=None if done_ms is None else (now_ms - done_ms) / 1000,
        entities=known.n_entities if known else None,
        partitions=len(known.partitions) if known else 0,
        model_bytes=known.used_bytes if known else 0,
        failures=0,
        error=None,
    )


def outcome_of(report: PollReport, job: Job | None, now_ms: int) -> Outcome:
    """Return what a poll has done and how far the detector is.

    Parameters
    ----------
    report
        Counts of the poll, also of one that failed half-way.
    job
        The detector; None when it could not be opened. What is not known of it is None.
    now_ms
        The moment of the poll, epoch milliseconds.
    """
    known, done_ms = _known(job)
    return {
        "windows": report.windows,
        "results": report.results,
        "anomalies": report.anomalies,
        "refused": report.refused,
        "entities": known.n_entities if known else None,
        "frontier": None if done_ms is None else _text(done_ms),
        "lag_s": None if done_ms is None else (now_ms - done_ms) // 1000,
    }


def _known(job: Job | None) -> tuple[Job | None, int | None]:
    """Return a job that has been resumed and the end of its last window that is done; None of one that has not."""
    return (job, job.done_ms) if job is not None and job.partitions else (None, None)


def _text(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
