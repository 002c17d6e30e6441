"""Search: all the data or an error, and every page of a composite aggregation, on a real node."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from opensearchpy import OpenSearch
from recorder import Answer, Recorded, Recorder

from storage.client import connect
from storage.cluster import Cluster
from storage.errors import BadRequest, MissingIndex, Rejected, Unavailable
from storage.retry import ONCE, Retry
from storage.search import Search, refuse_partial

N_ENTITIES = 7
ANSWER = {
    "timed_out": False,
    "_shards": {"total": 1, "failed": 0},
    "aggregations": {"buckets": {"buckets": []}},
}


def composite(after: Mapping[str, Any] | None, *, size: int | None = 3) -> dict[str, Any]:
    """Return the body of a composite aggregation over the field `entity`."""
    settings: dict[str, Any] = {"sources": [{"entity": {"terms": {"field": "entity"}}}]}
    settings |= {} if size is None else {"size": size}
    settings |= {} if after is None else {"after": dict(after)}
    feature = {"value": {"sum": {"field": "value"}}}
    return {"size": 0, "aggs": {"buckets": {"composite": settings, "aggs": feature}}}


@pytest.fixture
def source(client: OpenSearch, index_prefix: str) -> str:
    """Return an index with two documents an entity, entity-0 to entity-6."""
    name = f"{index_prefix}-source"
    fields = {"entity": {"type": "keyword"}, "value": {"type": "double"}, "text": {"type": "text"}}
    client.indices.create(index=name, body={"mappings": {"properties": fields}})
    lines: list[dict[str, Any]] = []
    for number in range(2 * N_ENTITIES):
        lines += [
            {"index": {}},
            {"entity": f"entity-{number % N_ENTITIES}", "value": number, "text": "words"},
        ]
    client.bulk(body=lines, index=name, refresh=True)
    return name


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder(lambda _: Answer(200, ANSWER)) as recorder:
        yield recorder


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 1000, None])
def test_all_pages_together_are_all_entities_once(client: OpenSearch, source: str, size: int | None) -> None:
    """Whatever the size of a page, also one that divides the number of entities, and the server's default."""
    pages = list(Search(client).pages([source], lambda after: composite(after, size=size)))
    buckets = [bucket for page in pages for bucket in page["aggregations"]["buckets"]["buckets"]]
    entities = [bucket["key"]["entity"] for bucket in buckets]
    assert entities == [f"entity-{number}" for number in range(N_ENTITIES)]
    assert [bucket["value"]["value"] for bucket in buckets] == [2 * n + N_ENTITIES for n in range(N_ENTITIES)]


def test_a_page_that_is_not_full_is_the_last(client: OpenSearch, source: str) -> None:
    """No request is spent on a page that must be empty: it would read the whole range once more."""
    asked: list[object] = []

    def body_of(after: Mapping[str, Any] | None) -> dict[str, Any]:
        asked.append(after)
        return composite(after, size=4)

    assert len(list(Search(client).pages([source], body_of))) == 2
    assert asked == [None, {"entity": "entity-3"}]


def test_an_index_without_documents_gives_one_empty_page(client: OpenSearch, index_prefix: str) -> None:
    """No data is an answer, not an error."""
    name = f"{index_prefix}-empty"
    client.indices.create(index=name, body={"mappings": {"properties": {"entity": {"type": "keyword"}}}})
    (page,) = Search(client).pages([name], composite)
    assert page["aggregations"]["buckets"]["buckets"] == []


def test_several_indices_and_patterns_are_searched_together(client: OpenSearch, source: str) -> None:
    """Each document counts once, however many names lead to it."""
    answer = Search(client).body([source, source[:-3] + "*"], {"size": 0, "track_total_hits": True})
    assert answer["hits"]["total"]["value"] == 2 * N_ENTITIES


@pytest.mark.parametrize("missing", ["{}-nowhere", "{}-nowhere*"])
def test_a_missing_index_is_named(client: OpenSearch, source: str, index_prefix: str, missing: str) -> None:
    """Also one among others that exist, and a pattern that matches nothing: silence would look like no data."""
    name = missing.format(index_prefix)
    for indices in ([name], [source, name]):
        with pytest.raises(MissingIndex) as caught:
            Search(client).body(indices, {"size": 0})
        assert caught.value.index == name
        assert name in str(caught.value)


def test_no_index_at_all_is_refused(client: OpenSearch) -> None:
    """An empty list would search every index of the cluster."""
    with pytest.raises(MissingIndex, match="no index is named"):
        Search(client).body([], {"size": 0})


@pytest.mark.parametrize(
    ("aggregation", "message"),
    [
        ({"avg": {"field": "text"}}, r"Text fields are not optimised"),
        ({"avg": {"field": "entity"}}, r"Field \[entity\] of type \[keyword\] is not supported for .*avg"),
        ({"avgg": {"field": "value"}}, r"Unknown aggregation type \[avgg\] did you mean \[avg\]"),
        ({"avg": {"feld": "value"}}, r"unknown field \[feld\] did you mean \[field\]"),
    ],
)
def test_a_bad_aggregation_is_explained(
    client: OpenSearch, source: str, aggregation: dict[str, Any], message: str
) -> None:
    """With the cluster's own reason, at once: waiting does not mend it."""
    with pytest.raises(BadRequest, match=message):
        Search(client).body([source], {"size": 0, "aggs": {"value": aggregation}})


