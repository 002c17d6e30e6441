"""Polls on a real node: one path for history, live windows and catching up, whatever happens in between."""

import uuid
from collections import Counter

import pytest
from faults import Fuse, Killed, breaking
from streams import MINUTE_MS, START_MS, detector, index_stream, source_index, stores_of, written

from detector import read, save
from detector.job import Job
from detector.open import is_current, open_job
from detector.poll import poll
from detector.save import prune_journal, save_checkpoints
from storage.errors import MissingIndex, Unavailable

N_HOSTS, N_WINDOWS = 6, 60
END_MS = START_MS + N_WINDOWS * MINUTE_MS


@pytest.fixture(scope="module")
def source(client):
    """Make an index with data, shared by the module."""
    with source_index(client, n_hosts=N_HOSTS, n_windows=N_WINDOWS) as index:
        yield index


@pytest.fixture(scope="module")
def undisturbed(client, source):
    """Return what one poll over everything writes, by id."""
    prefix = f"t-{uuid.uuid4().hex[:10]}"
    stores = stores_of(client, prefix)
    job = open_job(detector(source), stores, START_MS)
    report = poll(job, stores, END_MS)
    assert report.windows == N_WINDOWS
    assert report.is_complete
    documents = written(client, prefix)
    assert report.results == len(documents)
    yield documents
    client.indices.delete(index=f"{prefix}-*")
    client.indices.delete_index_template(name=f"{prefix}*")


