"""The stores on a real node: journal, results, checkpoints, markers and registrations."""

import threading
from typing import NamedTuple

import orjson
import pytest

from storage.bulk import Item, write
from storage.checkpoints import CheckpointStore
from storage.detectors import DetectorStore
from storage.errors import ReadOnly, SchemaMismatch
from storage.indices import ensure_indices
from storage.journal import Journal
from storage.records import Checkpoint, Entry, Marker
from storage.results import ResultStore
from storage.retry import Retry
from storage.state import StateStore

RETRY = Retry(n_attempts=2, first_wait_s=0.01, jitter_s=0.0)
JULY, AUGUST = 1_405_000_000_000, 1_407_000_000_000


class Result(NamedTuple):
    """A result document as the app makes them."""

    id: str
    end_time_ms: int
    source: bytes
    only_new: bool = False


@pytest.fixture
def prefix(client, index_prefix):
    """Return a prefix whose indices exist."""
    ensure_indices(client, index_prefix, RETRY)
    return index_prefix


class TestJournal:
    """Append-only logs."""

    def test_entries_come_back_in_order_and_whole(self, client, prefix):
        """Also across the number that is fetched at once, without any refresh."""
        journal = Journal(client, prefix, RETRY)
        payloads = [bytes([number % 256]) * 50 for number in range(150)]
        lost = journal.append([Entry("d~1~00", n + 1, payload) for n, payload in enumerate(payloads)], 0)
        assert lost == set()
        assert [entry.payload for entry in journal.read("d~1~00", 0)] == payloads
        assert [entry.sequence for entry in journal.read("d~1~00", 148)] == [149, 150]
        assert list(journal.read("d~1~01", 0)) == []

    def test_of_two_writers_one_loses_and_nothing_is_overwritten(self, client, prefix):
        """The loser is told which log; other logs of the same request are written."""
        journal = Journal(client, prefix, RETRY)
        journal.append([Entry("a", 1, b"first")], 0)
        assert journal.append([Entry("a", 1, b"second"), Entry("b", 1, b"other")], 0) == {"a"}
        assert [entry.payload for entry in journal.read("a", 0)] == [b"first"]
        assert [entry.payload for entry in journal.read("b", 0)] == [b"other"]

    def test_writing_the_same_entry_again_is_no_conflict(self, client, prefix):
        """A write whose answer was lost is tried again."""
        journal = Journal(client, prefix, RETRY)
        journal.append([Entry("a", 1, b"first")], 0)
        assert journal.append([Entry("a", 1, b"first")], 0) == set()

    def test_old_entries_are_found_and_deleted(self, client, prefix):
        """Only those of the logs asked for and written before the time."""
        journal = Journal(client, prefix, RETRY)
        journal.append([Entry("a", 1, b"x"), Entry("b", 1, b"x")], 1_000)
        journal.append([Entry("a", 2, b"x")], 5_000)
        client.indices.refresh(index=f"{prefix}-journal")
        assert journal.written_before(["a"], 2_000, 10_000) == [("a", 1)]
        assert journal.written_before(["a"], 10_000, 1) == [("a", 1)]
        journal.delete([("a", 1)])
        journal.delete([("a", 1)])
        assert list(journal.read("a", 0)) == []
        assert [entry.sequence for entry in journal.read("a", 1)] == [2]


