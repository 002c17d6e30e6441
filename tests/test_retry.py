"""Retry: only while the cluster is unavailable, within bounds, and ended at once by a request to stop."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from storage.errors import BadRequest, StorageError, Unavailable, Untrusted
from storage.retry import ONCE, Retry

FAST = Retry(first_wait_s=0, jitter_s=0)


def failing(error: Exception, times: int) -> tuple[Callable[[], str], list[float]]:
    """Return a call that fails some times and then succeeds, and the list of its times."""
    calls: list[float] = []

    def call() -> str:
        calls.append(time.monotonic())
        if len(calls) <= times:
            raise error
        return "done"

    return call, calls


def test_the_result_comes_through_after_failures() -> None:
    """Two failures, then the answer."""
    call, calls = failing(Unavailable("away"), 2)
    assert FAST(call) == "done"
    assert len(calls) == 3


def test_arguments_are_passed_on() -> None:
    """The call is not wrapped in anything."""
    assert FAST(lambda a, b: a - b, 5, b=3) == 2


def test_attempts_are_bounded() -> None:
    """The last error is raised as it is, not wrapped."""
    error = Unavailable("away")
    call, calls = failing(error, 99)
    with pytest.raises(Unavailable) as caught:
        Retry(n_attempts=4, first_wait_s=0, jitter_s=0)(call)
    assert caught.value is error
    assert len(calls) == 4


@pytest.mark.parametrize("error", [BadRequest("no"), Untrusted("certificate"), ValueError("ours")])
def test_what_waiting_does_not_mend_is_raised_at_once(error: Exception) -> None:
    """A refusal, a certificate, a programming error."""
    call, calls = failing(error, 99)
    with pytest.raises(type(error)):
        FAST(call)
    assert len(calls) == 1


def test_one_attempt_turns_retries_off() -> None:
    """For callers that have their own next time."""
    call, calls = failing(Unavailable("away"), 1)
    with pytest.raises(Unavailable):
        ONCE(call)
    assert len(calls) == 1


def test_total_time_is_bounded() -> None:
    """No wait begins that would end after the bound."""
    call, calls = failing(Unavailable("away"), 99)
    begin = time.monotonic()
    with pytest.raises(Unavailable):
        Retry(n_attempts=99, total_s=0.2, first_wait_s=0.05, longest_wait_s=0.05, jitter_s=0)(call)
    assert time.monotonic() - begin < 0.2
    assert 2 <= len(calls) <= 5


def test_waits_grow_and_stay_below_the_longest() -> None:
    """0.05, 0.1, 0.1 seconds."""
    call, calls = failing(Unavailable("away"), 3)
    Retry(first_wait_s=0.05, longest_wait_s=0.1, jitter_s=0)(call)
    waits = [after - before for before, after in pairwise(calls)]
    assert waits[0] >= 0.05
    assert waits[1] >= 0.1
    assert waits[2] >= 0.1
    assert sum(waits) < 1.0


def test_jitter_makes_waits_differ() -> None:
    """Many detectors must not come back at the same moment."""
    waits = []
    for _ in range(5):
        call, calls = failing(Unavailable("away"), 1)
        Retry(first_wait_s=0, jitter_s=0.02)(call)
        waits.append(round(calls[1] - calls[0], 4))
    assert len(set(waits)) > 1


def test_a_longer_wait_that_was_asked_for_is_kept() -> None:
    """Retry-After wins over a shorter back-off."""
    call, calls = failing(Unavailable("busy", retry_after_s=0.15), 1)
    FAST(call)
    assert calls[1] - calls[0] >= 0.15


def test_a_wait_beyond_the_total_time_is_not_begun() -> None:
    """The caller has a next interval; waiting an hour inside this one helps nobody."""
    call, calls = failing(Unavailable("busy", retry_after_s=3600), 1)
    with pytest.raises(Unavailable):
        FAST(call)
    assert len(calls) == 1


def test_a_request_to_stop_ends_the_wait_without_another_attempt() -> None:
    """SIGTERM: an attempt could take longer than there is time to stop."""
    stop = threading.Event()
    call, calls = failing(Unavailable("away"), 99)
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    begin = time.monotonic()
    with pytest.raises(Unavailable, match="away"):
        Retry(first_wait_s=30, total_s=99, jitter_s=0, stop=stop)(call)
    timer.join()
    assert time.monotonic() - begin < 5
    assert len(calls) == 1


def test_after_a_request_to_stop_each_call_has_one_attempt() -> None:
    """What is finished can still be written before the process ends."""
    stop = threading.Event()
    stop.set()
    retry = Retry(first_wait_s=0, jitter_s=0, stop=stop)
    assert retry(lambda: "written") == "written"
    call, calls = failing(Unavailable("away"), 99)
    with pytest.raises(Unavailable):
        retry(call)
    assert len(calls) == 1


def test_attempts_can_be_walked_by_the_caller() -> None:
    """The shape for what is not one call; `break` and `return` are not needed to end the loop."""
    seen = []
    for attempt in FAST.attempts():
        with attempt:
            seen.append(len(seen))
            if len(seen) < 3:
                msg = "away"
                raise Unavailable(msg)
    assert seen == [0, 1, 2]


def test_every_wait_is_logged_with_its_reason() -> None:
    """One line a wait, none for success."""
    call, _ = failing(Unavailable("the cluster is away"), 2)
    with capture_logs() as logs:
        FAST(call)
    assert [(line["event"], line["attempt"], line["reason"]) for line in logs] == [
        ("storage_retry", 1, "the cluster is away"),
        ("storage_retry", 2, "the cluster is away"),
    ]


def test_a_storage_error_is_never_swallowed() -> None:
    """Whatever class: it comes out."""
    with pytest.raises(StorageError, match="x"):
        FAST(failing(StorageError("x"), 99)[0])
