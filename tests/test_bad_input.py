"""What goes wrong in a cluster: what a user is told, and that after it is mended nothing is lost or doubled."""

import re
import threading
import uuid
from functools import partial

import pytest
import streams
from faults import FaultyProxy, FirstTime
from opensearchpy import OpenSearch, helpers
from recorder import Answer, Recorder
from streams import MINUTE_MS, START_MS, detector, stores_of, written

from detector.commands import connection
from detector.job import Job
from detector.open import open_job
from detector.poll import poll
from storage.client import connect
from storage.cluster import Cluster
from storage.errors import AccessDenied, BadRequest, MissingIndex, ReadOnly, StorageError, Unavailable
from storage.retry import Retry

N_HOSTS, N_WINDOWS = 4, 30
HALF_MS = START_MS + N_WINDOWS // 2 * MINUTE_MS
END_MS = START_MS + N_WINDOWS * MINUTE_MS
N_HISTORY = 50

TIME = {"type": "date"}
NUMBER = {"type": "double"}
NAME = {"type": "keyword"}
RIGHT = {"properties": {"time": TIME, "load": NUMBER, "host": NAME}}


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    """Many attempts, hardly any wait."""
    quick = partial(Retry, n_attempts=30, first_wait_s=0.001, longest_wait_s=0.001, jitter_s=0.0)
    monkeypatch.setattr(connection, "Retry", quick)


@pytest.fixture(scope="module")
def source(client):
    """Give an index with data, shared by the module; nobody changes it."""
    index = f"t-{uuid.uuid4().hex[:10]}-source"
    make_source(client, index)
    yield index
    client.indices.delete(index=index)


def make_source(client, index, *, mappings=RIGHT, **settings):
    """Index the stream with values whose sums are exact: order and shards of the documents do not matter then."""
    body = {"mappings": mappings, "settings": {"number_of_replicas": 0, **settings}}
    client.indices.create(index=index, body=body)
    bodies = streams.bodies(N_HOSTS, N_WINDOWS, N_HISTORY)
    exact = (body | {"_index": index, "load": round(body["load"] * 8) / 8} for body in bodies)
    helpers.bulk(client, exact, chunk_size=5_000, refresh=True)


@pytest.fixture(scope="module")
def undisturbed(client, source):
    """Give what a run in which nothing goes wrong writes, by id."""
    prefix = f"t-{uuid.uuid4().hex[:10]}"
    stores = stores_of(client, prefix)
    poll(open_job(detector(source), stores, START_MS), stores, END_MS)
    documents = written(client, prefix)
    assert len(documents) > N_HOSTS * N_WINDOWS
    yield documents
    client.indices.delete(index=f"{prefix}-*")
    client.indices.delete_index_template(name=f"{prefix}*")


@pytest.fixture
def stores(client, index_prefix):
    """Return stores under a prefix of the test's own."""
    return stores_of(client, index_prefix)


def finish(job: Job, stores, end_ms: int = END_MS) -> None:
    """Poll to the end with the job that failed, as a sidecar does that goes on running."""
    assert poll(job, stores, end_ms).is_complete
    assert job.frontier_ms == end_ms


def mapping(**fields):
    """Return the right mapping with other types for some fields."""
    return {"properties": RIGHT["properties"] | fields}


@pytest.mark.parametrize("name", ["absent", "absent-*"])
def test_a_missing_index_is_named_and_read_from_the_first_window_once_it_is_there(
    client, stores, index_prefix, undisturbed, name
):
    """An index, and a pattern that matches none."""
    config = detector(f"{index_prefix}-{name}")
    job = open_job(config, stores, START_MS)
    message = (
        "no index matches .*: correct the pattern" if "*" in name else "does not exist: correct the name"
    )
    with pytest.raises(MissingIndex, match=message) as caught:
        poll(job, stores, HALF_MS)
    assert f"{index_prefix}-{name}" in str(caught.value)
    with pytest.raises(MissingIndex, match=message):
        stores.require(config)
    make_source(client, f"{index_prefix}-{name.replace('*', '1')}", mappings=RIGHT)
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


