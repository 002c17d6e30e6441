"""The polls of one detector: opened when need be, one at a time, with one log line each, also when it fails.

The only module that catches everything, once, around one poll.
"""

import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from detector.configuration.config import DetectorConfig
from detector.job import Job
from detector.membership import Membership, NewerSidecarError
from detector.memory import Memory
from detector.open import ChangedElsewhereError, is_current, open_job
from detector.outcome import Outcome, Polled, outcome_of, polled_of
from detector.packing import NewerFormatError, PackingError
from detector.poll import PollReport, poll
from detector.present import Present
from detector.resume import StateLostError, look_again
from detector.roster import partition_count
from detector.save import save_checkpoints
from detector.stores import Stores
from detector.trigger import WindowTrigger
from storage.errors import SchemaMismatch, StorageError

log = structlog.get_logger(__name__)

FIRST_RETRY_S = 2
LONGEST_RETRY_S = 60
"""After a failed poll the next one comes after 2 s, then 4, 8, … at most 60, but never later than the interval."""

SETTLE_MS = 1_000
"""A document can be searched only after the next refresh of its index, by default a second after it was written; a
window that is read before is read without its last documents. On top of `window_delay`."""

SLICE_S = 5.0
"""A detector that has much to catch up ends its poll after this time and queues again behind the others, so that
their windows are not kept waiting."""

NEWER = (NewerSidecarError, NewerFormatError, SchemaMismatch)
"""Failures by which this process learns that a newer release works on the state: it must stop."""

EXPECTED = (StorageError, StateLostError, ChangedElsewhereError, PackingError, *NEWER)
"""Failures that say what is wrong; any other is logged with its place in the code."""


