"""A query budget: so many searches at once, the urgent ones first, fewer while the cluster is under pressure."""

import threading
import time

import pytest
from recorder import Answer, Recorder

from storage import query_budget
from storage.client import connect
from storage.cluster import Cluster
from storage.errors import Unavailable
from storage.query_budget import FIRST_PAUSE_S, LONGEST_PAUSE_S, QueryBudget
from storage.retry import ONCE
from storage.search import Search

ANSWER = {"timed_out": False, "_shards": {"total": 1, "failed": 0}, "aggregations": {}}


def budget(n_searches=2):
    """Return a budget whose pauses are over at once."""
    stop = threading.Event()
    stop.set()
    return QueryBudget(n_searches, stop)


def turned_away(turns, **why):
    error = Unavailable("no", **why)
    with pytest.raises(Unavailable), turns.turn("d", 0):
        raise error


def run(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("n_searches", [1, 3])
def test_there_are_never_more_searches_at_once_than_allowed(n_searches):
    """And as many as that when enough want to."""
    turns, running, most = budget(n_searches), [], []

    def search():
        for _ in range(5):
            with turns.turn("d", 0):
                running.append(1)
                most.append(len(running))
                time.sleep(0.002)
                running.pop()

    run(*[search] * 8)
    assert max(most) == n_searches


def test_the_detector_with_the_shortest_windows_comes_first():
    """Of those that wait; the order of arrival decides between equals."""
    turns, order, all_wait = budget(1), [], threading.Event()

    def search(name, urgency):
        with turns.turn(name, urgency):
            order.append(name)

    def first():
        with turns.turn("first", 9):
            all_wait.wait(10)

    holder = threading.Thread(target=first)
    holder.start()
    waiting = []
    for position, (name, urgency) in enumerate([("hour", 60), ("minute", 1), ("other hour", 60)], 1):
        waiting.append(threading.Thread(target=search, args=(name, urgency)))
        waiting[-1].start()
        while len(turns._waiting) < position:
            time.sleep(0.001)
    all_wait.set()
    for thread in (holder, *waiting):
        thread.join(10)
    assert order == ["minute", "hour", "other hour"]


def test_a_cluster_that_says_too_much_is_given_pauses_that_double_and_halve():
    """One search at a time meanwhile; a cluster that is away is not under pressure."""
    turns = budget()

    turned_away(turns)
    assert turns.pause_s == 0
    pauses = []
    for _ in range(7):
        turned_away(turns, is_overloaded=True)
        pauses.append(turns.pause_s)
    assert pauses == [FIRST_PAUSE_S * 2**k for k in range(5)] + [LONGEST_PAUSE_S] * 2
    assert turns._n_allowed == 1
    for _ in range(6):
        with turns.turn("d", 0):
            pass
    assert turns.pause_s == 0
    assert turns._n_allowed == 2


def test_searches_that_become_slow_are_pressure_until_they_are_what_is_usual(monkeypatch):
    """Of the same detector: another one's searches may be slow by nature."""
    now = [0.0]
    monkeypatch.setattr(query_budget.time, "monotonic", lambda: now[0])
    turns = budget()

    def search(name, took_s):
        with turns.turn(name, 0):
            now[0] += took_s

    search("slow by nature", 8)
    for _ in range(5):
        search("d", 0.3)
        search("slow by nature", 9)
    assert turns.pause_s == 0
    search("d", 0.95)
    assert turns.pause_s == 0, "under a second nothing is slow"
    search("d", 3)
    assert turns.pause_s > 0
    for _ in range(30):
        search("d", 3)
    assert turns.pause_s == 0


def test_a_pause_is_kept_and_ends_with_a_stop():
    """Else a sidecar could not end while the cluster is under pressure."""
    stop = threading.Event()
    turns = QueryBudget(1, stop)
    turned_away(turns, is_overloaded=True)
    began = time.monotonic()
    with turns.turn("d", 0):
        assert time.monotonic() - began >= 0.9 * FIRST_PAUSE_S
    stop.set()
    turns.pause_s = LONGEST_PAUSE_S
    with turns.turn("d", 0):
        assert time.monotonic() - began < LONGEST_PAUSE_S


def test_searches_under_several_names_share_one_budget_and_429_counts():
    """A search that the cluster turns away holds back those of all detectors."""
    status = [429]
    with Recorder(lambda _: Answer(status[0], ANSWER if status[0] == 200 else {"error": "full"})) as recorder:
        client = connect(Cluster(url=(recorder.url,)))
        turns = budget()
        search = Search(client, retry=ONCE, budget=turns, page_size=77)
        with pytest.raises(Unavailable):
            search.named("a", 60).body(["x"], {})
        assert turns.pause_s > 0
        status[0] = 200
        named = search.named("b", 1)
        assert named.page_size == 77
        named.body(["x"], {})
        assert turns.pause_s == 0
        assert [request.headers["x-opaque-id"] for request in recorder.requests] == ["a", "b"]
