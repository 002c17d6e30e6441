"""A memory budget: what does not fit comes in turn, late, and with the same results."""

import threading
import uuid

import pytest
from streams import MINUTE_MS, START_MS, detector, source_index, stores_of, written

from detector.commands.replay import Replay
from detector.memory import Memory
from detector.open import open_job
from detector.outcome import outcome_of
from detector.poll import PollReport, poll
from detector.rotate import TURN_WINDOWS
from detector.save import save_checkpoints

N_HOSTS, N_WINDOWS = 24, 24
END_MS = START_MS + N_WINDOWS * MINUTE_MS


@pytest.fixture(scope="module")
def source(client):
    """Make an index with data, shared by the module."""
    with source_index(client, n_hosts=N_HOSTS, n_windows=N_WINDOWS, n_history=46) as index:
        yield index


@pytest.fixture(scope="module")
def unlimited(client, source):
    """Return what a run without a budget writes, and what its models take."""
    prefix = f"t-{uuid.uuid4().hex[:10]}"
    stores = stores_of(client, prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, END_MS)
    yield written(client, prefix), job.used_bytes
    client.indices.delete(index=f"{prefix}-*")
    client.indices.delete_index_template(name=f"{prefix}*")


def caught_up(job, stores, now_ms):
    """Poll without new windows until nobody is behind."""
    n_polls = 0
    while job.is_behind:
        n_polls += 1
        poll(job, stores, now_ms)
        assert n_polls <= 2 * TURN_WINDOWS
    return n_polls


def test_a_budget_of_a_quarter_gives_the_same_results_later(client, source, index_prefix, unlimited):
    """Nobody waits longer than a turn, the models never take more than the budget, and the lag says so."""
    expected, all_bytes = unlimited
    stores, budget_bytes = stores_of(client, index_prefix), all_bytes // 4
    job = open_job(detector(source), stores, START_MS, memory=Memory(budget_bytes))
    longest_lag = 0
    for window in range(1, N_WINDOWS + 1):
        now_ms = START_MS + window * MINUTE_MS
        poll(job, stores, now_ms)
        assert job.used_bytes <= budget_bytes
        assert job.frontier_ms == now_ms, "what is read is journaled at once, for all"
        lag_ms = now_ms - job.done_ms
        assert outcome_of(PollReport(), job, now_ms)["lag_s"] == lag_ms // 1000
        longest_lag = max(longest_lag, lag_ms)
    assert 0 < longest_lag <= (TURN_WINDOWS + 1) * MINUTE_MS
    assert caught_up(job, stores, END_MS) > 0
    assert written(client, index_prefix) == expected


def test_a_restart_with_a_smaller_budget_changes_nothing(client, source, index_prefix, unlimited):
    """Killed and opened again every few windows, at last with room for hardly anything."""
    expected, all_bytes = unlimited
    stores = stores_of(client, index_prefix)
    for run, share in enumerate((2, 4, 1_000_000), 1):
        memory = Memory(all_bytes // share)
        job = open_job(detector(source), stores, START_MS, memory=memory)
        for window in range((run - 1) * 8, run * 8):
            poll(job, stores, START_MS + (window + 1) * MINUTE_MS)
        if run == 2:
            save_checkpoints(job, stores.checkpoints, every_entries=1)
    assert sum(partition.is_awake for partition in job.partitions) == 1
    caught_up(job, stores, END_MS)
    assert written(client, index_prefix) == expected


def test_two_owners_with_little_memory_hand_partitions_over_in_the_middle_of_a_turn(
    client, source, index_prefix, unlimited
):
    """What one has journaled and not scored yet, the other scores; again and again the halves change hands."""
    expected, all_bytes = unlimited
    stores = stores_of(client, index_prefix)
    halves = frozenset(range(0, 64, 2)), frozenset(range(1, 64, 2))
    jobs = [
        open_job(detector(source), stores, START_MS, share=half, memory=Memory(all_bytes // 4))
        for half in halves
    ]
    was_behind = False
    for step in range(1, N_WINDOWS // 3 + 1):
        for number, job in enumerate(jobs, step // 3):
            poll(job, stores, START_MS + 3 * step * MINUTE_MS, share=lambda n=number: halves[n % 2])
            was_behind |= job.is_behind and step % 3 == 2
    assert was_behind, "something is handed over that is not scored yet"
    for job in jobs:
        caught_up(job, stores, END_MS)
    assert written(client, index_prefix) == expected


class DyingOther(threading.Event):
    """A membership in which another has half of the work, and dies when it is waited for; also what waits."""

    number, period_s = 0, 0.01
    _share = frozenset(range(0, 64, 2))

    def wait(self, timeout=None):
        self._share = frozenset(range(64))
        return super().wait(timeout)

    def join(self, _):
        pass

    def renew(self, _):
        return set()

    def release(self):
        pass

    def share(self, _):
        return self._share


def test_a_replay_that_takes_over_ends_when_nobody_sleeps_behind(client, source, index_prefix, unlimited):
    """With memory for a quarter, and the share of a process that died in the end: everything stands."""
    expected, all_bytes = unlimited
    other = DyingOther()
    stores, memory = stores_of(client, index_prefix), Memory(all_bytes // 4)
    replay = Replay(stores, other, memory, start_ms=START_MS, until_ms=END_MS, stopping=other)
    replay.run([detector(source)])
    assert written(client, index_prefix) == expected


def test_without_a_budget_nobody_sleeps(client, source, index_prefix):
    """And with one that everything fits into."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS, memory=Memory(10**10))
    poll(job, stores, START_MS + 5 * MINUTE_MS)
    assert len(job.awake()) == len(job.partitions) == 64
    assert not job.is_behind


def test_detectors_share_a_budget_and_lend_what_they_do_not_use():
    """An equal share is everybody's in any case."""
    memory = Memory(1_000, n_detectors=2)
    assert memory.room("a") == 1_000
    memory.note("a", 900)
    assert (memory.room("a"), memory.room("b")) == (1_000, 500)
    memory.note("b", 500)
    assert (memory.room("a"), memory.room("b")) == (500, 500)
    assert Memory().room("a") == float("inf")
