"""What a poll has come to, as key-values: for the log line and for `outrider status`."""

from datetime import UTC, datetime

from detector.job import Job
from detector.poll import PollReport

Outcome = dict[str, object]


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
    is_known = job is not None and bool(job.partitions)
    frontier_ms = job.frontier_ms if job is not None and is_known else None
    return {
        "windows": report.windows,
        "results": report.results,
        "anomalies": report.anomalies,
        "refused": report.refused,
        "entities": job.n_entities if job is not None and is_known else None,
        "frontier": None if frontier_ms is None else _text(frontier_ms),
        "lag_s": None if frontier_ms is None else (now_ms - frontier_ms) // 1000,
    }


def _text(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
