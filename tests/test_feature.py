"""Feature: which aggregations are allowed, and how their numbers are read."""

import json
import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from features.aggregation import METRICS
from features.feature import Feature


def feature(body: dict[str, Any], name: str = "f") -> Feature:
    return Feature(feature_name=name, aggregation_query={"a": body})


P95 = {"percentiles": {"field": "x", "percents": [95, 50]}}


@pytest.mark.parametrize("kind", METRICS)
def test_every_metric_with_one_value_is_allowed(kind: str) -> None:
    """It is sent as it was written."""
    body = {kind: {"field": "x"}}
    assert feature(body).aggregation == body
    assert feature(body).read({"value": 2.5}) == 2.5


def test_percentiles_ask_for_the_first_percent_only() -> None:
    """The others are not read, so they are not computed."""
    sent = feature(P95).aggregation
    assert sent == {"percentiles": {"field": "x", "percents": [95.0], "keyed": False}}
    assert feature({"percentiles": {"field": "x"}}).aggregation["percentiles"]["percents"] == [1.0]


@pytest.mark.parametrize(
    "values",
    [
        {"50.0": 1.0, "95.0": 7.5},
        {"95.0": 7.5, "95.0_as_string": "7.5 s", "50.0": 1.0},
        [{"key": 50.0, "value": 1.0}, {"key": 95.0, "value": 7.5}],
    ],
    ids=["keyed", "keyed and formatted", "unkeyed"],
)
def test_percentiles_are_read_in_both_forms(values: object) -> None:
    """The first requested percent counts, wherever it stands in the response."""
    assert feature(P95).read({"values": values}) == 7.5


@pytest.mark.parametrize("key", ["aggs", "aggregations"])
def test_a_filter_with_one_metric_is_read_through(key: str) -> None:
    """The inner name is ours, so that no name of the author's can collide with the response's own keys."""
    body = {"filter": {"term": {"ok": False}}, key: {"doc_count": {"value_count": {"field": "x"}}}}
    assert feature(body).aggregation == {
        "filter": {"term": {"ok": False}},
        "aggregations": {"value": {"value_count": {"field": "x"}}},
    }
    assert feature(body).read({"doc_count": 3, "value": {"value": 2}}) == 2.0


def test_a_filter_may_hold_percentiles() -> None:
    """The first percent of the filtered documents is read."""
    body = {"filter": {"term": {"ok": False}}, "aggs": {"p": P95}}
    result = {"doc_count": 3, "value": {"values": [{"key": 95.0, "value": 4.0}]}}
    assert feature(body).read(result) == 4.0


@pytest.mark.parametrize("raw", [None, "NaN", "Infinity", "-Infinity", math.nan, math.inf])
def test_what_is_no_finite_number_is_missing(raw: object) -> None:
    """Null, NaN and both infinities read as NaN."""
    assert math.isnan(feature({"avg": {"field": "x"}}).read({"value": raw}))
    assert math.isnan(feature(P95).read({"values": [{"key": 95.0, "value": raw}]}))


def test_doubles_keep_their_bits() -> None:
    """Through JSON and into the column nothing is rounded, denormal numbers and 2^53 + 2 included."""
    numbers = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 9_007_199_254_740_994.0, 2**60 + 2**8]
    results = json.loads(json.dumps([{"value": number} for number in numbers]))
    read = feature({"sum": {"field": "x"}}).read_all(results)
    assert read.dtype == np.float64
    assert read.tobytes() == np.array(numbers, dtype=np.float64).tobytes()


def test_nothing_reads_as_an_empty_column() -> None:
    """No results give no numbers."""
    assert feature({"avg": {"field": "x"}}).read_all([]).shape == (0,)


@pytest.mark.parametrize("raw", [{"hits": 3}, "three", ["a"]])
def test_a_script_that_returns_no_number_is_refused(raw: object) -> None:
    """The message names the feature and shows what came back."""
    with pytest.raises(ValueError, match="feature `load` must come back as a number, got") as caught:
        feature({"scripted_metric": {}}, name="load").read_all([{"value": 1.0}, {"value": raw}])
    assert repr(raw)[:10] in str(caught.value)