class TestResults:
    """Documents by id in monthly indices."""

    def test_a_document_written_again_is_one_document(self, client, prefix):
        """Its index is a function of its window end."""
        store = ResultStore(client, prefix, RETRY)
        for grade in (0.1, 0.2):
            body = orjson.dumps({"data_end_time": JULY, "anomaly_grade": grade})
            assert store.save([Result("1", JULY, body), Result("2", AUGUST, body)]) == []
        client.indices.refresh(index=f"{prefix}-results-*")
        assert set(client.indices.get_alias(name=f"{prefix}-results")) == {
            f"{prefix}-results-2014.07",
            f"{prefix}-results-2014.08",
        }
        assert [result["anomaly_grade"] for result in store.find()] == [0.2, 0.2]

    def test_history_never_rewrites_a_live_result(self, client, prefix):
        """What exists stays, and that is no failure."""
        store = ResultStore(client, prefix, RETRY)
        store.save([Result("1", JULY, b'{"status": "scored"}')])
        assert store.save([Result("1", JULY, b'{"status": "history"}', only_new=True)]) == []
        assert client.get(index=f"{prefix}-results-2014.07", id="1")["_source"] == {"status": "scored"}

    def test_a_document_that_does_not_fit_is_handed_back_and_the_others_stand(self, client, prefix):
        """The reason is the cluster's own."""
        store = ResultStore(client, prefix, RETRY)
        good, bad = b'{"anomaly_grade": 1}', b'{"anomaly_grade": "high"}'
        (refusal,) = store.save([Result("1", JULY, good), Result("2", JULY, bad), Result("3", JULY, good)])
        assert refusal.position == 1
        assert "anomaly_grade" in refusal.reason
        client.indices.refresh(index=f"{prefix}-results-*")
        assert client.count(index=f"{prefix}-results")["count"] == 2

    def test_a_value_too_long_for_a_keyword_is_kept_all_the_same(self, client, prefix):
        """An entity name of 40,000 bytes costs its own search, not the document."""
        store = ResultStore(client, prefix, RETRY)
        name = "x" * 40_000
        body = orjson.dumps(
            {
                "entity_key": f"host={name}",
                "entity_attributes": {"host": name},
                "entity": [{"name": "host", "value": name}],
            }
        )
        assert store.save([Result("1", JULY, body)]) == []

    def test_a_disk_full_block_is_raised_and_after_it_writing_goes_on(self, client, prefix):
        """No document is lost by being taken for refused."""
        store = ResultStore(client, prefix, RETRY)
        store.save([Result("1", JULY, b"{}")])
        index = f"{prefix}-results-2014.07"
        client.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": True})
        with pytest.raises(ReadOnly, match="disk"):
            store.save([Result("2", JULY, b"{}")])
        client.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": None})
        assert store.save([Result("2", JULY, b"{}")]) == []

    def test_results_are_found_by_detector_grade_and_time(self, client, prefix):
        """Newest first."""
        store = ResultStore(client, prefix, RETRY)
        rows = [("a", 1000, 0.0), ("a", 2000, 0.5), ("b", 3000, 0.9), ("a", 4000, 0.1)]
        store.save(
            [
                Result(
                    str(end),
                    end,
                    orjson.dumps({"detector_id": name, "data_end_time": end, "anomaly_grade": grade}),
                )
                for name, end, grade in rows
            ]
        )
        client.indices.refresh(index=f"{prefix}-results-*")
        ends = lambda **conditions: [r["data_end_time"] for r in store.find(**conditions)]  # noqa: E731
        assert ends() == [4000, 3000, 2000, 1000]
        assert ends(detector_id="a", min_grade=0.0) == [4000, 2000]
        assert ends(min_grade=0.5) == [3000, 2000]
        assert ends(since_ms=1000, until_ms=3000) == [3000, 2000]
        assert ends(most=1) == [4000]

    def test_before_the_first_result_nothing_is_found(self, client, prefix):
        """No index is no error."""
        assert ResultStore(client, prefix, RETRY).find() == []


class TestCheckpoints:
    """Models as bytes."""

    def test_an_older_checkpoint_never_replaces_a_newer_one(self, client, prefix):
        """A process that was stopped for long and goes on changes nothing."""
        store = CheckpointStore(client, prefix, RETRY)
        store.save([Checkpoint("a", 0, 7, b"newer")])
        store.save([Checkpoint("a", 0, 5, b"older"), Checkpoint("a", 1, 5, b"other")])
        assert store.load("a", 3) == [Checkpoint("a", 0, 7, b"newer"), Checkpoint("a", 1, 5, b"other")]

    def test_many_groups_come_back_in_order(self, client, prefix):
        """Across the number that is fetched at once."""
        store = CheckpointStore(client, prefix, RETRY)
        checkpoints = [Checkpoint("a", group, 1, bytes([group])) for group in range(40)]
        store.save(checkpoints)
        assert store.load("a", 40) == checkpoints


class TestMarkers:
    """How far each partition has come."""

    def test_a_marker_moves_forward_from_what_was_read(self, client, prefix):
        """The version makes the loser of two notice."""
        store = StateStore(client, prefix, RETRY)
        ours, lost = store.advance([Marker("a", 1, 1000, 3)], 0)
        assert lost == set()
        assert store.markers(["a", "b"]) == {"a": ours[0]}
        (moved,), _ = store.advance([ours[0]._replace(sequence=2)], 0)
        assert moved.sequence == 2
        stale, lost = store.advance([ours[0]._replace(sequence=9)], 0)
        assert (stale, lost) == ([], {"a"})
        assert store.markers(["a"])["a"].sequence == 2

    def test_the_same_move_tried_again_is_no_conflict(self, client, prefix):
        """A write whose answer was lost."""
        store = StateStore(client, prefix, RETRY)
        (first,), _ = store.advance([Marker("a", 1, 1000, 3)], 0)
        (again,), lost = store.advance([Marker("a", 1, 1000, 3)], 5)
        assert lost == set()
        assert again == first

    def test_reports_are_kept_by_detector_and_sidecar(self, client, prefix):
        """The last one of each counts."""
        store = StateStore(client, prefix, RETRY)
        store.save_report("a", {"windows": 1}, 10)
        store.save_report("a", {"windows": 2}, 20)
        store.save_report("a", {"windows": 3}, 30, 7)
        assert store.reports("a", range(10)) == {
            0: {"windows": 2, "updated_at": 20},
            7: {"windows": 3, "updated_at": 30},
        }
        assert store.reports("b", range(10)) == {}


