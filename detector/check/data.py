"""Data: whether there are documents, the filter leaves some, and every feature gives a number."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from detector.check.asking import Probe
from detector.check.fields import enabled
from detector.check.finding import Finding, error, ok, warning
from detector.configuration.config import DetectorConfig
from detector.configuration.json_text import JsonPath
from detector.reason import number_text
from features.feature import Feature
from features.query import build_query
from storage.errors import BadRequest

Body = dict[str, Any]
RECENT = timedelta(days=1)
"""Documents that come later than this are not late, but have stopped."""


class Span(NamedTuple):
    """The windows that the further checks look at: those a new model would learn from.

    Parameters
    ----------
    start_ms, end_ms
        Start of the first and end of the last window (epoch ms); the last one holds the newest document.
    n_windows
        How many there are.
    """

    start_ms: int
    end_ms: int
    n_windows: int


def check_data(config: DetectorConfig, probe: Probe, now_ms: int) -> tuple[list[Finding], Span | None]:
    """Say whether there are documents up to now, and how new they are.

    Returns
    -------
    The findings, and the windows with the newest documents, or None when there is no document to look at.
    """
    n_past, newest_ms = _count(config, probe, {"lte": now_ms}, {"match_all": {}})
    n_future, _ = _count(config, probe, {"gt": now_ms}, {"match_all": {}})
    findings = []
    if n_future:
        what = f"{n_future:,} documents are dated in the future and are read when their time has come"
        findings.append(
            warning(("time_field",), f"{what}; check the clocks and time zones of whoever writes them")
        )
    if newest_ms is None:
        findings.insert(
            0, error(("indices",), "there is no document up to now: there is nothing to learn from")
        )
        return findings, None
    findings.insert(0, _freshness(config, n_past, newest_ms, now_ms))
    if config.filter_query is None:
        return findings, span_of(config, newest_ms)
    finding, newest_ms = _filter(config, probe, config.filter_query, n_past, now_ms)
    return [*findings, finding], None if newest_ms is None else span_of(config, newest_ms)


def check_features(config: DetectorConfig, probe: Probe, span: Span) -> list[Finding]:
    """Say what number each feature gives over all documents of a span."""
    return [_feature(config, probe, span, path, feature) for path, feature in enabled(config)]


def span_of(config: DetectorConfig, newest_ms: int) -> Span:
    """Return the windows of a new model's history, the last of which holds the newest document."""
    interval = config.interval
    start_ms = interval.floor(newest_ms)
    end_ms = interval.next(start_ms)
    for _ in range(config.history_windows - 1):
        start_ms = interval.previous(start_ms)
    return Span(start_ms, end_ms, config.history_windows)


def query_of(config: DetectorConfig, span: Span) -> Body:
    """Return the query that matches the documents of a span as detection would."""
    query: Body = build_query(config.source, span.start_ms, span.end_ms)["query"]
    return query


def moment_text(time_ms: int) -> str:
    """Return a moment as text, to the minute."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _count(config: DetectorConfig, probe: Probe, when: Body, query: Body) -> tuple[int, int | None]:
    """Return the number of documents that match in a range of time, and the time of the newest (epoch ms)."""
    cut = {"range": {config.time_field: {**when, "format": "epoch_millis"}}}
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": [cut, query]}},
        "aggregations": {"newest": {"max": {"field": config.time_field}}},
    }
    answer = probe.search(config.indices, body)
    newest = answer["aggregations"]["newest"]["value"]
    return int(answer["hits"]["total"]["value"]), None if newest is None else int(newest)


def _freshness(config: DetectorConfig, n_past: int, newest_ms: int, now_ms: int) -> Finding:
    """Say how old the newest document is, and what that means for the window delay."""
    age = timedelta(milliseconds=now_ms - newest_ms)
    what = f"{n_past:,} documents, the newest of {moment_text(newest_ms)}"
    if now_ms - newest_ms <= config.interval.milliseconds + config.window_delay_ms:
        return ok(("indices",), what)
    if age > RECENT:
        return warning(("indices",), f"{what}, {age.days} days ago: nothing is found until new ones arrive")
    minutes = -(-age // timedelta(minutes=1))
    hint = f"if they always come so late, set it to {minutes} Minutes; otherwise look why they stopped"
    return warning(("window_delay",), f"{what}, {minutes} minutes ago, but windows close earlier; {hint}")


def _filter(
    config: DetectorConfig, probe: Probe, query: Body, n_past: int, now_ms: int
) -> tuple[Finding, int | None]:
    """Say how many documents the filter leaves, and return the time of the newest of them (epoch ms)."""
    path = ("filter_query",)
    try:
        n_matched, newest_ms = _count(config, probe, {"lte": now_ms}, query)
    except BadRequest as refusal:
        return error(path, f"the cluster refuses this query: {refusal.reason}"), None
    if newest_ms is None:
        return error(path, f"none of {n_past:,} documents matches; check its fields and values"), None
    return ok(path, f"matches {n_matched:,} of {n_past:,} documents"), newest_ms


def _feature(config: DetectorConfig, probe: Probe, span: Span, path: JsonPath, feature: Feature) -> Finding:
    """Say what number one feature gives."""
    path = (*path, "aggregation_query")
    body = {"size": 0, "query": query_of(config, span), "aggregations": {"number": feature.aggregation}}
    name = f"`{feature.feature_name}`"
    try:
        value = feature.read(_numbers(probe.search(config.indices, body)))
    except BadRequest as refusal:
        return error(path, f"{name}: the cluster refuses this aggregation: {refusal.reason}")
    except ValueError as mistake:
        return error(path, str(mistake))
    when = f"over the {span.n_windows} windows up to {moment_text(span.end_ms)}"
    if value != value:  # noqa: PLR0124 - NaN is the one number that is not itself
        return error(path, f"{name} gives no number {when}; check that documents have the field")
    return ok(path, f"{name} is {number_text(value)} {when}")


def _numbers(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    result: Mapping[str, Any] = answer["aggregations"]["number"]
    return result
