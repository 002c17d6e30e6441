"""When each detector is polled: one APScheduler job a detector, and one log line a poll, also when it fails.

The only module that reads the clock, and the only one that catches everything, once, around one poll.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor as ClosingThreads
from concurrent.futures import wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job as ScheduledJob
from apscheduler.schedulers.background import BackgroundScheduler

from detector.configuration.config import DetectorConfig
from detector.job import Job
from detector.membership import Membership, NewerSidecarError
from detector.open import ChangedElsewhereError, is_current, open_job
from detector.outcome import Outcome, outcome_of
from detector.poll import PollReport, poll
from detector.resume import StateLostError, look_again
from detector.roster import partition_count
from detector.save import save_checkpoints
from detector.stores import Stores
from detector.trigger import WindowTrigger
from storage.errors import StorageError

log = structlog.get_logger(__name__)

FIRST_RETRY_S = 2
LONGEST_RETRY_S = 60
"""After a failed poll the next one comes after 2 s, then 4, 8, … at most 60, but never later than the interval."""

SETTLE_MS = 1_000
"""A document can be searched only after the next refresh of its index, by default a second after it was written; a
window that is read before is read without its last documents. On top of `window_delay`."""

SHARE_CHANGED_S = 1.0
"""Wait before the poll for a share that changed while another poll ran: by then that one is over."""

EXPECTED = (StorageError, StateLostError, ChangedElsewhereError, NewerSidecarError)
"""Failures that say what is wrong; any other is logged with its place in the code."""

STOP_WITHIN_S = 20
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
    membership
        Which partitions are this process's to work on; None = all, there is no other.
    """

    def __init__(
        self,
        configs: Sequence[DetectorConfig],
        stores: Stores,
        *,
        stopping: threading.Event,
        n_threads: int = 2,
        start_ms: int | None = None,
        membership: Membership | None = None,
    ) -> None:
        self._stopping = stopping
        self._n_threads = n_threads
        self._runners = [_Runner(config, stores, start_ms, stopping.is_set, membership) for config in configs]
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
                WindowTrigger(runner.config.interval, runner.config.window_delay_ms + SETTLE_MS),
                id=runner.config.detector_id,
                name=runner.config.detector_id,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.start()

    def poll_now(self, detector_ids: Collection[str]) -> None:
        """Poll detectors without waiting for their next window."""
        for runner in self._runners:
            if runner.config.detector_id in detector_ids:
                runner.poll_soon(0)

    def stop(self, within_s: float = STOP_WITHIN_S) -> list[str]:
        """Let running polls finish their block and save the models; return the detectors that did not make it.

        Those may hang in a request that is never answered, in threads that the interpreter would wait for: when
        any are returned, the process must be ended without waiting.
        """
        self._stopping.set()
        self._scheduler.pause()
        threads = ClosingThreads(self._n_threads, thread_name_prefix="closing")
        closing = {threads.submit(runner.close): runner.config.detector_id for runner in self._runners}
        unfinished = wait(closing, timeout=within_s).not_done
        threads.shutdown(wait=False, cancel_futures=True)
        self._scheduler.shutdown(wait=not unfinished)
        return sorted(closing[future] for future in unfinished)