def test_an_index_that_is_deleted_and_comes_back_leaves_no_gap(client, stores, index_prefix, undisturbed):
    """Half-way through."""
    index = f"{index_prefix}-source"
    make_source(client, index, mappings=RIGHT)
    job = open_job(detector(index), stores, START_MS)
    poll(job, stores, HALF_MS)
    client.indices.delete(index=index)
    with pytest.raises(MissingIndex, match=index):
        poll(job, stores, END_MS)
    make_source(client, index, mappings=RIGHT)
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


WRONG_FIELDS = {
    "time_field": ({"time_field": "tiem"}, r"no index knows the field `tiem`; did you mean `time`\?"),
    "category": ({"category_field": ["hots"]}, r"no index knows the field `hots`; did you mean `host`\?"),
    "feature": (
        {
            "feature_attributes": [
                {"feature_name": "x", "aggregation_query": {"x": {"avg": {"field": "laod"}}}}
            ]
        },
        r"no index knows the field `laod`; did you mean `load`\?",
    ),
    "time_type": ({"time_field": "load"}, "`load` must be of type date or date_nanos, but is double"),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_field_that_no_index_knows_is_refused_before_anything_is_read(
    client, stores, source, index_prefix, undisturbed, case
):
    """The cluster itself would answer with nothing; the mended file begins where the wrong one would have."""
    changes, message = WRONG_FIELDS[case]
    wrong = detector(source, **changes)
    open_job(wrong, stores, START_MS)
    with pytest.raises(BadRequest, match=message) as caught:
        stores.require(wrong)
    assert source in str(caught.value)
    right = detector(source)
    stores.require(right)
    job = open_job(right, stores, END_MS)
    assert job.registration.start_ms == START_MS
    finish(job, stores)
    assert without_generation(written(client, index_prefix)) == without_generation(undisturbed)


def without_generation(documents):
    """Return documents by what they are about, without what names the generation."""
    by_subject = {
        (document["entity_key"], document["data_end_time"]): document for document in documents.values()
    }
    assert len(by_subject) == len(documents), "a window of an entity must have one document"
    names = {"generation", "model_id"}
    return {
        subject: {name: value for name, value in document.items() if name not in names}
        for subject, document in by_subject.items()
    }


WRONG_TYPES = {
    "text in an aggregation": (
        {"load": {"type": "text"}},
        "Text fields are not optimised .* use a keyword field",
    ),
    "keyword in an average": ({"load": NAME}, r"Field \[load\] of type \[keyword\] is not supported"),
    "text as category": ({"host": {"type": "text"}}, "Text fields are not optimised"),
    "keyword as time": (
        {"time": NAME},
        r"Field \[time\] of type \[keyword\] is not supported .*date_histogram",
    ),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_a_field_of_the_wrong_type_is_told_in_the_clusters_words_and_waits_for_the_right_mapping(
    client, stores, index_prefix, undisturbed, case
):
    """The index is made anew with the right mapping."""
    fields, message = WRONG_TYPES[case]
    index = f"{index_prefix}-source"
    make_source(client, index, mappings=mapping(**fields))
    job = open_job(detector(index), stores, START_MS)
    with pytest.raises(BadRequest, match=message) as caught:
        poll(job, stores, HALF_MS)
    assert f"index {index}" in str(caught.value)
    assert written(client, index_prefix) == {}
    client.indices.delete(index=index)
    make_source(client, index, mappings=RIGHT)
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


def test_an_empty_index_gives_empty_windows_and_its_first_documents_are_read(
    client, stores, index_prefix, undisturbed
):
    """With a mapping it is an index in which nothing has happened yet."""
    index = f"{index_prefix}-source"
    client.indices.create(index=index, body={"mappings": RIGHT})
    config = detector(index)
    stores.require(config)
    job = open_job(config, stores, START_MS - 20 * MINUTE_MS)
    report = poll(job, stores, START_MS)
    assert (report.windows, report.results, job.n_entities) == (20, 0, 0)
    client.indices.delete(index=index)
    make_source(client, index, mappings=RIGHT)
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


def test_an_index_without_any_field_says_so_until_documents_arrive(client, stores, index_prefix, undisturbed):
    """Whether the fields will have the right names cannot be known yet, so no window is passed over."""
    index = f"{index_prefix}-source"
    client.indices.create(index=index)
    config = detector(index)
    job = open_job(config, stores, START_MS)
    with pytest.raises(BadRequest, match=rf"index {index} holds no document and no field yet"):
        stores.require(config)
    client.indices.delete(index=index)
    make_source(client, index, mappings=RIGHT)
    stores.require(config)
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


@pytest.mark.parametrize("n_healthy", [0, 1])
def test_a_red_shard_fails_the_window_and_is_never_taken_for_a_drop(
    client, stores, index_prefix, undisturbed, n_healthy
):
    """All shards without a node, and one beside others that answer."""
    if n_healthy:
        make_source(client, f"{index_prefix}-source-green")
    job = open_job(detector(f"{index_prefix}-source-*"), stores, START_MS)
    if n_healthy:
        poll(job, stores, HALF_MS)
    frontier_ms = job.frontier_ms
    red = f"{index_prefix}-source-red"
    nowhere = {"index.routing.allocation.require._name": "nobody"}
    client.indices.create(
        index=red, body={"mappings": RIGHT, "settings": nowhere}, wait_for_active_shards="0"
    )
    assert client.cluster.health(index=red)["status"] == "red"
    with pytest.raises(Unavailable, match=r"are red: the cluster must bring them back") as caught:
        poll(job, stores, END_MS)
    assert red in str(caught.value)
    assert job.frontier_ms == frontier_ms
    client.indices.put_settings(index=red, body=dict.fromkeys(nowhere))
    client.cluster.health(index=red, wait_for_status="yellow")
    if not n_healthy:
        client.indices.delete(index=red)
        make_source(client, f"{index_prefix}-source-green")
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


BLOCKS = {
    "disk full": ("read_only_allow_delete", "read-only because the disk is full: free or add disk space"),
    "read-only": ("read_only", "the index is read-only: set its index.blocks.read_only .* to null"),
    "no writing": (
        "write",
        "the index is read-only: set its index.blocks.read_only and index.blocks.write to null",
    ),
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("name", ["results-2024.02", "journal", "state", "checkpoints"])
def test_an_index_of_ours_that_takes_no_writes_holds_detection_up_and_loses_nothing(
    client, stores, source, index_prefix, undisturbed, name, block
):
    """The cluster lifts the block of a full disk by itself, perhaps sooner than we look: then we set it again."""
    setting, message = BLOCKS[block]
    index = f"{index_prefix}-{name}"
    job = open_job(detector(source), stores, START_MS)
    # Each partition has its own first window for checkpoints, so with 30 windows some are due at any step.
    poll(job, stores, START_MS + 24 * MINUTE_MS)
    told = None
    for window in range(25, N_WINDOWS):
        client.indices.put_settings(index=index, body={f"index.blocks.{setting}": True})
        try:
            poll_and_save(job, stores, START_MS + window * MINUTE_MS)
        except ReadOnly as error:
            told = str(error)
            break
        finally:
            client.indices.put_settings(index=index, body={f"index.blocks.{setting}": None})
    assert re.search(f"index {index}: {message}", told)
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed


def poll_and_save(job, stores, end_ms):
    """Poll and save every checkpoint."""
    from detector.save import save_checkpoints

    poll(job, stores, end_ms)
    save_checkpoints(job, stores.checkpoints, every_entries=1)


def test_a_cluster_that_goes_away_and_one_that_is_read_only_are_made_up_for(
    embedded_node_factory, node_folder
):
    """A node of its own, stopped between windows and started again on its data, then made read-only."""
    node = embedded_node_factory(data_folder=node_folder)
    with OpenSearch(node.url, timeout=60) as client:
        make_source(client, "source")
        calm = stores_of(client, "calm")
        poll(open_job(detector("source"), calm, START_MS), calm, END_MS)
    port = int(node.url.rsplit(":", 1)[1])
    with connect(Cluster(url=node.url)) as client:
        stores = stores_of(client, "torn")
        job = open_job(detector("source"), stores, START_MS)
        poll(job, stores, HALF_MS)
        node.stop()
        with pytest.raises(
            Unavailable, match=rf"http://127.0.0.1:{port}: no connection: .*is the cluster running"
        ):
            poll(job, stores, END_MS)
        with pytest.raises(Unavailable, match="no connection"):
            stores.prepare()
        node = embedded_node_factory(data_folder=node_folder, port=port)
        poll(job, stores, HALF_MS + 5 * MINUTE_MS)

        read_only = {"persistent": {"cluster.blocks.read_only": True}}
        client.cluster.put_settings(body=read_only)
        for failing in (lambda: poll(job, stores, END_MS), stores.prepare):
            with pytest.raises(
                ReadOnly, match=r"whole cluster is read-only: set cluster.blocks.read_only to null"
            ):
                failing()
        client.cluster.put_settings(body={"persistent": {"cluster.blocks.read_only": None}})
        finish(job, stores)
        assert written(client, "torn") == written(client, "calm")


KINDS = ("429", "503", "reset", "swallow", "partial")


@pytest.mark.parametrize("kind", KINDS)
def test_every_request_may_fail_once_and_the_poll_goes_through(client, node_url, source, index_prefix, kind):
    """Too busy, no cluster manager, connection cut before, connection cut after the node did what it was asked."""
    config = detector(source, is_single=True)
    calm = stores_of(client, f"{index_prefix}-calm")
    poll(open_job(config, calm, START_MS), calm, END_MS)
    n_seen = run_with_faults(node_url, f"{index_prefix}-torn", config, kind)
    assert n_seen > 15
    assert written(client, f"{index_prefix}-torn") == written(client, f"{index_prefix}-calm")


def test_each_request_may_fail_in_another_way_with_all_partitions(
    client, node_url, source, index_prefix, undisturbed
):
    """Writes of many partitions in one request, some of which stand already when it is made again."""
    assert run_with_faults(node_url, index_prefix, detector(source), *KINDS) > 100
    assert written(client, index_prefix) == undisturbed


def run_with_faults(node_url, prefix, config, *kinds):
    """Run to the end while every request goes wrong the first time; return how many did."""
    with OpenSearch(node_url) as client:
        stores_of(client, prefix)
    with FaultyProxy(node_url) as proxy, connect(Cluster(url=proxy.url)) as torn:
        proxy.fault = FirstTime(*kinds)
        stores = connection.build_stores(torn, prefix, threading.Event())
        job = open_job(config, stores, START_MS)
        poll_and_save(job, stores, HALF_MS)
        poll_and_save(job, stores, END_MS)
        # Of a bulk that is written in part each rest is another request, which fails in its turn.
        assert len(proxy.requests) >= (1.5 if "partial" in kinds else 2) * len(proxy.fault.seen)
        return len(proxy.fault.seen)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_every_request_may_fail_the_poll_and_the_next_one_goes_on(
    client, node_url, source, index_prefix, monkeypatch, is_restarted
):
    """Without retries: the same process goes on, or another one takes over."""
    config = detector(source, is_single=True)
    calm = stores_of(client, f"{index_prefix}-calm")
    poll(open_job(config, calm, START_MS), calm, END_MS)
    prefix = f"{index_prefix}-torn"
    stores_of(client, prefix)
    monkeypatch.setattr(connection, "Retry", partial(Retry, n_attempts=1))
    with FaultyProxy(node_url) as proxy, connect(Cluster(url=proxy.url)) as torn:
        proxy.fault = FirstTime(*KINDS)
        stores = connection.build_stores(torn, prefix, threading.Event())
        job, failures = None, 0
        for end_ms in (HALF_MS, END_MS):
            is_done = False
            while not is_done:
                try:
                    job = job or open_job(config, stores, START_MS)
                    poll_and_save(job, stores, end_ms)
                    is_done = True
                except Unavailable:
                    failures += 1
                    job = None if is_restarted else job
        assert failures > 10
    assert written(client, prefix) == written(client, f"{index_prefix}-calm")


def test_wrong_credentials_are_told_and_after_they_are_right_nothing_is_missing(
    client, node_url, source, index_prefix, undisturbed
):
    """The node of the tests has no security, so a front that asks for a password stands before it."""
    refusal = Answer(401, {"error": "Unauthorized"}, {"www-authenticate": "Basic"})
    with FaultyProxy(node_url) as proxy:
        pass_on = proxy.answer
        right = "Basic b3V0cmlkZXI6cmlnaHQ="
        proxy.answer = lambda request: (
            pass_on(request) if request.headers.get("authorization") == right else refusal
        )
        wrong = Cluster(url=proxy.url, username="outrider", password="wrong")
        with connect(wrong) as refused:
            stores = connection.build_stores(refused, index_prefix, threading.Event())
            for failing in (stores.prepare, lambda: open_job(detector(source), stores, START_MS)):
                with pytest.raises(
                    AccessDenied, match=r"credentials not accepted \(401\).*OPENSEARCH_PASSWORD"
                ) as caught:
                    failing()
                assert "wrong" not in str(caught.value)
        with connect(Cluster(url=proxy.url, username="outrider", password="right")) as let_in:
            stores = stores_of(let_in, index_prefix)
            finish(open_job(detector(source), stores, START_MS), stores)
    assert written(client, index_prefix) == undisturbed


def test_many_that_make_the_indices_at_once_all_succeed(client, index_prefix):
    """Detectors that start together, and several sidecars."""
    errors = []

    def prepare():
        try:
            connection.build_stores(client, index_prefix, threading.Event()).prepare()
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(client.indices.get(index=f"{index_prefix}-*")) == 4


def test_something_that_is_no_cluster_is_not_taken_for_one(index_prefix):
    """A web server that answers everything with a page."""
    html = Answer(200, b"<html>hello</html>", {"content-type": "text/html"})
    with Recorder(lambda _: html) as page, connect(Cluster(url=page.url)) as client:
        stores = connection.build_stores(client, index_prefix, threading.Event())
        with pytest.raises(StorageError, match="OpenSearch"):
            stores.prepare()


def test_names_of_entities_may_be_as_long_as_a_cluster_takes_them(client, stores, index_prefix, undisturbed):
    """32,000 bytes make an entity; 40,000 are not indexed by a field with `ignore_above`, and belong to none."""
    index = f"{index_prefix}-source"
    make_source(client, index, mappings=mapping(host=NAME | {"ignore_above": 32_000}))
    long, too_long = "x" * 32_000, "y" * 40_000
    bodies = [
        {
            "_index": index,
            "time": START_MS + window * MINUTE_MS + 5_000,
            "load": 50 + window % 3,
            "host": host,
        }
        for window in range(N_WINDOWS)
        for host in (long, too_long)
    ]
    helpers.bulk(client, bodies, refresh=True)
    job = open_job(detector(index), stores, START_MS)
    finish(job, stores)
    documents = written(client, index_prefix)
    of_long = {key: body for key, body in documents.items() if body["entity_attributes"]["host"] == long}
    assert len(of_long) == N_WINDOWS
    assert all(body["entity"] == [{"name": "host", "value": long}] for body in of_long.values())
    assert {key: body for key, body in documents.items() if key not in of_long} == undisturbed
    again = open_job(detector(index), stores, END_MS)
    assert again.n_entities == job.n_entities == N_HOSTS + 1


def test_documents_dated_in_the_future_are_read_when_their_time_has_come(
    client, stores, index_prefix, undisturbed
):
    """Also those of a clock that is a century ahead, of an entity that is not there yet."""
    index = f"{index_prefix}-source"
    make_source(client, index, mappings=RIGHT)
    century = START_MS + 100 * 365 * 86_400_000
    client.index(index=index, body={"time": century, "load": 1, "host": "from-the-future"}, refresh=True)
    job = open_job(detector(index), stores, START_MS)
    for window in (1, 7, 20):
        poll(job, stores, START_MS + window * MINUTE_MS + 30_000)
        newest = max(body["data_end_time"] for body in written(client, index_prefix).values())
        assert newest == START_MS + window * MINUTE_MS
    finish(job, stores)
    assert written(client, index_prefix) == undisturbed
