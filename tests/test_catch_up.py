"""After an outage: windows in order, the others not kept waiting, and what is too old written down as skipped."""

import time

import pytest
import structlog
from click.testing import CliRunner
from streams import MINUTE_MS, START_MS, detector, index_stream, source_index, stores_of, written

from detector.__main__ import main
from detector.job import ROWS_PER_BLOCK
from detector.open import open_job
from detector.poll import poll

N_HOSTS, N_WINDOWS = 4, 60
END_MS = START_MS + N_WINDOWS * MINUTE_MS


@pytest.fixture(scope="module")
def source(client):
    """Make an index with data, shared by the module."""
    with source_index(client, n_hosts=N_HOSTS, n_windows=N_WINDOWS) as index:
        yield index


@pytest.mark.parametrize("is_single", [True, False], ids=["one stream", "entities"])
def test_what_is_older_than_asked_for_is_skipped_and_says_so(client, source, index_prefix, is_single):
    """One document for all that was skipped; what follows is scored by the models that there were."""
    config = detector(source, is_single=is_single)
    stores = stores_of(client, index_prefix)
    poll(open_job(config, stores, START_MS), stores, START_MS + 10 * MINUTE_MS)
    job = open_job(config, stores, END_MS)
    with structlog.testing.capture_logs() as lines:
        report = poll(job, stores, END_MS, oldest_ms=END_MS - 20 * MINUTE_MS)
    assert report.windows == 20
    told = [line for line in lines if line["event"] == "windows_skipped"]
    assert [(line["since"], line["until"]) for line in told] == [
        ("2024-02-01T00:00:00.000", "2024-02-01T00:30:00.000")
    ]
    documents = written(client, index_prefix).values()
    (skipped,) = [document for document in documents if document["status"] == "skipped"]
    assert skipped["data_start_time"] == START_MS + 10 * MINUTE_MS
    assert skipped["data_end_time"] == END_MS - 20 * MINUTE_MS
    assert "not scored" in skipped["reason"]
    ends = {document["data_end_time"] for document in documents if document["status"] == "scored"}
    gap = range(skipped["data_start_time"] + MINUTE_MS, skipped["data_end_time"] + MINUTE_MS, MINUTE_MS)
    assert not ends & set(gap)
    assert max(ends) == END_MS


def test_what_was_skipped_once_is_skipped_by_every_restart_and_every_other_owner(
    client, source, index_prefix
):
    """It stands in the journal: neither a lost marker nor a limit that is raised later changes it any more."""
    config = detector(source)
    for prefix in ("calm", "torn"):
        stores = stores_of(client, f"{index_prefix}-{prefix}")
        poll(open_job(config, stores, START_MS), stores, START_MS + 10 * MINUTE_MS)
        job = open_job(config, stores, END_MS)
        poll(job, stores, START_MS + 35 * MINUTE_MS, oldest_ms=START_MS + 30 * MINUTE_MS)
        if prefix == "torn":
            client.indices.refresh(index=f"{index_prefix}-torn-state")
            client.delete_by_query(
                index=f"{index_prefix}-torn-state", body={"query": {"term": {"kind": "marker"}}}, refresh=True
            )
            job = open_job(config, stores, END_MS)
        poll(job, stores, END_MS)
    assert written(client, f"{index_prefix}-torn") == written(client, f"{index_prefix}-calm")


def test_nothing_is_skipped_when_there_is_nothing_old(client, source, index_prefix):
    """Nor by a detector that is new."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    for minutes in (5, 6, 20):
        poll(job, stores, START_MS + minutes * MINUTE_MS, oldest_ms=START_MS)
    assert "skipped" not in {document["status"] for document in written(client, index_prefix).values()}


def test_sources_that_expired_meanwhile_leave_windows_without_documents(client, index_prefix):
    """What is there is scored, in order; nothing fails and nothing waits for data that will not come."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=N_HOSTS, n_windows=N_WINDOWS)
    stores = stores_of(client, index_prefix)
    poll(open_job(detector(source), stores, START_MS), stores, START_MS + 10 * MINUTE_MS)
    gone = {"range": {"time": {"gte": START_MS, "lt": START_MS + 40 * MINUTE_MS}}}
    client.delete_by_query(index=source, body={"query": gone}, refresh=True)
    job = open_job(detector(source), stores, END_MS)
    report = poll(job, stores, END_MS)
    assert (report.windows, report.is_complete) == (50, True)
    scored = [document for document in written(client, index_prefix).values() if "value" in document]
    of_host = {
        document["data_end_time"]
        for document in scored
        if document["entity_attributes"] == {"host": "host-3"}
    }
    measured = {end for end in of_host if end > START_MS}
    assert {START_MS + window * MINUTE_MS for window in range(41, N_WINDOWS + 1)} <= measured
    assert job.frontier_ms == END_MS


def test_a_block_is_bounded_however_long_the_outage_was(client, source, index_prefix):
    """By windows times entities; a request by buckets."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 5 * MINUTE_MS)
    years = job.next_windows(START_MS + 10**11)
    assert 0 < len(years) * max(1, job.n_entities) <= ROWS_PER_BLOCK
    assert (years[1:] - years[:-1] == MINUTE_MS).all()
    began = time.monotonic()
    job.next_windows(START_MS + 10**12)
    assert time.monotonic() - began < 5, "not proportional to the outage"


@pytest.mark.parametrize("text", ["yesterday", "0h", "6", "-1d", "5 weeks"])
def test_a_wrong_limit_is_told_what_would_be_right(tmp_path, text):
    """Exit code 2."""
    ended = CliRunner().invoke(main, ["run", "-c", str(tmp_path), "--catch-up", text])
    assert ended.exit_code == 2
    assert "is not a duration: write 90min, 6h or 7d" in ended.output
