"""When detectors are polled: after their windows, one poll at a time, whatever one of them does."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from streams import MINUTE_MS, detector

from detector import runner as runner_module
from detector.poll import PollReport
from detector.resume import StateLostError
from detector.runner import SETTLE_MS
from detector.schedule import Schedule
from detector.stores import Stores
from detector.trigger import WindowTrigger
from features.windows import Interval, Unit
from storage.errors import MissingIndex, Unavailable

MOMENTS = st.integers(1_600_000_000_000, 2_000_000_000_000)


def at(time_ms):
    return datetime.fromtimestamp(time_ms / 1000, UTC)


class TestWindowTrigger:
    """When the next poll is due."""

    @given(
        MOMENTS, st.sampled_from([1, 10, 60, 600]), st.sampled_from([0, 1_000, 90_000]), st.none() | MOMENTS
    )
    def test_a_poll_comes_just_after_the_next_window_is_closed_whenever_the_last_one_was(
        self, now_ms, seconds, delay_ms, previous_ms
    ):
        """A late first poll, a retry or jitter moves no later one."""
        interval = Interval(seconds, Unit.SECONDS)
        previous = None if previous_ms is None else at(previous_ms)
        due = WindowTrigger(interval, delay_ms).get_next_fire_time(previous, at(now_ms))
        assert due > at(now_ms)
        closed_ms = interval.next(interval.floor(now_ms - delay_ms)) + delay_ms
        late_s = (due - at(closed_ms)).total_seconds()
        assert 0 <= late_s <= min(2, seconds / 10) + 1e-3

    def test_days_follow_the_clock_of_their_zone(self):
        """Also the day on which summer time begins, which has 23 hours."""
        trigger = WindowTrigger(Interval(1, Unit.DAYS, "Europe/Berlin"), 0)
        due = trigger.get_next_fire_time(None, datetime(2026, 3, 29, 10, tzinfo=UTC))
        assert timedelta(0) <= due - datetime(2026, 3, 29, 22, tzinfo=UTC) <= timedelta(seconds=2)

    def test_polls_of_many_detectors_are_spread(self):
        """By up to two seconds."""
        trigger = WindowTrigger(Interval(10, Unit.MINUTES), 0)
        dues = {trigger.get_next_fire_time(None, at(1_700_000_000_000)) for _ in range(20)}
        assert len(dues) == 20


class State:
    """Takes reports."""

    def __init__(self):
        self.reports = []

    def save_report(self, detector_id, report, now_ms, _sidecar):
        self.reports.append((detector_id, report, now_ms))


class OpenJob:
    """Stands in for a detector in memory."""

    partitions = ("one",)
    share = frozenset(range(64))
    n_entities = 3
    used_bytes = 3_000
    done_ms = 1_700_000_000_000
    is_resumed = False


@pytest.fixture
def polls(monkeypatch):
    """Put a function of the test's own in place of `poll`; give the calls of it by detector."""
    calls = Polls()
    monkeypatch.setattr(runner_module, "poll", calls.poll)
    monkeypatch.setattr(runner_module, "open_job", calls.open_job)
    return calls


class Polls:
    """What is called instead of opening and polling a detector."""

    def __init__(self):
        self.times, self.opened, self.now_ms, self.what, self.running = {}, [], [], {}, {}
        self.most_at_once, self.behind = {}, set()
        self._lock = threading.Lock()

    def open_job(self, config, _stores, _now_ms, _start_ms, _share, _memory):
        self.opened.append(config.detector_id)
        job = OpenJob()
        job.detector_id = config.detector_id
        return job

    def poll(self, job, _stores, now_ms, *, share, oldest_ms, should_stop, on_progress):
        assert oldest_ms is None, "everything is caught up"
        assert share() == job.share, "without other sidecars everything is ours"
        name = job.detector_id
        with self._lock:
            self.times.setdefault(name, []).append(time.time())
            self.now_ms.append(now_ms)
            self.running[name] = self.running.get(name, 0) + 1
            self.most_at_once[name] = max(self.most_at_once.get(name, 0), self.running[name])
        try:
            on_progress(PollReport(windows=1))
            self.what.get(name, lambda _: None)(should_stop)
        finally:
            with self._lock:
                self.running[name] -= 1
        return PollReport(windows=2, results=6, is_complete=name not in self.behind)


@pytest.fixture
def watch(polls):  # noqa: ARG001 - nothing real is polled
    """Give a function that runs detectors for a time, and returns the log lines and the reports."""

    def run(names, seconds, *, period=1, stores=None, n_threads=2):
        state = State()
        stores = stores or fake_stores(state)
        configs = [
            detector("x", name=name, detection_interval={"period": {"interval": period, "unit": "Seconds"}})
            for name in names
        ]
        schedule = Schedule(
            configs, replace(stores, state=state), stopping=threading.Event(), n_threads=n_threads
        )
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            schedule.start()
            time.sleep(seconds)
            unfinished = schedule.stop(within_s=10)
        assert unfinished == []
        return lines, state.reports

    return run


