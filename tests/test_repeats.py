"""Errors that repeat: logged once, then summed up."""

import logging

import pytest
import structlog

from detector.commands import logs
from detector.commands.repeats import MOST_KEPT, QUIET_S, Repeats


class Clock:
    """A clock that a test sets."""

    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    """Return a clock at 0."""
    return Clock()


def logged(repeats, method="error", **event):
    """Return the event as it is logged, or None when it is dropped."""
    try:
        return repeats(None, method, event)
    except structlog.DropEvent:
        return None


def test_the_first_is_logged_and_the_others_are_counted(clock):
    """Within five minutes none like it; afterwards one, with the number of those in between."""
    repeats, event = Repeats(clock), {"event": "poll", "detector": "a", "error": "away"}
    assert logged(repeats, **event) == event
    for _ in range(7):
        clock.now_s += 30
        assert logged(repeats, **event) is None
    clock.now_s = QUIET_S
    assert logged(repeats, **event) == {**event, "repeated": 7}
    clock.now_s = 2 * QUIET_S
    assert logged(repeats, **event) == event


def test_what_differs_is_logged(clock):
    """Another detector, another reason and another event each have their own first time."""
    repeats = Repeats(clock)
    assert logged(repeats, event="poll", detector="a", error="away")
    assert logged(repeats, event="poll", detector="b", error="away")
    assert logged(repeats, event="poll", detector="a", error="refused")
    assert logged(repeats, event="document_refused", detector="a", reason="x")


def test_ordinary_events_are_never_dropped(clock):
    """A poll a minute is a line a minute."""
    repeats = Repeats(clock)
    assert all(logged(repeats, "info", event="poll", detector="a", error=None) for _ in range(5))


def test_texts_that_never_repeat_do_not_fill_the_memory(clock):
    """The oldest are forgotten, the newest are not."""
    repeats = Repeats(clock)
    for number in range(MOST_KEPT + 100):
        clock.now_s += 0.001
        assert logged(repeats, event="poll", error=f"took {number} ms")
    assert len(repeats._seen) == MOST_KEPT
    assert logged(repeats, event="poll", error=f"took {MOST_KEPT + 99} ms") is None


def test_a_library_that_repeats_itself_goes_on(capsys):
    """What ends its second line is no error that a library would catch; it must not reach it."""
    logs.configure("text", "info")
    for _ in range(2):
        logging.getLogger("urllib3").warning("Connection pool is full: %s", "search.example")
    assert capsys.readouterr().err.count("Connection pool is full: search.example") == 1
