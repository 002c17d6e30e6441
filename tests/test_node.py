"""The embedded node, on real OpenSearch processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from opensearchpy import OpenSearch

from storage.embedded.node_error import NodeError
from storage.embedded.node_record import NodeRecord
from storage.node import EmbeddedNode

Factory = Callable[..., EmbeddedNode]

OWNER = """
import sys, time
from pathlib import Path
from storage.node import EmbeddedNode
with EmbeddedNode(Path(sys.argv[1]), heap="256m") as node:
    print(node.url, flush=True)
    time.sleep(600)
"""


@contextmanager
def owner_of(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program that owns a node, in a session of its own."""
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as owner:
        try:
            yield owner
        finally:
            owner.kill()


def record_of(folder: Path) -> NodeRecord:
    record = NodeRecord.read(folder)
    assert record is not None
    return record


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.05)


def values(url: str) -> list[float]:
    with OpenSearch(url) as client:
        client.indices.refresh()
        hits = client.search(index="kept", body={"sort": ["value"]})["hits"]["hits"]
        return [hit["_source"]["value"] for hit in hits]


def test_the_shared_server_takes_bulks_and_aggregates_them(client: OpenSearch, index_prefix: str) -> None:
    """A composite aggregation over what a bulk wrote, the query Outrider lives on."""
    lines: list[dict[str, object]] = []
    for value in range(100):
        lines += [{"index": {}}, {"host": f"h{value % 2}", "value": value}]
    assert not client.bulk(index=index_prefix, body=lines, params={"refresh": "true"})["errors"]
    hosts = {"composite": {"sources": [{"host": {"terms": {"field": "host.keyword"}}}]}}
    body = {"size": 0, "aggs": {"hosts": {**hosts, "aggs": {"sum": {"sum": {"field": "value"}}}}}}
    buckets = client.search(index=index_prefix, body=body)["aggregations"]["hosts"]["buckets"]
    assert [bucket["sum"]["value"] for bucket in buckets] == [2450.0, 2500.0]


def test_scripts_pipelines_and_reindex_work(client: OpenSearch, index_prefix: str) -> None:
    """What was left out of the distribution is not missed by the features that users' indices rely on."""
    source, target = f"{index_prefix}-source", f"{index_prefix}-target"
    double = {"script": {"source": "ctx.value *= 2"}}
    client.ingest.put_pipeline(
        id=index_prefix, body={"processors": [double, {"uppercase": {"field": "host"}}]}
    )
    document = {"host": "a", "value": 21}
    client.index(index=source, body=document, params={"pipeline": index_prefix, "refresh": "true"})
    client.reindex(body={"source": {"index": source}, "dest": {"index": target}}, params={"refresh": "true"})
    client.ingest.delete_pipeline(id=index_prefix)
    body = {
        "query": {"match": {"host": "A"}},
        "aggs": {"p": {"percentiles": {"field": "value", "percents": [50]}}},
        "script_fields": {"half": {"script": "doc['value'].value / 2"}},
    }
    answer = client.search(index=target, body=body)
    assert answer["aggregations"]["p"]["values"] == {"50.0": 42.0}
    assert answer["hits"]["hits"][0]["fields"]["half"] == [21]


def test_data_outlive_the_node(embedded_node_factory: Factory, node_folder: Path) -> None:
    """Stopped and started again on its folder it has its documents."""
    node = embedded_node_factory(data_folder=node_folder)
    with OpenSearch(node.url) as client:
        client.index(index="kept", body={"value": 1.0})
    process = psutil.Process(node.pid)
    node.stop()
    assert not process.is_running()
    assert (node.url, node.pid) == ("", 0)
    node.start()
    assert values(node.url) == [1.0]


