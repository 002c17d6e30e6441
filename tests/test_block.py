"""Block: from response pages to columns, on made-up pages and on a real cluster's."""

import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from opensearchpy import OpenSearch, TransportError
from opensearchpy.helpers import bulk

from features.block import FeatureBlock, parse_first, parse_pages
from features.feature import Feature
from features.query import build_query
from features.source import Source
from features.windows import Interval, Unit

MINUTE = 60_000
MEAN = Feature(feature_name="mean", aggregation_query={"m": {"avg": {"field": "x"}}})
P95 = Feature(
    feature_name="p95", aggregation_query={"p": {"percentiles": {"field": "x", "percents": [95, 5]}}}
)
ERRORS = Feature(
    feature_name="errors",
    aggregation_query={
        "e": {"filter": {"range": {"x": {"gte": 100}}}, "aggs": {"n": {"value_count": {"field": "x"}}}}
    },
)


def source_of(
    *fields: str, features: tuple[Feature, ...] = (MEAN,), interval: Interval | None = None
) -> Source:
    return Source(("i",), "t", None, fields, features, interval or Interval(1, Unit.MINUTES))


def page(*buckets: dict[str, Any]) -> dict[str, Any]:
    return {"aggregations": {"windows": {"buckets": list(buckets)}}}


def bucket(time_ms: int, *entity: object, mean: object = 1.0, doc_count: int = 1) -> dict[str, Any]:
    key = {"time": time_ms} | {f"c{k}": value for k, value in enumerate(entity)}
    return {"key": key, "doc_count": doc_count, "f0": {"value": mean}}


