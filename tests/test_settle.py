"""Scoring and writing at once, in many small requests: whatever fails, every document stands in the end."""

import threading
import uuid
from dataclasses import replace

import pytest
from streams import MINUTE_MS, START_MS, detector, source_index, stores_of, written

from detector import settle
from detector.documents import DocumentMaker
from detector.open import open_job
from detector.poll import poll
from storage.errors import Rejected, Unavailable

N_HOSTS, N_WINDOWS = 12, 6
END_MS = START_MS + N_WINDOWS * MINUTE_MS


@pytest.fixture(scope="module")
def source(client):
    """Make an index with data, shared by the module."""
    with source_index(client, n_hosts=N_HOSTS, n_windows=N_WINDOWS, n_history=46) as index:
        yield index


@pytest.fixture(scope="module")
def expected(client, source):
    """Return what one request writes, by id."""
    prefix = f"t-{uuid.uuid4().hex[:10]}"
    stores = stores_of(client, prefix)
    poll(open_job(detector(source), stores, START_MS), stores, END_MS)
    yield written(client, prefix)
    client.indices.delete(index=f"{prefix}-*")
    client.indices.delete_index_template(name=f"{prefix}*")


@pytest.fixture(autouse=True)
def _small_requests(monkeypatch):
    """Nine documents a request instead of thousands."""
    monkeypatch.setattr(settle, "DOCUMENTS_AT_ONCE", 9)


class Failing:
    """Passes documents on, except at some calls, and notes how many calls were at it together."""

    def __init__(self, results, fails):
        self._results, self._fails = results, fails
        self._lock, self._running = threading.Lock(), 0
        self.n_calls = self.most_at_once = 0

    def save(self, documents):
        with self._lock:
            self.n_calls += 1
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            is_failing = self._fails(self.n_calls)
        try:
            if is_failing:
                msg = "the cluster is away"
                raise Unavailable(msg)
            return self._results.save(documents)
        finally:
            with self._lock:
                self._running -= 1


def test_many_requests_side_by_side_write_what_one_would(client, source, index_prefix, expected):
    """Never more at once than allowed; the counts are those of what was written."""
    stores = stores_of(client, index_prefix)
    results = Failing(stores.results, lambda _: False)
    report = poll(open_job(detector(source), stores, START_MS), replace(stores, results=results), END_MS)
    assert report.results == len(expected)
    assert report.anomalies == sum(bool(document.get("is_anomaly")) for document in expected.values())
    assert results.n_calls >= len(expected) // 9
    assert results.most_at_once == settle.REQUESTS_AT_ONCE
    assert written(client, index_prefix) == expected


def test_requests_that_fail_here_and_there_are_made_up_for(client, source, index_prefix, expected):
    """By the same process; no document is forgotten and no model sees a window twice."""
    stores = stores_of(client, index_prefix)
    torn = replace(stores, results=Failing(stores.results, lambda n: n % 7 == 3))
    job = open_job(detector(source), stores, START_MS)
    n_failures = 0
    while True:
        try:
            poll(job, torn, END_MS)
            break
        except Unavailable:
            n_failures += 1
            assert job.unwritten
            assert n_failures < 100
    assert n_failures > 3
    assert written(client, index_prefix) == expected


def test_documents_wait_for_an_index_that_takes_none(client, source, index_prefix, expected):
    """A closed one answers for each document as if that were wrong; so does one that cannot be made."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 3 * MINUTE_MS)
    client.indices.close(index=f"{index_prefix}-results-2024.01")
    with pytest.raises(Rejected, match=r"the result index takes no documents: .*closed"):
        poll(job, stores, END_MS)
    assert job.unwritten
    client.indices.open(index=f"{index_prefix}-results-2024.01")
    poll(job, stores, END_MS)
    assert written(client, index_prefix) == expected


def test_a_failure_of_scoring_drops_the_models_and_the_journal_brings_them_back(
    client, source, index_prefix, expected, monkeypatch
):
    """What other threads were at meanwhile does not matter."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    calls, make = [], DocumentMaker.documents

    def fail_once(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise ZeroDivisionError
        return make(*arguments)

    monkeypatch.setattr(DocumentMaker, "documents", fail_once)
    with pytest.raises(ZeroDivisionError):
        poll(job, stores, END_MS)
    assert not job.partitions
    poll(job, stores, END_MS)
    assert written(client, index_prefix) == expected