class TestDetectors:
    """Registrations and generations."""

    def test_a_detector_keeps_its_start_and_models_unless_the_fingerprint_changes(self, client, prefix):
        """Other edits raise the revision only."""
        store = DetectorStore(client, prefix, RETRY)
        first = store.register("a", {"name": "a"}, "f1", lambda _: 111, 0)
        assert (first.generation, first.revision, first.start_ms) == (1, 1, 111)
        assert store.register("a", {"name": "a"}, "f1", lambda _: 999, 0) == first
        edited = store.register("a", {"name": "a", "description": "x"}, "f1", lambda _: 999, 0)
        assert (edited.generation, edited.revision, edited.start_ms) == (1, 2, 111)
        seen = []
        renewed = store.register("a", {"name": "a"}, "f2", lambda old: seen.append(old) or 222, 0)
        assert (renewed.generation, renewed.revision, renewed.start_ms) == (2, 3, 222)
        assert seen == [edited]
        client.indices.refresh(index=f"{prefix}-detectors")
        assert store.find_all() == [renewed]

    def test_two_that_register_at_once_agree(self, client, prefix):
        """What was written first counts for both."""
        stores = [DetectorStore(client, prefix, RETRY) for _ in range(8)]
        found = []
        threads = [
            threading.Thread(
                target=lambda store=store, n=n: found.append(store.register("a", {}, "f", lambda _: n, 0))
            )
            for n, store in enumerate(stores)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len({registration.start_ms for registration in found}) == 1


class TestIndices:
    """Templates and schema versions."""

    def test_making_sure_twice_changes_nothing(self, client, prefix):
        """Documents stay."""
        store = ResultStore(client, prefix, RETRY)
        store.save([Result("1", JULY, b"{}")])
        ensure_indices(client, prefix, RETRY)
        assert client.get(index=f"{prefix}-results-2014.07", id="1")["found"]

    def test_an_index_of_a_newer_release_is_refused_with_both_numbers(self, client, prefix):
        """Nothing is written into it."""
        client.indices.put_mapping(index=f"{prefix}-state", body={"_meta": {"schema_version": 99}})
        with pytest.raises(
            SchemaMismatch, match=r"-state has schema version 99, this release .* knows version 1"
        ):
            ensure_indices(client, prefix, RETRY)

    def test_unknown_fields_of_a_result_are_kept_and_not_mapped(self, client, prefix):
        """The mapping cannot grow by accident; flat numbers and attributes get their types."""
        store = ResultStore(client, prefix, RETRY)
        body = {"surprise": 1, "value": {"cpu": 1}, "entity_attributes": {"host": "web-1"}}
        store.save([Result("1", JULY, orjson.dumps(body))])
        index = f"{prefix}-results-2014.07"
        properties = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
        assert "surprise" not in properties
        assert properties["value"]["properties"]["cpu"]["type"] == "double"
        assert properties["entity_attributes"]["properties"]["host"]["type"] == "keyword"


def test_a_bulk_of_many_megabytes_is_cut_into_requests(client, prefix):
    """Outcomes come in the order of the items."""
    source = orjson.dumps({"error": "x" * 400_000})
    items = [Item("index", f"{prefix}-results-2014.07", str(number), source) for number in range(30)]
    outcomes = write(client, items, RETRY)
    assert [outcome.status for outcome in outcomes] == [201] * 30


def test_heartbeats_are_a_bounded_number(client, prefix):
    """One an interval; after 1,440 the first is written over; two within an interval are one."""
    state = StateStore(client, prefix, RETRY)
    for minute in range(0, 1_500, 10):
        state.save_report("taxi", {"interval_s": 600, "lag_s": minute}, minute * 60_000)
    state.save_report("taxi", {"interval_s": 600, "lag_s": -1}, 1_490 * 60_000 + 5)
    for turn in (0, 1):
        state.save_report("web", {"interval_s": 1, "lag_s": turn}, turn * 1_440_000)
    client.indices.refresh(index=f"{prefix}-state")
    found = client.search(
        index=f"{prefix}-state", body={"size": 500, "query": {"term": {"kind": "heartbeat"}}}
    )["hits"]["hits"]
    lags = {name: sorted(hit["_source"]["lag_s"] for hit in found if hit["_source"]["detector_id"] == name)
            for name in ("taxi", "web")}  # fmt: skip
    assert lags == {"taxi": [-1, *range(0, 1_490, 10)], "web": [1]}
