"""When and how long a failed request is tried again: the only place that waits for the cluster.

Only for `Unavailable`, within a number of attempts and a total time, and never past a request to stop.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import structlog
from tenacity import AttemptManager, RetryCallState, Retrying, retry_if_exception
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_after_attempt, stop_before_delay, stop_when_event_set
from tenacity.wait import wait_exponential_jitter

from storage.errors import Unavailable, Untrusted

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Retry:
    """Call something again while the cluster is unavailable.

    The wait doubles from ``first_wait_s`` to ``longest_wait_s``, plus a random part of up to ``jitter_s`` so
    that many detectors do not come back at the same moment. A longer wait that the other side asks for
    (Retry-After) is kept; when it would end after ``total_s``, the error is raised at once.

    Attributes
    ----------
    n_attempts
        Calls at most, the first one included. 1 turns retries off.
    total_s
        No attempt begins later than this many seconds after the first one began.
    stop
        When set: no more waiting, and no attempt but the first. A call that begins afterwards still has its
        one attempt, so that what is finished can be written before the process ends.
    """

    n_attempts: int = 6
    total_s: float = 60.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 15.0
    jitter_s: float = 0.5
    stop: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``call`` returns; errors as for `attempts`."""
        for attempt in self.attempts():
            with attempt:
                return call(*args, **kwargs)
        msg = "unreachable: the last attempt returns or raises"
        raise AssertionError(msg)

    def attempts(self) -> Iterator[AttemptManager]:
        """Yield context managers: the body of each is one attempt, the last one leaves the loop.

        Raises
        ------
        Unavailable
            The last one, when attempts or time are used up or ``stop`` was set.
        StorageError
            Any other, at once.
        """
        failed: list[BaseException] = []

        def note(state: RetryCallState) -> None:
            error = _error_of(state)
            failed.extend([error] if error else [])
            log.info(
                "storage_retry",
                attempt=state.attempt_number,
                wait_s=round(state.upcoming_sleep, 2),
                reason=str(error),
            )

        for attempt in self._retrying(note):
            if failed and self.stop.is_set():
                # the wait was cut short: another attempt could take longer than there is time to stop
                raise failed[-1]
            yield attempt

    def _retrying(self, before_sleep: Callable[[RetryCallState], None]) -> Retrying:
        backoff = wait_exponential_jitter(
            multiplier=self.first_wait_s, max=self.longest_wait_s, jitter=self.jitter_s
        )
        return Retrying(
            retry=retry_if_exception(_is_worth_waiting),
            stop=stop_after_attempt(self.n_attempts)
            | stop_before_delay(self.total_s)
            | stop_when_event_set(self.stop),
            wait=lambda state: max(backoff(state), _asked_for_s(state)),
            sleep=sleep_using_event(self.stop),
            before_sleep=before_sleep,
            reraise=True,
        )


ONCE = Retry(n_attempts=1)
"""No retries: for tests, and for callers that have their own next time."""


def _is_worth_waiting(error: BaseException) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, Untrusted)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _asked_for_s(state: RetryCallState) -> float:
    """Return the wait that the other side asked for, 0 when it did not."""
    error = _error_of(state)
    return (error.retry_after_s or 0.0) if isinstance(error, Unavailable) else 0.0