def fake_stores(state, prepare=lambda: None, require=lambda _: None):
    """Return stores of which only what the schedule itself uses is there."""
    parts = dict.fromkeys(("search", "journal", "results", "checkpoints", "detectors", "leases"))
    return Stores(
        **parts, state=state, prepare=prepare, require=require, cluster_time=lambda: int(time.time() * 1000)
    )


def test_a_detector_is_polled_at_once_and_then_after_every_window(polls, watch):
    """A second after it, when its last documents can be searched."""
    lines, reports = watch(["a"], 3.3)
    first, *later = polls.times["a"]
    assert 2 <= len(later) <= 4
    assert sum(moment % 1 < 0.5 for moment in later) >= len(later) - 1, "soon after the second"
    assert all(
        abs(now_ms - (moment * 1000 - SETTLE_MS)) < 500
        for now_ms, moment in zip(polls.now_ms, [first, *later], strict=True)
    )
    assert [line["event"] for line in lines] == ["poll"] * (1 + len(later))
    assert len(reports) == len(lines)


def test_a_line_says_what_a_poll_has_done_and_where_the_detector_is(polls, watch):
    """With the same keys whether it went well or not."""

    def fail_once(_):
        if len(polls.times["a"]) == 1:
            msg = "index gone does not exist"
            raise MissingIndex(msg)

    polls.what["a"] = fail_once
    (failed, went_well, *_), reports = watch(["a"], 2.5)
    common = {"event", "detector", "windows", "results", "anomalies", "refused", "entities", "frontier", "lag_s",
              "took_ms", "error", "log_level"}  # fmt: skip
    assert set(went_well) == common
    assert set(failed) == common | {"failures", "next_try_s", "exc_info"}
    assert (failed["error"], failed["log_level"], failed["exc_info"]) == (
        "index gone does not exist",
        "error",
        None,
    )
    assert (failed["windows"], failed["results"]) == (1, 0), "what it had done until then"
    assert (went_well["error"], went_well["windows"], went_well["results"]) == (None, 2, 6)
    assert went_well["frontier"] == "2023-11-14T22:13:20Z"
    assert went_well["entities"] == 3
    assert abs(went_well["lag_s"] - (time.time() - 1_700_000_000)) < 10
    assert [report["error"] for _, report, _ in reports[:2]] == ["index gone does not exist", None]


def test_a_failure_that_nobody_foresaw_is_logged_with_its_place_and_polling_goes_on(polls, watch):
    """The one broad `except`."""

    def fail(_):
        msg = "a bug"
        raise ZeroDivisionError(msg)

    polls.what["a"] = fail
    lines, _ = watch(["a"], 2.5)
    assert len(lines) >= 2
    assert lines[0]["error"] == "ZeroDivisionError: a bug"
    assert isinstance(lines[0]["exc_info"], ZeroDivisionError)


def test_two_polls_of_one_detector_never_run_at_once(polls, watch):
    """One that takes longer than its interval is followed by one poll, not by all that were missed."""
    polls.what["slow"] = lambda _: time.sleep(1.4)
    lines, _ = watch(["slow"], 4.5, n_threads=4)
    assert polls.most_at_once == {"slow": 1}
    assert 2 <= len(lines) <= 4


def test_a_detector_that_always_fails_does_not_stop_the_others(polls, watch):
    """Each keeps its own time."""

    def fail(_):
        msg = "the cluster is away"
        raise Unavailable(msg)

    polls.what["bad"] = fail
    lines, _ = watch(["bad", "good", "other"], 3.3)
    by_name = {
        name: [line for line in lines if line["detector"] == name] for name in ("bad", "good", "other")
    }
    assert all(len(found) >= 3 for found in by_name.values())
    assert all(line["error"] is None for line in by_name["good"] + by_name["other"])
    assert all(line["error"] for line in by_name["bad"])


def test_a_detector_that_fails_is_tried_again_before_its_next_window_and_ever_more_rarely(polls, watch):
    """After about 2 s, then 4 s; back to normal as soon as it goes well."""

    def fail_twice(_):
        if len(polls.times["a"]) <= 2:
            msg = "the cluster is away"
            raise Unavailable(msg)

    polls.what["a"] = fail_twice
    lines, _ = watch(["a"], 7.5, period=3600)
    assert len(lines) == 3
    first, second, third = polls.times["a"]
    assert 1.5 <= second - first <= 3
    assert 3 <= third - second <= 5.5
    assert [line.get("failures") for line in lines] == [1, 2, None]