def test_every_window_has_one_document_and_new_entities_their_history(undisturbed):
    """45 windows of history for those that were there, the rest as they come."""
    per_host = Counter(document["entity_key"] for document in undisturbed.values())
    expected = {f"host=host-{host}": 45 + N_WINDOWS for host in range(2, N_HOSTS)}
    expected |= {"host=host-0": N_WINDOWS - N_WINDOWS // 3, "host=host-1": 45 + N_WINDOWS}
    assert per_host == expected


def test_a_host_that_pauses_has_documents_that_say_so(undisturbed):
    """Means of nothing are missing: no score, but an expectation, and which values were filled in."""
    paused = [document for document in undisturbed.values() if document["status"] == "missing"]
    assert len(paused) == 7
    for document in paused:
        assert document["entity_key"] == "host=host-1"
        assert document["value"] == {"mean": None, "p90": None}
        assert {entry["imputed"] for entry in document["feature_imputed"]} == {False}
        assert document["lower"]["mean"] < document["expected"]["mean"] < document["upper"]["mean"]


def test_the_planted_spike_is_the_strongest_alarm(undisturbed):
    """With grade, expectation, contribution and a reason."""
    alarms = [document for document in undisturbed.values() if document.get("is_anomaly")]
    strongest = max(alarms, key=lambda document: document["anomaly_grade"])
    assert strongest["entity_attributes"] == {"host": "host-2"}
    assert strongest["data_start_time"] == START_MS + (N_WINDOWS - 9) * MINUTE_MS
    assert strongest["upper"]["mean"] < strongest["value"]["mean"]
    assert sum(strongest["contribution"].values()) == pytest.approx(1)
    assert "expected from" in strongest["reason"]


def test_documents_lie_in_the_index_of_the_month_of_their_window(undisturbed):
    """On both sides of the boundary."""
    months = {key.split("/")[0] for key in undisturbed}
    assert months == {"-results-2024.01", "-results-2024.02"}


def test_window_by_window_gives_the_documents_of_one_block(client, source, index_prefix, undisturbed):
    """Results do not depend on how windows are cut into blocks."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    for window in range(1, N_WINDOWS + 1):
        poll(job, stores, START_MS + window * MINUTE_MS)
    assert written(client, index_prefix) == undisturbed


def test_blocks_of_a_few_rows_give_the_documents_of_one_block(
    client, source, index_prefix, undisturbed, monkeypatch
):
    """However few windows a block turns out to have: as after a roll-out that brought many new entities."""
    monkeypatch.setattr(read, "ROWS_PER_BLOCK", 3 * N_HOSTS)
    stores = stores_of(client, index_prefix)
    blocks = []
    report = poll(
        open_job(detector(source), stores, START_MS),
        stores,
        END_MS,
        on_progress=lambda report: blocks.append(report.windows),
    )
    assert report.windows == N_WINDOWS
    assert len(blocks) >= N_WINDOWS // 4
    assert written(client, index_prefix) == undisturbed


def test_a_restart_after_any_window_gives_the_documents_of_a_run_without(
    client, source, index_prefix, undisturbed
):
    """With checkpoints after some windows, and replay of the journal after them."""
    stores = stores_of(client, index_prefix)
    for window in range(1, N_WINDOWS + 1, 4):
        job = open_job(detector(source), stores, START_MS)
        poll(job, stores, START_MS + window * MINUTE_MS)
        if window % 3 == 0:
            save_checkpoints(job, stores.checkpoints, every_entries=1)
    poll(open_job(detector(source), stores, END_MS), stores, END_MS)
    assert written(client, index_prefix) == undisturbed


def run_in_steps(stores, config, job=None):
    """Poll in four steps, with checkpoints after each, as a sidecar would."""
    job = job or open_job(config, stores, START_MS)
    for window in (1, 20, 41, N_WINDOWS):
        poll(job, stores, START_MS + window * MINUTE_MS)
        save_checkpoints(job, stores.checkpoints, every_entries=2)
    return job


def test_a_kill_before_or_after_any_operation_changes_nothing(client, source, index_prefix):
    """The run is cut off at every operation in turn and started again, until it gets through."""
    config = detector(source, is_single=True)
    stores = stores_of(client, f"{index_prefix}-calm")
    run_in_steps(stores, config)
    calm = written(client, f"{index_prefix}-calm")
    assert len(calm) == N_WINDOWS + 45
    prefix = f"{index_prefix}-torn"
    stores = stores_of(client, prefix)
    kills, length = 0, 1
    while True:
        try:
            run_in_steps(breaking(stores, Fuse.raising(length, Killed())), config)
            break
        except Killed:
            kills += 1
            length += 1
    assert kills > 10
    assert written(client, prefix) == calm


def test_a_failing_operation_is_made_up_for_by_the_same_process(client, source, index_prefix):
    """The cluster fails at every operation in turn; the job stays in memory and goes on."""
    config = detector(source, is_single=True)
    stores = stores_of(client, f"{index_prefix}-calm")
    run_in_steps(stores, config)
    prefix = f"{index_prefix}-torn"
    stores = stores_of(client, prefix)
    job = open_job(config, stores, START_MS)
    failures, length = 0, 1
    while True:
        fuse = Fuse.raising(length, Unavailable("the cluster is away"))
        try:
            run_in_steps(breaking(stores, fuse), config, job)
            break
        except Unavailable:
            failures += 1
            length += 1
    assert failures > 10
    assert written(client, prefix) == written(client, f"{index_prefix}-calm")


def test_two_owners_at_once_write_what_one_would(client, source, index_prefix, undisturbed):
    """Whoever loses an entry reads the winner's and goes on from there."""
    stores = stores_of(client, index_prefix)
    jobs = [open_job(detector(source), stores, START_MS) for _ in range(2)]
    for step in range(1, N_WINDOWS // 5 + 1):
        for job in jobs if step % 2 else jobs[::-1]:
            poll(job, stores, START_MS + step * 5 * MINUTE_MS)
    assert written(client, index_prefix) == undisturbed


def test_damaged_and_missing_checkpoints_are_made_up_for_by_the_journal(
    client, source, index_prefix, undisturbed
):
    """They are only a cache."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 30 * MINUTE_MS)
    save_checkpoints(job, stores.checkpoints, every_entries=1)
    index = f"{index_prefix}-checkpoints"
    client.indices.refresh(index=index)
    hits = client.search(index=index, body={"size": 100})["hits"]["hits"]
    assert len(hits) >= 2
    client.update(
        index=index, id=hits[0]["_id"], body={"doc": {"models": "AAAA" + hits[0]["_source"]["models"][4:]}}
    )
    client.delete(index=index, id=hits[1]["_id"])
    poll(open_job(detector(source), stores, END_MS), stores, END_MS)
    assert written(client, index_prefix) == undisturbed


def test_checkpoints_cut_short_and_one_of_yesterday_are_made_up_for_by_the_journal(
    client, source, index_prefix, undisturbed
):
    """As after a disk was full, or a snapshot of one index alone was restored."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    index, old = f"{index_prefix}-checkpoints", {}
    for end in (12, 30):
        poll(job, stores, START_MS + end * MINUTE_MS)
        save_checkpoints(job, stores.checkpoints, every_entries=1)
        client.indices.refresh(index=index)
        hits = client.search(index=index, body={"size": 100})["hits"]["hits"]
        old = old or {hit["_id"]: hit["_source"] for hit in hits}
    with_models = sorted(hits, key=lambda hit: -len(hit["_source"]["models"]))
    cut, *restored = with_models[:4]
    cut_source = cut["_source"] | {
        "models": cut["_source"]["models"][: len(cut["_source"]["models"]) // 8 * 4]
    }
    client.index(index=index, id=cut["_id"], body=cut_source)
    for hit in restored:
        client.delete(index=index, id=hit["_id"])
        client.index(index=index, id=hit["_id"], body=old[hit["_id"]])
    poll(open_job(detector(source), stores, END_MS), stores, END_MS)
    assert written(client, index_prefix) == undisturbed


def test_models_that_are_lost_for_good_are_learned_again_without_a_gap(client, source, index_prefix):
    """Journal and checkpoints deleted by hand: a new generation begins where the old one stopped."""
    stores = stores_of(client, index_prefix)
    poll(open_job(detector(source), stores, START_MS), stores, START_MS + 30 * MINUTE_MS)
    for name in ("journal", "checkpoints"):
        client.indices.delete(index=f"{index_prefix}-{name}")
    stores.prepare()
    job = open_job(detector(source), stores, END_MS)
    assert job.registration.generation == 2
    assert job.registration.start_ms == START_MS + 30 * MINUTE_MS
    poll(job, stores, END_MS)
    ends = {
        (document["entity_key"], document["data_end_time"])
        for document in written(client, index_prefix).values()
        if document["data_end_time"] > START_MS
    }
    assert {end for key, end in ends if key == "host=host-3"} == {
        START_MS + window * MINUTE_MS for window in range(1, N_WINDOWS + 1)
    }


def test_markers_that_are_lost_after_the_journal_was_pruned_are_noticed(client, source, index_prefix):
    """The checkpoints say that there was more; fresh models would write over what the old ones have written."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 20 * MINUTE_MS)
    save_checkpoints(job, stores.checkpoints, every_entries=1)
    for name in ("journal", "state"):
        client.indices.delete(index=f"{index_prefix}-{name}")
    stores.prepare()
    assert open_job(detector(source), stores, END_MS).registration.generation == 2


def test_a_job_whose_indices_were_deleted_is_not_current(client, source, index_prefix):
    """It would go on in a journal that has just begun; opened again it is a new detector."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 5 * MINUTE_MS)
    assert is_current(job, stores)
    client.indices.delete(index=f"{index_prefix}-*")
    stores.prepare()
    assert not is_current(job, stores)


def test_an_edit_of_the_features_begins_a_generation_where_the_old_one_stopped(client, source, index_prefix):
    """An edit of the description keeps the models."""
    stores = stores_of(client, index_prefix)
    poll(open_job(detector(source), stores, START_MS), stores, START_MS + 10 * MINUTE_MS)
    described = open_job(detector(source, description="of all hosts"), stores, END_MS)
    assert (described.registration.generation, described.registration.revision) == (1, 2)
    assert described.n_entities == N_HOSTS - 1
    one_feature = [{"feature_name": "max", "aggregation_query": {"max": {"max": {"field": "load"}}}}]
    edited = open_job(detector(source, feature_attributes=one_feature), stores, END_MS)
    assert edited.registration.generation == 2
    assert edited.registration.start_ms == START_MS + 10 * MINUTE_MS
    assert poll(edited, stores, END_MS).windows == N_WINDOWS - 10


def test_a_document_that_is_refused_for_good_is_replaced_and_the_window_commits(client, source, index_prefix):
    """The result index says what happened."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    mapping = {"properties": {"entity_key": {"type": "long"}}}
    client.indices.put_index_template(
        name=f"{index_prefix}-results-strict",
        body={
            "index_patterns": [f"{index_prefix}-results-*"],
            "priority": 900,
            "template": {"mappings": mapping},
        },
    )
    report = poll(job, stores, START_MS + 2 * MINUTE_MS)
    assert report.refused == report.results > 0
    documents = written(client, index_prefix).values()
    assert {document["status"] for document in documents} == {"refused"}
    assert all("entity_key" in document["error"] for document in documents)
    assert open_job(detector(source), stores, END_MS).frontier_ms == START_MS + 2 * MINUTE_MS


def test_history_of_a_month_that_is_closed_keeps_no_window_waiting(client, source, index_prefix):
    """Retention closes old months; what a new entity learned from them is refused, and the rest goes on."""
    stores = stores_of(client, index_prefix)
    poll(open_job(detector(source, name="first"), stores, START_MS), stores, START_MS + MINUTE_MS)
    client.indices.close(index=f"{index_prefix}-results-2024.01")
    job = open_job(detector(source, name="second"), stores, START_MS + 30 * MINUTE_MS)
    report = poll(job, stores, END_MS)
    assert (report.windows, report.is_complete) == (30, True)
    documents = [each for each in written(client, index_prefix).values() if each["detector_id"] == "second"]
    assert len(documents) == report.results - report.refused
    assert 0 < report.refused < report.results
    live = {each["data_end_time"] for each in documents if each["entity_key"] == "host=host-3"}
    assert {START_MS + window * MINUTE_MS for window in range(31, N_WINDOWS + 1)} <= live


def test_a_missing_index_fails_the_poll_and_after_it_is_there_nothing_is_lost(client, index_prefix):
    """Windows are read when the source can be read."""
    index = f"{index_prefix}-source"
    stores = stores_of(client, index_prefix)
    job = open_job(detector(index, is_single=True), stores, START_MS)
    with pytest.raises(MissingIndex, match=index):
        poll(job, stores, END_MS)
    index_stream(client, index, n_hosts=2, n_windows=N_WINDOWS)
    assert poll(job, stores, END_MS).windows == N_WINDOWS
    assert len(written(client, index_prefix)) == N_WINDOWS + 45


def test_documents_dated_in_the_future_wait_for_their_window(client, source, index_prefix):
    """What lies after `now` is not read."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 5 * MINUTE_MS + 59_999)
    assert max(document["data_end_time"] for document in written(client, index_prefix).values()) == (
        START_MS + 5 * MINUTE_MS
    )


def test_a_window_is_read_only_after_its_delay(client, source, index_prefix):
    """`window_delay` lets late documents arrive."""
    stores = stores_of(client, index_prefix)
    delayed = detector(source, window_delay={"period": {"interval": 3, "unit": "Minutes"}})
    job = open_job(delayed, stores, START_MS + 3 * MINUTE_MS)
    assert poll(job, stores, START_MS + 10 * MINUTE_MS).windows == 7


def test_the_journal_is_pruned_only_behind_every_checkpoint(client, source, index_prefix, undisturbed):
    """And a restart after pruning still gives the same documents."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 20 * MINUTE_MS)
    later = START_MS + 3 * 86_400_000
    client.indices.refresh(index=f"{index_prefix}-journal")
    before = client.count(index=f"{index_prefix}-journal")["count"]
    job.pruned_at_ms = 0
    prune_journal(job, stores.journal, later)
    client.indices.refresh(index=f"{index_prefix}-journal")
    unsaved = client.count(index=f"{index_prefix}-journal")["count"]
    assert 0 < unsaved < before, "entries of partitions with unsaved models must stay"
    save_checkpoints(job, stores.checkpoints, every_entries=1)
    job.pruned_at_ms = 0
    prune_journal(job, stores.journal, later)
    client.indices.refresh(index=f"{index_prefix}-journal")
    assert client.count(index=f"{index_prefix}-journal")["count"] == 0
    poll(open_job(detector(source), stores, END_MS), stores, END_MS)
    assert written(client, index_prefix) == undisturbed


def test_more_old_entries_than_one_look_deletes_are_looked_at_again(
    client, source, index_prefix, monkeypatch
):
    """At the next block and not in an hour: short intervals write more than that."""
    monkeypatch.setattr(save, "PRUNED_AT_ONCE", 10)
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    poll(job, stores, START_MS + 20 * MINUTE_MS)
    save_checkpoints(job, stores.checkpoints, every_entries=1)
    later, looks = START_MS + 3 * 86_400_000, 0
    client.indices.refresh(index=f"{index_prefix}-journal")
    wanted = client.count(index=f"{index_prefix}-journal")["count"] // 10 + 1
    job.pruned_at_ms = 0
    while job.pruned_at_ms != later:
        prune_journal(job, stores.journal, later)
        client.indices.refresh(index=f"{index_prefix}-journal")
        looks += 1
    assert looks == wanted > 5
    assert client.count(index=f"{index_prefix}-journal")["count"] == 0


def test_a_poll_that_is_told_to_stop_ends_with_everything_committed(client, source, index_prefix):
    """Between two blocks."""
    stores = stores_of(client, index_prefix)
    job = open_job(detector(source), stores, START_MS)
    report = poll(job, stores, END_MS, should_stop=iter([False, True]).__next__)
    assert not report.is_complete
    assert report.windows == 1
    assert isinstance(job, Job)
    assert open_job(detector(source), stores, END_MS).frontier_ms == job.frontier_ms
