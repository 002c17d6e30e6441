"""Replays: detectors brought up to a moment, through the same function that polls them live.

Several processes at one time share the work as live ones do, and each goes on until all of it is done, so that one
that ends well says that everything is there, whatever became of the others.
"""

import threading
import time
from collections.abc import Sequence

import structlog

from detector.commands.connection import Failure, ask
from detector.commands.moment import moment_text
from detector.configuration.config import DetectorConfig
from detector.job import Job
from detector.keeper import Keeper
from detector.membership import RENEWALS, Membership, NewerSidecarError
from detector.memory import Memory
from detector.open import open_job
from detector.outcome import outcome_of
from detector.poll import PollReport, poll
from detector.present import Present
from detector.resume import StateLostError, look_again
from detector.runner import SETTLE_MS
from detector.save import save_checkpoints
from detector.stores import Stores
from storage.errors import NoLeaseLeft, StorageError

log = structlog.get_logger(__name__)


class Replay:
    """A run of some detectors up to a moment.

    Parameters
    ----------
    stores, membership
        The cluster, and this process among the others that work on it.
    memory
        The memory budget of the process.
    start_ms, until_ms
        Where detectors begin that never ran before, and the moment up to which windows are scored, None = now; epoch
        milliseconds. Nothing later than now is read: a detector that is in the future would wait there.
    stopping
        Set when the run is to end after its block.
    """

    def __init__(
        self,
        stores: Stores,
        membership: Membership,
        memory: Memory,
        *,
        start_ms: int | None,
        until_ms: int | None,
        stopping: threading.Event,
    ) -> None:
        self._stores = stores
        self._membership = membership
        self._memory = memory
        self._start_ms = start_ms
        self._wanted_ms = until_ms
        self._until_ms = 0
        self._stopping = stopping

    def run(self, configs: Sequence[DetectorConfig]) -> None:
        """Bring the detectors up to the moment, one after the other; fail in the end when one of them did."""
        ask(self._stores.prepare)
        now_ms = ask(Present(self._stores.cluster_time).now_ms) - SETTLE_MS
        self._until_ms = now_ms if self._wanted_ms is None else min(now_ms, self._wanted_ms)
        with Keeper(self._membership, self._stopping) as keeper:
            failed = [config.detector_id for config in configs if not self._is_brought_up(config)]
        if keeper.refusal:
            raise Failure(keeper.refusal)
        if failed:
            msg = f"{len(failed)} of {len(configs)} detectors failed: {', '.join(failed)}"
            raise Failure(msg)

    def _is_brought_up(self, config: DetectorConfig) -> bool:
        """Bring one detector up; return whether it went well. One that was stopped ends the run."""
        is_complete = False
        try:
            is_complete = self._bring_up(config)
        except (StorageError, StateLostError, NewerSidecarError) as error:
            log.error("replay_failed", detector=config.detector_id, error=str(error))  # noqa: TRY400 - expected: no traceback
            self._membership.withdraw(config.detector_id)
            if not self._stopping.is_set():
                return False
        if not is_complete:
            msg = "stopped before everything was scored; the same command goes on from there"
            raise Failure(msg)
        return True

    def _bring_up(self, config: DetectorConfig) -> bool:
        """Work on our share of a detector until all shares are done; return whether they are."""
        log.info("replaying", detector=config.detector_id, until=moment_text(self._until_ms))
        self._join()
        share = self._membership.share(config.detector_id)
        job = open_job(config, self._stores, self._until_ms, self._start_ms, share, self._memory)
        self._stores.require(config)
        total = self._poll(job)
        while total.is_complete and not self._is_done(job):
            log.info("waiting_for_others", detector=config.detector_id, partitions=len(job.share))
            if self._stopping.wait(self._membership.period_s):
                return False
            look_again(job, self._stores)
            total = total.plus(self._poll(job))
        save_checkpoints(job, self._stores.checkpoints, every_entries=1)
        outcome = outcome_of(total, job, self._until_ms)
        log.info("replayed", detector=config.detector_id, **outcome)
        self._stores.state.save_report(config.detector_id, outcome, _wall_ms(), self._membership.number)
        return total.is_complete

    def _join(self) -> None:
        """Take a lease; where all are taken, give those of the dead the time to run out."""
        for _ in range(RENEWALS):
            try:
                return self._membership.join(_wall_ms())
            except NoLeaseLeft:
                self._stopping.wait(self._membership.period_s)
        return self._membership.join(_wall_ms())

    def _poll(self, job: Job) -> PollReport:
        """Poll until every partition had its turn: those that do not fit into memory sleep meanwhile."""
        total = self._poll_once(job)
        while job.is_behind and not self._stopping.is_set():
            total = total.plus(self._poll_once(job))
        return total

    def _poll_once(self, job: Job) -> PollReport:
        return poll(
            job,
            self._stores,
            self._until_ms,
            share=lambda: self._membership.share(job.detector_id),
            should_stop=self._stopping.is_set,
        )

    def _is_done(self, job: Job) -> bool:
        """Say whether nothing is left, also of the shares of others."""
        if len(job.share) == job.n_partitions:
            return not job.is_behind
        return job.is_done(self._stores.state.markers(job.logs), self._until_ms)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