def test_detectors_that_have_much_to_catch_up_go_on_at_once_and_keep_nobody_waiting(polls, watch):
    """Each queues again behind the others, also where there is one thread for all."""
    polls.behind = {"behind", "far-behind"}
    for name in polls.behind:
        polls.what[name] = lambda _: time.sleep(0.3)
    lines, _ = watch(["behind", "far-behind", "live"], 5, n_threads=1)
    times = {
        name: sum(line["detector"] == name for line in lines) for name in ("behind", "far-behind", "live")
    }
    assert times["live"] >= 3, "once a second"
    assert times["behind"] + times["far-behind"] >= 8, "the rest of the time, whatever their interval"
    assert abs(times["behind"] - times["far-behind"]) <= 2


def test_a_poll_has_a_slice_of_time_and_one_block_at_least(polls, monkeypatch):
    """The time before its first block does not count: else a slow cluster would never see an end."""
    monkeypatch.setattr(runner_module, "SLICE_S", 0.2)
    asked = []

    def ask(should_stop):
        time.sleep(0.5)
        asked.append(should_stop())
        time.sleep(0.3)
        asked.append(should_stop())

    polls.what["a"] = ask
    schedule = Schedule([detector("x", name="a")], fake_stores(State()), stopping=threading.Event())
    schedule.start()
    wait_until(lambda: len(asked) == 2)
    schedule.stop(within_s=10)
    assert asked == [False, True]


def test_on_a_host_that_is_ahead_polls_come_when_the_cluster_says_that_a_window_is_over(polls):
    """Half a window ahead: the schedule alone would come half a window late, every time."""
    two_seconds = {"period": {"interval": 2, "unit": "Seconds"}}
    behind_ms = 1_000
    stores = replace(fake_stores(State()), cluster_time=lambda: int(time.time() * 1000) - behind_ms)
    config = detector("x", name="a", detection_interval=two_seconds)
    schedule = Schedule([config], stores, stopping=threading.Event())
    schedule.start()
    wait_until(lambda: len(polls.now_ms) >= 7, seconds=20)
    schedule.stop(within_s=10)
    soon = [now_ms for now_ms in polls.now_ms[1:] if now_ms % 2_000 < 900]
    assert len(soon) >= 2, "soon after the end of a window by the cluster's clock"


def test_after_a_failure_the_cluster_is_looked_at_as_if_for_the_first_time(polls, watch):
    """It may have come back as another one, or without the index; the models stay in memory."""
    asked = []
    state = State()
    stores = fake_stores(state, lambda: asked.append("prepare"), lambda _: asked.append("require"))

    def fail_once(_):
        if len(polls.times["a"]) == 1:
            msg = "away"
            raise Unavailable(msg)

    polls.what["a"] = fail_once
    watch(["a"], 3.3, stores=stores)
    assert asked == ["prepare", "require"] * 2
    assert polls.opened == ["a"]


def test_a_detector_whose_state_is_lost_is_opened_anew(polls, watch):
    """Opening begins a new generation where the old one stopped."""

    def lose_once(_):
        if len(polls.times["a"]) == 1:
            msg = "entries are gone"
            raise StateLostError(msg)

    polls.what["a"] = lose_once
    lines, _ = watch(["a"], 2.5)
    assert polls.opened == ["a", "a"]
    assert (lines[0]["error"], lines[0]["exc_info"], lines[1]["error"]) == ("entries are gone", None, None)


def test_stopping_waits_for_the_block_in_work_and_begins_no_other(polls):
    """A poll asks between blocks whether it should stop."""
    polls.what["a"] = wait_until
    stopping = threading.Event()
    schedule = Schedule([detector("x", name="a")], fake_stores(State()), stopping=stopping)
    schedule.start()
    wait_until(lambda: polls.running.get("a"))
    assert schedule.stop(within_s=10) == []
    assert stopping.is_set()
    assert polls.running["a"] == 0


def test_a_poll_that_hangs_is_named_and_left_behind_in_time(polls):
    """The process must then end without waiting for its thread."""
    released = threading.Event()
    polls.what["stuck"] = lambda _: released.wait()
    schedule = Schedule(
        [detector("x", name="stuck"), detector("x", name="fine")],
        fake_stores(State()),
        stopping=threading.Event(),
    )
    schedule.start()
    wait_until(lambda: polls.running.get("stuck") and "fine" in polls.times)
    began = time.monotonic()
    assert schedule.stop(within_s=1) == ["stuck"]
    assert time.monotonic() - began < 3
    released.set()


def wait_until(condition, seconds=10):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_the_interval_of_the_windows_is_in_the_report(watch):
    """`outrider status` tells by it whether a detector is late."""
    _, reports = watch(["a"], 0.5, period=60)
    assert reports[0][1]["interval_s"] == MINUTE_MS // 1000
