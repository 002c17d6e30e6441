"""Query: from a source and a range of windows to the body of one search request.

One composite aggregation for every detector, single stream or not: a time source, then one terms source a
category field. Time is cut by a `range`, never by paging. No I/O and no clock.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from features.source import Source

COMPOSITE = "windows"
"""Name of the composite aggregation in request and response."""
TIME = "time"
"""Name of the time source in a bucket's key."""
PAGE_SIZE = 10_000
"""Buckets a page: at 10,000 the cost of a page hides that of the round trip, and a page stays some MB."""
MOST_ENTITIES = 10_000
"""Entities that a request can be restricted to: values of a field in one list, of which a cluster takes 65,536."""

Body = dict[str, Any]
"""A request body, as JSON would have it."""


def build_query(
    source: Source,
    start_ms: int,
    end_ms: int,
    *,
    page_size: int = PAGE_SIZE,
    after: Mapping[str, object] | None = None,
    entities: Sequence[tuple[str, ...]] | None = None,
) -> Body:
    """Return the search body that reads the features of all windows in [start, end).

    Parameters
    ----------
    source
        What to read.
    start_ms, end_ms
        Start of the first window and end of the last (epoch ms), both on window borders.
    page_size
        Buckets a page. A bucket is one window of one entity.
    after
        `after_key` of the page before, or None for the first.
    entities
        Read only entities whose every value is that of one of these, at most `MOST_ENTITIES`. Of several category
        fields other pairs of their values come along, as do those of a document with several values in a field.

    Raises
    ------
    ValueError
        If there are more entities than one query may name, or one of them does not fit the category fields.
    """
    composite: Body = {"size": page_size, "sources": _sources(source)}
    if after is not None:
        composite["after"] = dict(after)
    metrics = {feature_key(k): feature.aggregation for k, feature in enumerate(source.features)}
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": _filters(source, start_ms, end_ms, entities)}},
        "aggregations": {COMPOSITE: {"composite": composite, "aggregations": metrics}},
    }


def windows_per_request(n_entities: int, n_windows: int, buckets: int = PAGE_SIZE) -> int:
    """Return how many whole windows one request should cover to yield about `buckets`; at least one."""
    return max(1, min(n_windows, buckets // max(1, n_entities)))


def feature_key(position: int) -> str:
    """Return the name of a feature's aggregation in request and response.

    Not the name its author gave: that may be one OpenSearch uses itself in a bucket, such as `doc_count`.
    """
    return f"f{position}"


def category_key(position: int) -> str:
    """Return the name of a category field's value in a bucket's key."""
    return f"c{position}"


def _sources(source: Source) -> list[Body]:
    """Return the composite's sources: time first, so that a page is full of whole windows."""
    sources: list[Body] = [{TIME: {"date_histogram": {"field": source.time_field, **_step(source)}}}]
    for k, field in enumerate(source.category_fields):
        sources.append({category_key(k): {"terms": {"field": field}}})
    return sources


def _step(source: Source) -> dict[str, str]:
    """Return the part of a date histogram that says how time is cut."""
    interval = source.interval
    if not interval.is_calendar:
        return {"fixed_interval": f"{interval.milliseconds}ms"}
    return {
        "calendar_interval": interval.unit.value.lower().removesuffix("s"),
        "time_zone": interval.timezone,
    }


def _filters(
    source: Source, start_ms: int, end_ms: int, entities: Sequence[tuple[str, ...]] | None
) -> list[Body]:
    """Return what a document must match; filters do not score."""
    cut = {"gte": start_ms, "lt": end_ms, "format": "epoch_millis"}
    filters: list[Body] = [{"range": {source.time_field: cut}}]
    if source.filter_query is not None:
        filters.append(dict(source.filter_query))
    if entities is not None:
        filters += _only(source, entities)
    return filters


def _only(source: Source, entities: Sequence[tuple[str, ...]]) -> list[Body]:
    """Return what restricts a query to these entities: a list of values for each field.

    A clause for each entity would be exact, but a cluster refuses more than 1,024 of them.
    """
    if len(entities) > MOST_ENTITIES:
        msg = f"a query can be restricted to at most {MOST_ENTITIES} entities, got {len(entities)}; ask in parts"
        raise ValueError(msg)
    wrong = next((entity for entity in entities if len(entity) != len(source.category_fields)), None)
    if wrong is not None:
        msg = f"an entity needs one value for each of {list(source.category_fields)}, got {list(wrong)}"
        raise ValueError(msg)
    return [
        {"terms": {field: sorted({entity[k] for entity in entities})}}
        for k, field in enumerate(source.category_fields)
    ]
