"""When each detector is polled: one APScheduler job a detector, and one log line a poll, also when it fails.

The only module that reads the clock, and the only one that catches everything, once, around one poll.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job as ScheduledJob
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from detector.config import DetectorConfig
from detector.job import Job
from detector.open import open_job
from detector.poll import PollReport, poll
from detector.save import save_checkpoints
from detector.stores import Stores
from storage.errors import StorageError

log = structlog.get_logger(__name__)

FIRST_RETRY_S = 2
LONGEST_RETRY_S = 60
"""After a failed poll the next one comes after 2 s, then 4, 8, … at most 60, but never later than the interval."""

JITTER_S = 2.0
"""Polls are spread by at most this and at most a tenth of the interval, so that detectors do not query at once."""

STOP_WITHIN_S = 25
"""Time that running polls get to finish their block; state in the cluster is right also when they do not."""


class Schedule:
    """Polls detectors until stopped.

    Parameters
    ----------
    configs
        The detectors.
    stores
        The cluster.
    stopping
        Set when the sidecar is to stop: polls end after their block, retries are given up.
    n_threads
        Detectors that are polled at the same time, at most.
    start_ms
        Where detectors that are not registered yet begin, epoch milliseconds; None = with the window open now.
    """

    def __init__(
        self,
        configs: Sequence[DetectorConfig],
        stores: Stores,
        *,
        stopping: threading.Event,
        n_threads: int = 2,
        start_ms: int | None = None,
    ) -> None:
        self._stopping = stopping
        self._runners = [_Runner(config, stores, start_ms, stopping.is_set) for config in configs]
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(n_threads)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def start(self) -> None:
        """Schedule every detector, its first poll at once, and return."""
        for runner in self._runners:
            runner.scheduled = self._scheduler.add_job(
                runner.run,
                _trigger(runner.config),
                id=runner.config.detector_id,
                name=runner.config.detector_id,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.start()

    def stop(self) -> bool:
        """Let running polls finish their block, save the models; return whether all of them made it in time."""
        self._stopping.set()
        self._scheduler.pause()
        deadline = time.monotonic() + STOP_WITHIN_S
        is_clean = all([runner.close(deadline) for runner in self._runners])
        self._scheduler.shutdown(wait=is_clean)
        return is_clean


def _trigger(config: DetectorConfig) -> IntervalTrigger:
    """Return a trigger that fires when a window has closed and its delay has passed."""
    interval_s = config.interval.milliseconds / 1000
    closed_ms = config.interval.floor(_now_ms()) + config.window_delay_ms
    jitter_s = min(JITTER_S, interval_s / 10)
    return IntervalTrigger(
        seconds=interval_s, start_date=datetime.fromtimestamp(closed_ms / 1000, UTC), jitter=jitter_s
    )


class _Runner:
    """Runs the polls of one detector, one at a time."""

    def __init__(
        self, config: DetectorConfig, stores: Stores, start_ms: int | None, should_stop: Callable[[], bool]
    ) -> None:
        self.config = config
        self.scheduled: ScheduledJob | None = None
        self._stores = stores
        self._start_ms = start_ms
        self._should_stop = should_stop
        self._job: Job | None = None
        self._failures = 0
        self._last_report: dict[str, object] = {}
        self._busy = threading.Lock()

    def run(self) -> None:
        """Poll once and write the log line."""
        with self._busy:
            if self._should_stop():
                return
            started = time.monotonic()
            now_ms = _now_ms()
            try:
                report = self._poll(now_ms)
            except Exception as error:  # noqa: BLE001 - the one place: a failing poll must never end the sidecar
                self._failed(error, started, now_ms)
            else:
                self._succeeded(report, started, now_ms)

    def _poll(self, now_ms: int) -> PollReport:
        if self._job is None:
            self._stores.prepare()
            self._job = open_job(self.config, self._stores, now_ms, self._start_ms)
        return poll(self._job, self._stores, now_ms, should_stop=self._should_stop)

    def _succeeded(self, report: PollReport, started: float, now_ms: int) -> None:
        self._failures = 0
        fields = asdict(report) | {
            "lag_s": (now_ms - report.frontier_ms) // 1000,
            "took_ms": round((time.monotonic() - started) * 1000),
        }
        log.info("poll", detector=self.config.detector_id, **fields)
        self._last_report = fields
        self._report(fields | {"error": None}, now_ms)

    def _failed(self, error: Exception, started: float, now_ms: int) -> None:
        self._failures += 1
        wait_s = self._retry_soon()
        is_expected = isinstance(error, StorageError)
        log.error(
            "poll",
            detector=self.config.detector_id,
            error=str(error) if is_expected else f"{type(error).__name__}: {error}",
            failures=self._failures,
            next_try_s=round(wait_s, 1),
            took_ms=round((time.monotonic() - started) * 1000),
            exc_info=not is_expected,
        )
        self._report(self._last_report | {"error": str(error), "failures": self._failures}, now_ms)

    def _retry_soon(self) -> float:
        """Bring the next poll forward; return the seconds until then."""
        interval_s = self.config.interval.milliseconds / 1000
        back_off_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._failures - 1, 10))
        wait_s = min(interval_s, back_off_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreading, not secrecy
        if self.scheduled is not None and not self._should_stop():
            self.scheduled.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=wait_s))
        return wait_s

    def _report(self, fields: dict[str, object], now_ms: int) -> None:
        """Keep the outcome where `outrider status` reads it; a cluster that is away cannot be told."""
        try:
            self._stores.state.save_report(self.config.detector_id, fields, now_ms)
        except StorageError as error:
            log.debug("report_not_saved", detector=self.config.detector_id, error=str(error))

    def close(self, deadline: float) -> bool:
        """Wait for a running poll, then save the models that have learned something since."""
        if not self._busy.acquire(timeout=max(0.0, deadline - time.monotonic())):
            log.warning("poll_abandoned", detector=self.config.detector_id)
            return False
        try:
            if self._job is not None and self._job.is_resumed:
                save_checkpoints(self._job, self._stores.checkpoints, every_windows=1)
        except StorageError as error:
            # Not lost: the journal has what the checkpoints lack.
            log.warning("checkpoints_not_saved", detector=self.config.detector_id, error=str(error))
        finally:
            self._busy.release()
        return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