class _Runner:
    """Runs the polls of one detector, one at a time."""

    def __init__(
        self,
        config: DetectorConfig,
        stores: Stores,
        start_ms: int | None,
        should_stop: Callable[[], bool],
        membership: Membership | None,
    ) -> None:
        self.config = config
        self.scheduled: ScheduledJob | None = None
        self._stores = stores
        self._start_ms = start_ms
        self._should_stop = should_stop
        self._membership = membership
        self._held_since_s: float | None = None
        self._job: Job | None = None
        self._is_new = True
        self._report = PollReport()
        self._failures = 0
        self._busy = threading.Lock()

    def run(self) -> None:
        """Poll once and write the log line."""
        with self._busy, structlog.contextvars.bound_contextvars(detector=self.config.detector_id):
            if self._should_stop():
                return
            started, now_ms = time.monotonic(), _now_ms()
            self._report = PollReport()
            error: Exception | None = None
            try:
                self._poll(now_ms - SETTLE_MS)
            except Exception as caught:  # noqa: BLE001 - the one place: a failing poll must never end the sidecar
                error = caught
            fields = outcome_of(self._report, self._job, now_ms)
            fields["took_ms"] = round((time.monotonic() - started) * 1000)
            fields |= self._succeeded(fields) if error is None else self._failed(fields, error)
            self._keep(fields, now_ms)
            self._notice_share()

    def _poll(self, now_ms: int) -> None:
        if self._is_new:
            self._stores.prepare()
        if self._membership is not None:
            self._membership.join(now_ms)
        if self._job is not None and not self._is_current(self._job):
            self._job = None
        if self._job is None:
            self._job = open_job(self.config, self._stores, now_ms, self._start_ms, self._share())
        if self._is_new:
            # After opening, which writes down where the windows begin: none is lost until the fields are there.
            self._stores.require(self.config)
            self._is_new = False
        try:
            self._report = poll(
                self._job,
                self._stores,
                now_ms,
                share=self._share,
                should_stop=self._should_stop,
                on_progress=self._progress,
            )
        except StateLostError:
            # Opening it again begins a new generation where this one stopped.
            self._job = None
            raise

    def _share(self) -> frozenset[int]:
        """Return the numbers of the partitions that are this process's."""
        if self._membership is None:
            return frozenset(range(partition_count(self.config.source.category_fields)))
        return self._membership.share(self.config.detector_id)

    def _is_current(self, job: Job) -> bool:
        """Say whether a job in memory is still what stands in the cluster, as far as others may have moved on."""
        if self._membership is None:
            return True
        held_since_s = self._membership.held_since_s
        if held_since_s is None or held_since_s != self._held_since_s:
            look_again(job, self._stores)
        self._held_since_s = held_since_s
        try:
            return is_current(job, self._stores)
        except ChangedElsewhereError:
            job.forget()
            self._membership.withdraw(self.config.detector_id)
            raise

    def _progress(self, report: PollReport) -> None:
        self._report = replace(report)

    def _notice_share(self) -> None:
        """Poll again soon when the share of this process changed after the poll had looked at it."""
        if self._failures == 0 and self._job is not None and self._job.share != self._share():
            self.poll_soon(SHARE_CHANGED_S)

    def _succeeded(self, fields: Outcome) -> Outcome:
        self._failures = 0
        is_ours = self._job is not None and bool(self._job.partitions)
        log.log(logging.INFO if is_ours else logging.DEBUG, "poll", **fields, error=None)
        return {"error": None, "failures": 0}

    def _failed(self, fields: Outcome, error: Exception) -> Outcome:
        self._failures += 1
        # The cluster may come back as another one, without our indices, or with other fields.
        self._is_new = True
        wait_s = self._retry_soon()
        is_expected = isinstance(error, EXPECTED)
        outcome = {
            "error": str(error) if is_expected else f"{type(error).__name__}: {error}",
            "failures": self._failures,
        }
        log.error(
            "poll", **fields, **outcome, next_try_s=round(wait_s, 1), exc_info=None if is_expected else error
        )
        return outcome

    def _retry_soon(self) -> float:
        """Bring the next poll forward; return the seconds until then."""
        interval_s = self.config.interval.milliseconds / 1000
        back_off_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._failures - 1, 10))
        wait_s: float = min(interval_s, back_off_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreading, not secrecy
        self.poll_soon(wait_s)
        return wait_s

    def poll_soon(self, wait_s: float) -> None:
        """Bring the next poll forward."""
        if self.scheduled is not None and not self._should_stop():
            self.scheduled.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=wait_s))

    def _keep(self, fields: Outcome, now_ms: int) -> None:
        """Keep the outcome where `outrider status` reads it; a cluster that is away cannot be told."""
        live = fields | {"interval_s": self.config.interval.milliseconds // 1000}
        try:
            number = 0 if self._membership is None else self._membership.number
            self._stores.state.save_report(self.config.detector_id, live, now_ms, number)
        except StorageError as error:
            log.debug("report_not_saved", error=str(error))

    def close(self) -> None:
        """Wait for a running poll, then save the models that have learned something since."""
        with self._busy:
            try:
                if self._job is not None and self._job.is_resumed:
                    save_checkpoints(self._job, self._stores.checkpoints, every_windows=1)
            except StorageError as error:
                # Not lost: the journal has what the checkpoints lack.
                log.warning("checkpoints_not_saved", detector=self.config.detector_id, error=str(error))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