def test_the_node_never_runs_as_root_and_listens_where_it_was_told(embedded_node_factory: Factory) -> None:
    """Whoever starts it; on the chosen port of the loopback interface only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    node = embedded_node_factory(port=port)
    assert node.url == f"http://127.0.0.1:{port}"
    process = psutil.Process(node.pid)
    assert process.uids().effective != 0
    listening = {c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert port in {address.port for address in listening}


def test_garbage_makes_no_node_refuse_requests(embedded_node_factory: Factory) -> None:
    """The breaker counts what requests reserve, up to 70 % of the heap, not what the heap holds, up to 95 %."""
    with OpenSearch(embedded_node_factory().url) as client:
        (found,) = client.nodes.stats(metric="breaker,jvm")["nodes"].values()
        share = found["breakers"]["parent"]["limit_size_in_bytes"] / found["jvm"]["mem"]["heap_max_in_bytes"]
        assert share == pytest.approx(0.7, abs=0.01)


def test_a_killed_owner_takes_its_node_along(embedded_node_factory: Factory, node_folder: Path) -> None:
    """SIGKILL leaves the owner no time to do anything about it; the folder can be used again, here afresh."""
    with owner_of(node_folder) as owner:
        assert owner.stdout is not None
        with OpenSearch(owner.stdout.readline().strip()) as client:
            client.index(index="kept", body={"value": 1.0})
        record = record_of(node_folder)
        assert record.process() is not None
        owner.kill()
        wait_until(lambda: record.process() is None, timeout_s=10)
    fresh = embedded_node_factory(data_folder=node_folder, keeps_data=False)
    with OpenSearch(fresh.url) as client:
        assert not client.indices.exists(index="kept")


def test_ctrl_c_during_the_start_leaves_nothing_behind(
    node_folder: Path, embedded_node_factory: Factory
) -> None:
    """The terminal sends SIGINT to the owner's whole process group; the node is not in it."""
    assert embedded_node_factory is not None
    with owner_of(node_folder) as owner:
        wait_until((node_folder / "node.json").exists)
        record = record_of(node_folder)
        assert record.process() is not None
        os.killpg(owner.pid, signal.SIGINT)
        assert "KeyboardInterrupt" in owner.communicate(timeout=60)[1]
    assert record.process() is None
    assert not (node_folder / "node.json").exists()


def test_a_stale_node_is_stopped_and_its_data_taken_over(
    embedded_node_factory: Factory, node_folder: Path
) -> None:
    """Owner and watchdog both killed: the next start finds the process by its record."""
    with owner_of(node_folder) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        with OpenSearch(url) as client:
            client.index(index="kept", body={"value": 7.0})
        record = record_of(node_folder)
        stale = record.process()
        assert stale is not None
        watchdog = stale.parent()
        assert watchdog is not None
        watchdog.kill()
        owner.kill()
    assert stale.is_running()
    assert stale.status() != psutil.STATUS_ZOMBIE
    node = embedded_node_factory(data_folder=node_folder)
    assert record.process() is None
    assert values(node.url) == [7.0]


def test_a_node_that_dies_at_its_start_says_why(embedded_node_factory: Factory, node_folder: Path) -> None:
    """The end of its log is in the message, without Java's stack trace."""
    with pytest.raises(NodeError, match=r"(?s)ended at its start .*last words.*no\.such\.setting") as caught:
        embedded_node_factory(data_folder=node_folder, settings={"no.such.setting": "1"})
    assert "\tat " not in str(caught.value)
    assert not (node_folder / "node.json").exists()


def test_a_node_that_does_not_answer_is_given_up(embedded_node_factory: Factory, node_folder: Path) -> None:
    """And does not stay behind."""
    with pytest.raises(NodeError, match=r"did not answer within 0\.5 s"):
        embedded_node_factory(data_folder=node_folder, start_timeout_s=0.5)
    assert not any(str(node_folder) in word for p in psutil.process_iter() for word in cmdline(p))


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_taken_port_is_refused_before_anything_is_started(embedded_node_factory: Factory) -> None:
    """The message names the port and the way out."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(NodeError, match=rf"port {port} cannot be used .*another one, or 0"):
            embedded_node_factory(port=port)


def test_a_heap_that_does_not_fit_is_refused(embedded_node_factory: Factory) -> None:
    """Before Java fails in words of its own."""
    with pytest.raises(NodeError, match=r"too little memory: .* heap of 1024000 MB .* smaller heap"):
        embedded_node_factory(heap="1000g")


def test_only_a_running_node_with_a_folder_can_be_detached(embedded_node_factory: Factory) -> None:
    """A temporary folder goes away with its owner."""
    assert embedded_node_factory is not None
    with pytest.raises(ValueError, match="only a running node with a data folder"):
        EmbeddedNode(heap="256m").detach()