class Runner:
    """Runs the polls of one detector, one at a time.

    Parameters
    ----------
    config, stores, present
        The detector, the cluster, and what time it is.
    stopping
        Set when the sidecar is to stop.
    start_ms
        Where the detector begins when it is not registered yet, epoch milliseconds; None = with the window open now.
    catch_up_ms
        How far back windows are caught up after an outage, milliseconds; None = all.
    membership
        Which partitions are this process's to work on; None = all, there is no other.
    on_poll
        Told of every poll that has ended.
    memory
        The memory budget of the process; None = no limit.

    Attributes
    ----------
    trigger
        When the next poll is due.
    next_s
        Seconds until the next poll, None when it is enough to wait for the next window.
    refusal
        Why this process must stop, for people; empty when nothing is wrong.
    """

    def __init__(
        self,
        config: DetectorConfig,
        stores: Stores,
        present: Present,
        stopping: threading.Event,
        *,
        start_ms: int | None = None,
        catch_up_ms: int | None = None,
        membership: Membership | None = None,
        on_poll: Callable[[Polled], None] = lambda _: None,
        memory: Memory | None = None,
    ) -> None:
        self.config = config
        self.trigger = WindowTrigger(config.interval, config.window_delay_ms + SETTLE_MS)
        self.next_s: float | None = None
        self.refusal = ""
        self._stores = stores
        self._present = present
        self._stopping = stopping
        self._start_ms = start_ms
        self._catch_up_ms = catch_up_ms
        self._membership = membership
        self._on_poll = on_poll
        self._memory = memory
        self._held_since_s: float | None = None
        self._job: Job | None = None
        self._is_new = True
        self._report = PollReport()
        self._failures = 0
        self._busy = threading.Lock()

    def run(self) -> None:
        """Poll once and write the log line."""
        with self._busy, structlog.contextvars.bound_contextvars(detector=self.config.detector_id):
            if self._stopping.is_set():
                return
            started, now_ms = time.monotonic(), _now_ms()
            self.next_s = None
            self._report = PollReport()
            error: Exception | None = None
            try:
                self._poll()
            except Exception as caught:  # noqa: BLE001 - the one place: a failing poll must never end the sidecar
                error = caught
            seconds = time.monotonic() - started
            fields = outcome_of(self._report, self._job, now_ms) | {"took_ms": round(seconds * 1000)}
            fields |= self._succeeded(fields) if error is None else self._failed(fields, error)
            self._keep(fields, now_ms)
            polled = polled_of(self._report, self._job, self.config, now_ms, seconds)
            said = None if error is None else str(fields["error"])
            self._on_poll(polled._replace(failures=self._failures, error=said))
            if error is None:
                self.next_s = self._wait_s()

    def _wait_s(self) -> float | None:
        """Return the seconds until the next poll, None when the next window is soon enough."""
        if self._job is not None and self._is_more(self._job):
            return 0
        if self._present.ahead_ms:
            # The schedule goes by the clock of this host, which is wrong.
            now = datetime.fromtimestamp(self._present.now_ms() / 1000, UTC)
            due: datetime = self.trigger.get_next_fire_time(None, now)
            return (due - now).total_seconds()
        return None

    def _is_more(self, job: Job) -> bool:
        """Say whether there is more to do now: windows to catch up, or partitions that became ours meanwhile."""
        return not self._report.is_complete or job.share != self._share()

    def _poll(self) -> None:
        """Open the detector if need be, and poll it for a slice of time."""
        if self._is_new:
            self._stores.prepare()
        now_ms = self._present.now_ms() - SETTLE_MS
        if self._membership is not None:
            self._membership.join(now_ms)
        if self._job is not None and not self._is_current(self._job):
            self._job = None
        if self._job is None:
            self._job = open_job(
                self.config, self._stores, now_ms, self._start_ms, self._share(), self._memory
            )
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
                oldest_ms=self._oldest_ms(now_ms),
                should_stop=_Slice(self._stopping),
                on_progress=self._progress,
            )
        except StateLostError:
            # Opening it again begins a new generation where this one stopped.
            self._job = None
            raise

    def _oldest_ms(self, now_ms: int) -> int | None:
        """Return the moment up to which windows are not caught up; one that may be read only now is never too old."""
        if self._catch_up_ms is None:
            return None
        return (
            now_ms - self.config.window_delay_ms - max(self._catch_up_ms, self.config.interval.milliseconds)
        )

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

    def _succeeded(self, fields: Outcome) -> Outcome:
        self._failures = 0
        is_ours = self._job is not None and bool(self._job.partitions)
        log.log(logging.INFO if is_ours else logging.DEBUG, "poll", **fields, error=None)
        return {"error": None, "failures": 0}

    def _failed(self, fields: Outcome, error: Exception) -> Outcome:
        self._failures += 1
        # The cluster may come back as another one, without our indices, or with other fields.
        self._is_new = True
        wait_s = self.next_s = self._back_off_s()
        if isinstance(error, NEWER):
            self.refusal = str(error)
            self._stopping.set()
        is_expected = isinstance(error, EXPECTED)
        outcome = {
            "error": str(error) if is_expected else f"{type(error).__name__}: {error}",
            "failures": self._failures,
        }
        log.error(
            "poll", **fields, **outcome, next_try_s=round(wait_s, 1), exc_info=None if is_expected else error
        )
        return outcome

    def _back_off_s(self) -> float:
        """Return the seconds until the next try."""
        interval_s = self.config.interval.milliseconds / 1000
        back_off_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._failures - 1, 10))
        wait_s: float = min(interval_s, back_off_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreading, not secrecy
        return wait_s

    def _keep(self, fields: Outcome, now_ms: int) -> None:
        """Keep the outcome where `outrider status` reads it; a cluster that is away cannot be told."""
        interval_s = self.config.interval.milliseconds // 1000
        live = fields | {"interval_s": interval_s, "host": socket.gethostname()}
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
                    save_checkpoints(self._job, self._stores.checkpoints, every_entries=1)
            except StorageError as error:
                # Not lost: the journal has what the checkpoints lack.
                log.warning("checkpoints_not_saved", detector=self.config.detector_id, error=str(error))


class _Slice:
    """Says when a poll has to end: at a stop, and when its time is over.

    Time counts from the first question, so that a poll has one block at least, however slow everything is.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._end_s: float | None = None

    def __call__(self) -> bool:
        if self._end_s is None:
            self._end_s = time.monotonic() + SLICE_S
        return self._stopping.is_set() or time.monotonic() > self._end_s


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