def ends(*minutes: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(minutes, dtype=np.int64) * MINUTE


def shape_of_first(most_rows: int, *buckets: tuple[int, str]) -> tuple[int, int]:
    """Return windows and entities of the block that some (window, entity) of ten windows make, one a page."""
    pages = (page(bucket(window * MINUTE, name)) for window, name in buckets)
    block = parse_first(source_of("host"), ends(*range(1, 11)), pages, most_rows)
    return block.doc_counts.shape


def test_the_first_windows_make_a_block_of_no_more_rows_than_asked_for() -> None:
    """Windows without documents count too; a single window is always taken, whole."""
    assert shape_of_first(20, (0, "a"), (3, "b"), (9, "a")) == (10, 2)
    assert shape_of_first(19, (0, "a"), (3, "b"), (9, "a")) == (9, 2)
    assert shape_of_first(12, (0, "a"), (5, "b"), (5, "c"), (6, "a")) == (5, 1)
    assert shape_of_first(12, (0, "a"), (0, "b"), (0, "c"), (9, "d")) == (4, 3)
    assert shape_of_first(2, (0, "a"), (0, "b"), (0, "c"), (1, "d")) == (1, 3)
    assert shape_of_first(2, (4, "a"), (4, "b"), (4, "c")) == (2, 0)
    assert shape_of_first(7) == (7, 0)


def test_no_more_pages_are_asked_for_than_the_first_windows_take() -> None:
    """The one after a full block has been asked for already, and no other."""
    asked = []

    def pages() -> Iterable[dict[str, Any]]:
        for window in range(10):
            asked.append(window)
            yield page(bucket(window * MINUTE, f"of {window}"))

    block = parse_first(source_of("host"), ends(*range(1, 11)), pages(), 9)
    assert block.doc_counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert asked == [0, 1, 2, 3, 4]


def test_pages_become_columns() -> None:
    """Entities are ascending; what did not come is missing and has no documents."""
    pages = [
        page(bucket(0, "b", mean=1.5, doc_count=3)),
        page(bucket(0, "a"), bucket(MINUTE, "b", mean=None)),
    ]
    block = parse_pages(source_of("host"), ends(1, 2), pages)
    assert block.entities == (("a",), ("b",))
    assert block.end_times_ms.tolist() == [MINUTE, 2 * MINUTE]
    assert block.doc_counts.tolist() == [[1, 3], [0, 1]]
    np.testing.assert_array_equal(block.values[..., 0], [[1.0, 1.5], [math.nan, math.nan]])
    assert (block.values.dtype, block.doc_counts.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize("pages", [[], [page()]], ids=["no page", "an empty page"])
def test_a_single_stream_without_documents_still_has_its_entity(pages: Iterable[dict[str, Any]]) -> None:
    """Its windows are there, missing."""
    block = parse_pages(source_of(), ends(1, 2), pages)
    assert block.entities == ((),)
    assert block.values.shape == (2, 1, 1)
    assert np.isnan(block.values).all()
    assert block.doc_counts.tolist() == [[0], [0]]


def test_without_entities_the_columns_are_empty() -> None:
    """With category fields nothing came means no entity."""
    block = parse_pages(source_of("host"), ends(1), [page()])
    assert block.entities == ()
    assert block.values.shape == (1, 0, 1)


def test_values_that_are_no_text_become_text() -> None:
    """Numbers and booleans name entities as OpenSearch prints them."""
    yes, no = True, False
    block = parse_pages(source_of("a", "b"), ends(1), [page(bucket(0, 7, yes), bucket(0, 12, no))])
    assert block.entities == (("12", "false"), ("7", "true"))


@pytest.mark.parametrize("codes", [("500", 500), (500, "500")])
def test_text_and_numbers_side_by_side_are_one_entity(codes: tuple[object, object]) -> None:
    """As when a field has become a number in newer indices: whichever comes first."""
    for fields, others in ((("code",), ()), (("code", "host"), ("a",))):
        buckets = [bucket(k * MINUTE, code, *others, mean=k) for k, code in enumerate(codes)]
        block = parse_pages(source_of(*fields), ends(1, 2), [page(*buckets)])
        assert block.entities == (("500", *others),)
        assert block.values[:, 0, 0].tolist() == [0, 1]


def test_a_very_long_name_is_a_name() -> None:
    """40,000 characters are kept whole."""
    block = parse_pages(source_of("host"), ends(1), [page(bucket(0, "é" * 40_000))])
    assert block.entities == (("é" * 40_000,),)


@pytest.mark.parametrize("time_ms", [30_000, -MINUTE, 5 * MINUTE])
def test_a_window_that_was_not_asked_for_is_refused(time_ms: int) -> None:
    """The message points to the one way in which a cluster and we can differ."""
    with pytest.raises(ValueError, match=rf"starts at {time_ms} ms, not asked for.*time-zone data \(UTC\)"):
        parse_pages(source_of(), ends(1, 2), [page(bucket(time_ms))])


def test_a_response_without_the_aggregation_is_refused() -> None:
    """A search that met no index must not look like a window without documents."""
    with pytest.raises(ValueError, match="holds no aggregation, as when a search meets no index"):
        parse_pages(source_of(), ends(1), [{"hits": {"hits": []}}])


def test_calendar_windows_are_found_by_their_start() -> None:
    """The two days around a clock change are 23 and 24 hours long."""
    days = Interval(1, Unit.DAYS, "Europe/Berlin")
    start = days.floor(1_711_843_200_000)
    middle = days.next(start)
    end = days.next(middle)
    block = parse_pages(
        source_of(interval=days), np.array([middle, end]), [page(bucket(start), bucket(middle, mean=2.0))]
    )
    assert block.values[:, 0, 0].tolist() == [1.0, 2.0]
    assert (middle - start, end - middle) == (23 * 60 * MINUTE, 24 * 60 * MINUTE)


def test_100_000_buckets_take_well_under_ten_seconds() -> None:
    """A guard against work that grows faster than the buckets; it takes about 0.3 s."""
    many = [
        bucket(0, f"host-{k:06}", mean=k / 3) | {"f1": {"values": [{"key": 95.0, "value": k}]}}
        for k in range(100_000)
    ]
    started = time.process_time()
    block = parse_pages(source_of("host", features=(MEAN, P95)), ends(1), [page(*many)])
    assert time.process_time() - started < 10
    assert block.values[0, 99_999].tolist() == [33_333.0, 99_999.0]


@pytest.fixture
def measurements(client: OpenSearch, index_prefix: str) -> str:
    """Hosts a and b over three minutes; b pauses in the second and sends nothing to measure in the third."""
    index = f"{index_prefix}-measurements"
    types = {"t": "date", "host": "keyword", "x": "double"}
    client.indices.create(
        index=index, body={"mappings": {"properties": {name: {"type": kind} for name, kind in types.items()}}}
    )
    rows: list[dict[str, Any]] = [
        {"t": 0, "host": "a", "x": 0.1},
        {"t": 59_999, "host": "a", "x": 0.2},
        {"t": 0, "host": "b", "x": 1e308},
        {"t": 1, "host": "b", "x": 1e308},
        {"t": MINUTE, "host": "a", "x": 500},
        {"t": 2 * MINUTE, "host": "a", "x": 1 / 3},
        {"t": 2 * MINUTE, "host": "b"},
    ]
    bulk(client, [{"_index": index, **row} for row in rows], refresh=True)
    return index


def read(client: OpenSearch, index: str, source: Source, *, page_size: int) -> FeatureBlock:
    pages = []
    after = None
    while not pages or after is not None:
        body = build_query(source, 0, 3 * MINUTE, page_size=page_size, after=after)
        pages.append(client.search(index=index, body=body))
        after = pages[-1]["aggregations"]["windows"].get("after_key")
    return parse_pages(source, ends(1, 2, 3), pages)


def test_a_field_that_has_become_a_number_is_read(client: OpenSearch, index_prefix: str) -> None:
    """Text in the older index, numbers in the newer one; only within one window the cluster itself cannot."""
    for k, kind in enumerate(("keyword", "long")):
        types = {"t": {"type": "date"}, "code": {"type": kind}}
        client.indices.create(index=f"{index_prefix}-{k}", body={"mappings": {"properties": types}})
        client.index(index=f"{index_prefix}-{k}", body={"t": k * MINUTE, "code": "500", "x": k}, refresh=True)
    block = read(client, f"{index_prefix}-*", source_of("code"), page_size=10)
    assert block.entities == (("500",),)
    assert block.values[:2, 0, 0].tolist() == [0, 1]
    client.index(index=f"{index_prefix}-0", body={"t": MINUTE, "code": "500"}, refresh=True)
    with pytest.raises(TransportError) as caught:
        read(client, f"{index_prefix}-*", source_of("code"), page_size=10)
    assert caught.value.info["error"]["caused_by"]["type"] == "class_cast_exception"


@pytest.mark.parametrize("page_size", [1, 2, 10_000])
def test_a_real_response_becomes_columns(client: OpenSearch, measurements: str, page_size: int) -> None:
    """Every kind of feature, whatever the pages; an overflow in the cluster reads as missing."""
    nan = math.nan
    block = read(client, measurements, source_of("host", features=(MEAN, P95, ERRORS)), page_size=page_size)
    assert block.entities == (("a",), ("b",))
    assert block.doc_counts.tolist() == [[2, 2], [1, 0], [1, 1]]
    np.testing.assert_array_equal(block.values[..., 0], [[(0.1 + 0.2) / 2, nan], [500, nan], [1 / 3, nan]])
    np.testing.assert_array_equal(block.values[1:, :, 1], [[500, nan], [1 / 3, nan]])
    np.testing.assert_array_equal(block.values[..., 2], [[0, 2], [1, nan], [0, 0]])


def test_a_real_single_stream_becomes_one_column(client: OpenSearch, measurements: str) -> None:
    """The smallest number of every minute, over all hosts."""
    smallest = Feature(feature_name="least", aggregation_query={"doc_count": {"min": {"field": "x"}}})
    block = read(client, measurements, source_of(features=(smallest,)), page_size=2)
    assert block.entities == ((),)
    assert block.values[:, 0, 0].tolist() == [0.1, 500, 1 / 3]


EVERY_METRIC: list[tuple[dict[str, Any], float]] = [
    ({"sum": {"field": "x"}}, 12.0),
    ({"avg": {"field": "x"}}, 4.0),
    ({"min": {"field": "x"}}, 1.0),
    ({"max": {"field": "x"}}, 9.0),
    ({"value_count": {"field": "x"}}, 3.0),
    ({"cardinality": {"field": "x"}}, 3.0),
    ({"median_absolute_deviation": {"field": "x"}}, 1.0),
    ({"weighted_avg": {"value": {"field": "x"}, "weight": {"field": "w"}}}, 5.25),
    (
        {
            "scripted_metric": {
                "init_script": "state.n = 0",
                "map_script": "state.n += 1",
                "combine_script": "return state.n",
                "reduce_script": "double n = 0; for (s in states) { n += s } return n",
            }
        },
        3.0,
    ),
    ({"percentiles": {"field": "x", "percents": [50]}}, 2.0),
    (
        {"percentiles": {"field": "x", "percents": [50], "hdr": {"number_of_significant_value_digits": 3}}},
        2.0,
    ),
]


@pytest.mark.parametrize(("body", "expected"), EVERY_METRIC, ids=lambda value: str(value)[:30])
def test_every_allowed_metric_is_read_from_a_real_cluster(
    client: OpenSearch, index_prefix: str, body: dict[str, Any], expected: float
) -> None:
    """Of the numbers 1, 2 and 9 with weights 1, 1 and 2; in a composite aggregation, as detectors ask."""
    index = f"{index_prefix}-metrics"
    client.indices.create(index=index, body={"mappings": {"properties": {"t": {"type": "date"}}}})
    rows = [{"t": 0, "x": 1, "w": 1}, {"t": 0, "x": 2, "w": 1}, {"t": 0, "x": 9, "w": 2}]
    bulk(client, [{"_index": index, **row} for row in rows], refresh=True)
    feature = Feature(feature_name="f", aggregation_query={"f": body})
    block = read(client, index, source_of(features=(feature,)), page_size=10)
    assert block.values[0, 0, 0] == pytest.approx(expected, rel=1e-2)
