"""Query: the search body, and that a real cluster cuts time as `Interval` does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from opensearchpy import OpenSearch
from opensearchpy.helpers import bulk

from features.feature import Feature
from features.query import MOST_ENTITIES, build_query, windows_per_request
from features.source import Source
from features.windows import Interval, Unit

HALF_HOUR = 1_800_000


def epoch_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def source_of(
    interval: Interval,
    *,
    index: str = "shop",
    time_field: str = "t",
    category_fields: tuple[str, ...] = (),
    filter_query: dict[str, Any] | None = None,
) -> Source:
    latest = Feature(feature_name="latest", aggregation_query={"doc_count": {"max": {"field": "t"}}})
    return Source((index,), time_field, filter_query, category_fields, (latest,), interval)


def test_the_body_of_a_single_stream() -> None:
    """Time is cut by a range and counted by the composite aggregation; nothing else is asked for."""
    body = build_query(source_of(Interval(7, Unit.MINUTES)), 0, 840_000)
    assert body == {
        "size": 0,
        "track_total_hits": False,
        "query": {
            "bool": {"filter": [{"range": {"t": {"gte": 0, "lt": 840_000, "format": "epoch_millis"}}}]}
        },
        "aggregations": {
            "windows": {
                "composite": {
                    "size": 10_000,
                    "sources": [{"time": {"date_histogram": {"field": "t", "fixed_interval": "420000ms"}}}],
                },
                "aggregations": {"f0": {"max": {"field": "t"}}},
            }
        },
    }


def test_category_fields_follow_the_time() -> None:
    """Every category field is a source of its own, after the time."""
    body = build_query(source_of(Interval(1, Unit.HOURS), category_fields=("host", "a.b")), 0, 3_600_000)
    sources = body["aggregations"]["windows"]["composite"]["sources"]
    assert sources[1:] == [{"c0": {"terms": {"field": "host"}}}, {"c1": {"terms": {"field": "a.b"}}}]


def test_the_next_page_continues_after_the_last() -> None:
    """`after` is passed on as it came."""
    after = {"time": 60_000, "c0": "a"}
    body = build_query(source_of(Interval(1, Unit.MINUTES)), 0, 60_000, page_size=7, after=after)
    assert body["aggregations"]["windows"]["composite"]["after"] == after
    assert body["aggregations"]["windows"]["composite"]["size"] == 7


def test_the_filter_stands_beside_the_range() -> None:
    """Both must match."""
    query = {"term": {"env": "prod"}}
    body = build_query(source_of(Interval(1, Unit.MINUTES), filter_query=query), 0, 60_000)
    assert body["query"]["bool"]["filter"][1] == query


@pytest.mark.parametrize(
    ("n_entities", "n_windows", "expected"),
    [(0, 5, 5), (1, 20_000, 10_000), (1_000, 500, 10), (3_000, 500, 3), (100_000, 500, 1), (10, 0, 1)],
)
def test_a_request_covers_whole_windows(n_entities: int, n_windows: int, expected: int) -> None:
    """As many as give about ten thousand buckets, at least one."""
    assert windows_per_request(n_entities, n_windows) == expected


def test_a_query_names_only_so_many_entities() -> None:
    """More are refused with the number that is possible."""
    two = source_of(Interval(1, Unit.MINUTES), category_fields=("host", "app"))
    with pytest.raises(ValueError, match="at most 10000 entities, got 10001; ask in parts"):
        build_query(two, 0, 60_000, entities=[("a", "b")] * 10_001)
    with pytest.raises(ValueError, match=r"one value for each of \['host', 'app'\], got \['a'\]"):
        build_query(two, 0, 60_000, entities=[("a",)])


@pytest.fixture(scope="module")
def half_hours(client: OpenSearch) -> Iterator[str]:
    """Index a document for every half hour of 2024, in fields of both time types."""
    index = "t-half-hours"
    types = {"t": {"type": "date"}, "nanos": {"type": "date_nanos"}}
    client.indices.delete(index=index, ignore_unavailable=True)
    client.indices.create(index=index, body={"mappings": {"properties": types}})
    times = range(epoch_ms("2024-01-01"), epoch_ms("2025-01-01"), HALF_HOUR)
    bulk(client, ({"_index": index, "t": t, "nanos": t} for t in times), chunk_size=10_000, refresh=True)
    yield index
    client.indices.delete(index=index)


def windows_of_the_cluster(
    client: OpenSearch, source: Source, start_ms: int, end_ms: int
) -> dict[int, float]:
    """Return the start of each window the cluster makes, and the latest time in it."""
    found: dict[int, float] = {}
    after = None
    while True:
        body = build_query(source, start_ms, end_ms, page_size=1000, after=after)
        windows = client.search(index=source.indices[0], body=body)["aggregations"]["windows"]
        found |= {bucket["key"]["time"]: bucket["f0"]["value"] for bucket in windows["buckets"]}
        after = windows.get("after_key")
        if after is None:
            return found


INTERVALS = [
    Interval(7, Unit.MINUTES),
    Interval(13, Unit.SECONDS),
    Interval(11, Unit.HOURS),
    Interval(1, Unit.DAYS),
    Interval(1, Unit.DAYS, "America/New_York"),
    Interval(1, Unit.DAYS, "Africa/Cairo"),
    Interval(1, Unit.DAYS, "America/Havana"),
    Interval(1, Unit.DAYS, "Australia/Lord_Howe"),
    Interval(1, Unit.WEEKS),
    Interval(1, Unit.WEEKS, "Europe/Berlin"),
    Interval(1, Unit.WEEKS, "Asia/Kathmandu"),
]


@pytest.mark.parametrize("time_field", ["t", "nanos"])
@pytest.mark.parametrize("interval", INTERVALS, ids=lambda i: f"{i.count} {i.unit} {i.timezone}")
def test_a_cluster_cuts_time_as_we_do(
    client: OpenSearch, half_hours: str, interval: Interval, time_field: str
) -> None:
    """Through a whole year with its clock changes, for odd lengths, and for both types of time field."""
    start, end = interval.floor(epoch_ms("2024-01-15")), interval.floor(epoch_ms("2024-12-20"))
    source = source_of(interval, index=half_hours, time_field=time_field)
    times = range(-(-start // HALF_HOUR) * HALF_HOUR, end, HALF_HOUR)
    latest = {interval.floor(t): t for t in times}
    assert windows_of_the_cluster(client, source, start, end) == latest
    assert len(latest) >= 48


def test_the_range_holds_its_start_and_not_its_end(client: OpenSearch, half_hours: str) -> None:
    """Of two touching requests each document belongs to exactly one, also with nanoseconds."""
    hours = Interval(1, Unit.HOURS)
    start = epoch_ms("2024-06-01")
    for time_field in ("t", "nanos"):
        source = source_of(hours, index=half_hours, time_field=time_field)
        found = windows_of_the_cluster(client, source, start, start + 2 * HALF_HOUR)
        assert found == {start: start + HALF_HOUR}


@pytest.fixture
def shops(client: OpenSearch, index_prefix: str) -> str:
    """Index documents of one minute: two shops in two towns, an address each."""
    index = f"{index_prefix}-shops"
    types = {"t": "date", "shop": "keyword", "town": "keyword", "address": "ip"}
    client.indices.create(
        index=index, body={"mappings": {"properties": {name: {"type": kind} for name, kind in types.items()}}}
    )
    rows = [
        ("a", "Ulm", "10.0.0.1"),
        ("a", "Bonn", "10.0.0.2"),
        ("b", "Ulm", "::1"),
        ("b", "Bonn", "10.0.0.4"),
    ]
    documents = [{"_index": index, "t": 1, "shop": s, "town": t, "address": a} for s, t, a in rows]
    bulk(client, [*documents, {"_index": index, "t": 1, "shop": "c"}], refresh=True)
    return index


def entities_of_the_cluster(
    client: OpenSearch, index: str, fields: tuple[str, ...], entities: list[tuple[str, ...]] | None
) -> list[tuple[str, ...]]:
    source = source_of(Interval(1, Unit.MINUTES), index=index, category_fields=fields)
    body = build_query(source, 0, 60_000, entities=entities)
    buckets = client.search(index=index, body=body)["aggregations"]["windows"]["buckets"]
    return [tuple(bucket["key"].values())[1:] for bucket in buckets]


def test_a_query_can_be_restricted_to_entities(client: OpenSearch, shops: str) -> None:
    """With one category field the named ones come back; with several, those that are made of their values."""
    assert entities_of_the_cluster(client, shops, ("shop",), [("b",)]) == [("b",)]
    assert entities_of_the_cluster(client, shops, ("address",), [("::1",)]) == [("::1",)]
    of_a = [("a", "Bonn"), ("a", "Ulm")]
    assert entities_of_the_cluster(client, shops, ("shop", "town"), of_a) == of_a
    crossed = [("a", "Ulm"), ("b", "Bonn")]
    assert set(crossed) < set(entities_of_the_cluster(client, shops, ("shop", "town"), crossed))
    assert entities_of_the_cluster(client, shops, ("shop", "town"), []) == []
    assert entities_of_the_cluster(client, shops, (), [()]) == [()]


def test_a_cluster_takes_as_many_entities_as_we_allow(client: OpenSearch, index_prefix: str) -> None:
    """With numbers and addresses that exist: those that it cannot have a cluster leaves out before it counts."""
    index = f"{index_prefix}-many"
    types = {"t": "date", "shop": "keyword", "port": "long", "address": "ip"}
    client.indices.create(
        index=index, body={"mappings": {"properties": {name: {"type": kind} for name, kind in types.items()}}}
    )
    entities = [(str(k), f"10.0.{k // 250}.{k % 250}", f"shop-{k}") for k in range(10_000)]
    rows = [{"t": 1, "port": int(port), "address": address, "shop": s} for port, address, s in entities]
    bulk(client, [{"_index": index, **row} for row in rows], refresh=True)
    for fields in (("port",), ("port", "address"), ("port", "address", "shop")):
        wanted = [entity[: len(fields)] for entity in entities[:MOST_ENTITIES]]
        found = entities_of_the_cluster(client, index, fields, wanted)
        assert {tuple(map(str, entity)) for entity in found} == set(wanted)


def test_documents_without_a_category_value_are_left_out(client: OpenSearch, shops: str) -> None:
    """A document needs a value in every category field to belong to an entity."""
    assert ("c",) in entities_of_the_cluster(client, shops, ("shop",), None)
    assert len(entities_of_the_cluster(client, shops, ("shop", "town"), None)) == 4
