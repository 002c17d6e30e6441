"""When each detector is polled: one APScheduler job a detector, after its windows, never two polls of one at once."""

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor as ClosingThreads
from concurrent.futures import wait
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from detector.configuration.config import DetectorConfig
from detector.membership import Membership
from detector.memory import Memory
from detector.outcome import Polled
from detector.present import Present
from detector.runner import Runner
from detector.stores import Stores

STOP_WITHIN_S = 20
"""Time that running polls get to finish their block; state in the cluster is right also when they do not."""


SOON = "soon"
"""Name of the thread that brings polls forward, and tells that the scheduler turns: it must not wait for those that
poll."""

TURN_S = 5


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
    catch_up_ms
        How far back windows are caught up after an outage, milliseconds; None = all.
    membership
        Which partitions are this process's to work on; None = all, there is no other.
    on_poll
        Told of every poll that has ended, on the thread of the poll.
    on_turn
        Called every few seconds while the scheduler turns.
    memory
        The memory budget of the process; None = no limit.
    """

    def __init__(
        self,
        configs: Sequence[DetectorConfig],
        stores: Stores,
        *,
        stopping: threading.Event,
        n_threads: int = 2,
        start_ms: int | None = None,
        catch_up_ms: int | None = None,
        membership: Membership | None = None,
        on_poll: Callable[[Polled], None] = lambda _: None,
        on_turn: Callable[[], None] = lambda: None,
        memory: Memory | None = None,
    ) -> None:
        self._stopping = stopping
        self._n_threads = n_threads
        self._on_turn = on_turn
        present = Present(stores.cluster_time)
        self._runners = {
            config.detector_id: Runner(
                config,
                stores,
                present,
                stopping,
                start_ms=start_ms,
                catch_up_ms=catch_up_ms,
                membership=membership,
                on_poll=on_poll,
                memory=memory,
            )
            for config in configs
        }
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(n_threads), SOON: ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def start(self) -> None:
        """Schedule every detector, its first poll at once, and return."""
        for name, runner in self._runners.items():
            self._scheduler.add_job(
                runner.run,
                runner.trigger,
                id=name,
                name=name,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(self._on_turn, "interval", seconds=TURN_S, executor=SOON)
        self._scheduler.add_listener(self._follow, EVENT_JOB_EXECUTED)
        self._scheduler.start()

    def _follow(self, event: JobExecutionEvent) -> None:
        """Bring the next poll forward when the one that has ended asks for it.

        Not earlier, since of a job that still runs the scheduler drops what is due; and by a job of its own, since
        this may be called while the scheduler is about to write down the regular next time.
        """
        runner = self._runners.get(event.job_id)
        if runner is None or runner.next_s is None or self._stopping.is_set():
            return
        self._scheduler.add_job(
            self.poll_now,
            "date",
            [[event.job_id]],
            run_date=datetime.now(UTC) + timedelta(seconds=runner.next_s),
            id=f"{event.job_id}~soon",
            replace_existing=True,
            executor=SOON,
        )

    def poll_all_now(self) -> None:
        """Poll every detector without waiting, after the clock of this host was set."""
        self.poll_now(list(self._runners))

    def poll_now(self, detector_ids: Collection[str]) -> None:
        """Poll detectors without waiting for their next window; one that is being polled sees to it itself."""
        for name in self._runners.keys() & detector_ids:
            if not self._stopping.is_set():
                self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    @property
    def refusal(self) -> str:
        """Why this process must stop, for people; empty when nothing is wrong."""
        return next((runner.refusal for runner in self._runners.values() if runner.refusal), "")

    def stop(self, within_s: float = STOP_WITHIN_S) -> list[str]:
        """Let running polls finish their block and save the models; return the detectors that did not make it.

        Those may hang in a request that is never answered, in threads that the interpreter would wait for: when
        any are returned, the process must be ended without waiting.
        """
        self._stopping.set()
        self._scheduler.pause()
        threads = ClosingThreads(self._n_threads, thread_name_prefix="closing")
        closing = {threads.submit(runner.close): name for name, runner in self._runners.items()}
        unfinished = wait(closing, timeout=within_s).not_done
        threads.shutdown(wait=False, cancel_futures=True)
        self._scheduler.shutdown(wait=not unfinished)
        return sorted(closing[future] for future in unfinished)
