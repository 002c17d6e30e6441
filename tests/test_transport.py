"""What an observer of requests is told, by a real server's answers."""

import pytest
from opensearchpy.exceptions import OpenSearchException
from recorder import Answer, Recorder

from storage.client import connect
from storage.cluster import Cluster
from storage.transport import OPERATIONS, operation_of


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/logs-*/_search", "search"),
        ("/_bulk?refresh=false", "bulk"),
        ("/outrider-journal/_mget", "mget"),
        ("/outrider-state/_doc/report~taxi", "doc"),
        ("/_index_template/outrider-results", "index_template"),
        ("/_cluster/health", "other"),
        ("/my_search", "other"),
        ("/", "other"),
    ],
)
def test_an_operation_is_named_by_its_path(path, operation):
    """Names of indices do not make new operations."""
    assert operation_of(path) == operation
    assert operation in {name.removeprefix("_") for name in OPERATIONS} | {"other"}


@pytest.mark.parametrize(
    ("answer", "outcome"), [(Answer(200, {}), "ok"), (Answer(429, {}), "429"), (Answer(503, {}), "503")]
)
def test_an_observer_is_told_how_each_request_ended(answer, outcome):
    """One request, one call; a refusal is still raised."""
    seen = []
    with (
        Recorder(lambda _: answer) as server,
        connect(Cluster(url=server.url), observer=seen.append) as client,
    ):
        try:
            client.search(index="logs", body={})
            assert outcome == "ok"
        except OpenSearchException:
            assert outcome != "ok"
    assert [(request.operation, request.outcome) for request in seen] == [("search", outcome)]
    assert seen[0].seconds > 0


def test_a_server_that_is_not_there_is_a_failed_connection():
    """The outcome tells it from a refusal."""
    with Recorder() as server:
        url = server.url
    seen = []
    with connect(Cluster(url=url), observer=seen.append) as client, pytest.raises(OpenSearchException):
        client.info()
    assert [request.outcome for request in seen] == ["connection"]