def test_a_script_that_returns_lists_is_refused() -> None:
    """Lists of numbers would make a table of a column."""
    with pytest.raises(ValueError, match=r"must come back as a number, got \[1, 2\]"):
        feature({"scripted_metric": {}}).read_all([{"value": [1, 2]}, {"value": [3, 4]}])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "must hold exactly one named aggregation, got 0"),
    (
        {"a": {"avg": {}}, "b": {"avg": {}}},
        "must hold exactly one named aggregation, got 2; give each number",
    ),
    ({" ": {"avg": {}}}, "needs a name that is not blank"),
    ({"a": "avg"}, 'aggregation `a` must be an object such as {"avg"'),
    ({"a": {}}, r"must name exactly one kind of aggregation, got \[\]"),
    ({"a": {"avg": {}, "max": {}}}, r"must name exactly one kind of aggregation, got \['avg', 'max'\]"),
    ({"a": {"avg": "x"}}, "must give the parameters of `avg` as an object, got 'x'"),
    (
        {"a": {"terms": {"field": "x"}}},
        "`terms`, which does not give one number a window; allowed are avg, sum",
    ),
    ({"a": {"averag": {"field": "x"}}}, "did you mean `avg`"),
    ({"a": {"date_histogram": {}}}, "percentiles, whose first percent is read; and filter with exactly one"),
    ({"a": {"extended_stats": {}}}, "`extended_stats`, which does not give one number"),
    ({"a": {"avg": {}, "aggs": {"b": {"avg": {}}}}}, "`avg`, which cannot hold further aggregations; remove"),
    ({"a": {"filter": {}}}, "must hold exactly one aggregation in `aggs` beside its filter, got 0"),
    (
        {"a": {"filter": {}, "aggs": {}}},
        "must hold exactly one aggregation in `aggs` beside its filter, got 0",
    ),
    (
        {"a": {"filter": {}, "aggs": {"b": {"avg": {}}}, "aggregations": {"c": {"avg": {}}}}},
        "must hold exactly one aggregation in `aggs` beside its filter, got 2",
    ),
    (
        {"a": {"filter": {}, "aggs": {"b": {"terms": {}}}}},
        "aggregation `a` holds the aggregation `b`, which is of kind `terms`",
    ),
    (
        {"a": {"filter": {}, "aggs": {"b": {"filter": {}, "aggs": {"c": {"avg": {}}}}}}},
        "a filter inside a filter; write both conditions as one `bool` query",
    ),
    (
        {"a": {"percentiles": {"percents": []}}},
        r"must give `percents` as a list of numbers in 0..100, got \[\]",
    ),
    ({"a": {"percentiles": {"percents": 95}}}, "must give `percents` as a list of numbers in 0..100, got 95"),
    ({"a": {"percentiles": {"percents": [101]}}}, r"numbers in 0..100, got \[101\]"),
]


@pytest.mark.parametrize(("query", "message"), REFUSED)
def test_what_does_not_give_one_number_is_refused(query: dict[str, Any], message: str) -> None:
    """The message names the aggregation, what is wrong with it and what is allowed."""
    with pytest.raises(ValidationError, match=message):
        Feature(feature_name="f", aggregation_query=query)


def test_metadata_beside_an_aggregation_is_allowed() -> None:
    """`meta` is a key OpenSearch itself allows; it is not sent."""
    assert feature({"avg": {"field": "x"}, "meta": {"unit": "s"}}).aggregation == {"avg": {"field": "x"}}


@pytest.mark.parametrize("name", ["", "  ", "n" * 257])
def test_a_name_nobody_can_read_is_refused(name: str) -> None:
    """Blank and endless names are refused."""
    with pytest.raises(ValidationError, match="must be 1 to 256 characters and not blank"):
        feature({"avg": {}}, name=name)