def test_a_red_shard_fails_the_search(client: OpenSearch, source: str, index_prefix: str) -> None:
    """Also beside a healthy index, whose data alone would look like a drop."""
    red = f"{index_prefix}-red"
    settings = {"index.routing.allocation.require.nowhere": "yes", "index.number_of_replicas": 0}
    client.indices.create(index=red, body={"settings": settings}, params={"wait_for_active_shards": 0})
    with pytest.raises(Unavailable, match=rf"shards \[\[{red}\]\[0\]\] are red"):
        Search(client, retry=ONCE).body([source, red], {"size": 0})


def test_a_closed_index_fails_the_search(client: OpenSearch, source: str) -> None:
    """By default a pattern would leave it out in silence only where it is a pattern; a name fails."""
    client.indices.close(index=source)
    with pytest.raises(Rejected, match="closed: open the index"):
        Search(client, retry=ONCE).body([source], {"size": 0})


def test_the_cluster_cancels_a_search_that_takes_too_long(client: OpenSearch, source: str) -> None:
    """The limit holds in the cluster too: nothing goes on working for an answer that nobody awaits."""
    slow = "double s = 0; for (int i = 0; i < 3000000; i++) { s += Math.sqrt(i); } return s;"
    body = {"size": 0, "aggs": {"slow": {"sum": {"script": slow}}}}
    search = Search(client, retry=ONCE, time_limit=timedelta(milliseconds=5))
    with pytest.raises(Unavailable, match=r"cancel"):
        search.body([source], body)


def test_every_search_asks_for_all_the_data_and_names_its_detector(recorder: Recorder) -> None:
    """The parameters that make a gap an error, and the name for the slow log, with any letter in it."""
    with connect(Cluster(url=recorder.url)) as client:
        search = Search(client, time_limit=timedelta(seconds=1.5)).named("outrider: Détecteur №1\n")
        search.body(["a", "b*"], {"size": 0})
    (request,) = recorder.requests
    path, _, query = request.path.partition("?")
    assert (request.method, path) == ("POST", "/a,b*/_search")
    assert dict(part.split("=") for part in query.split("&")) == {
        "allow_partial_search_results": "false",
        "request_cache": "false",
        "ignore_unavailable": "false",
        "allow_no_indices": "false",
        "cancel_after_time_interval": "1500ms",
    }
    assert request.headers["x-opaque-id"] == "outrider: D%C3%A9tecteur %E2%84%961%0A"
    assert json.loads(request.body) == {"size": 0}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"timed_out": True}, "search of a did not cover all the data: the search timed out"),
        (
            {"_shards": {"total": 3, "failed": 1, "failures": [{"reason": {"type": "x", "reason": "lost"}}]}},
            "1 of 3 shards failed: lost",
        ),
        ({"_shards": {"total": 3, "failed": 2}}, "2 of 3 shards failed: no reason given"),
        ({"_clusters": {"total": 2, "successful": 1, "skipped": 1}}, "1 of 2 remote clusters were left out"),
    ],
)
def test_an_answer_with_a_gap_is_refused(part: dict[str, Any], message: str) -> None:
    """A time-out, a failed shard, a skipped remote cluster: worth another try, never a smaller number."""
    with (
        Recorder(lambda _: Answer(200, ANSWER | part)) as recorder,
        connect(Cluster(url=recorder.url)) as client,
        pytest.raises(Unavailable, match=message),
    ):
        Search(client, retry=ONCE).body(["a"], {})


def test_a_complete_answer_is_accepted() -> None:
    """Shards that the cluster skipped because they cannot match are not missing."""
    shards = {"total": 9, "successful": 9, "skipped": 8, "failed": 0}
    refuse_partial({"timed_out": False, "_shards": shards, "_clusters": {"total": 2, "skipped": 0}}, "a")


def test_a_page_that_fails_for_a_moment_is_asked_for_again() -> None:
    """The pages before it are not read twice."""
    key = {"entity": "x"}
    full = ANSWER | {"aggregations": {"buckets": {"after_key": key, "buckets": [{"key": key}]}}}
    answers = iter([Answer(200, full), Answer(503), Answer(429), Answer(200, ANSWER)])

    def answer(_: Recorded) -> Answer:
        return next(answers)

    with Recorder(answer) as recorder, connect(Cluster(url=recorder.url)) as client:
        search = Search(client, retry=Retry(first_wait_s=0, jitter_s=0))
        assert len(list(search.pages(["a"], lambda after: composite(after, size=1)))) == 2
        afters = [
            json.loads(request.body)["aggs"]["buckets"]["composite"].get("after")
            for request in recorder.requests
        ]
    assert afters == [None, key, key, key]
