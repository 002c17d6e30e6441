"""History: how much a new model would learn from, how many entities there are, and what reading them costs."""

from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.check.asking import Probe
from detector.check.data import Span, moment_text, query_of
from detector.check.finding import Finding, error, ok, warning
from detector.configuration.config import DetectorConfig
from features.block import parse_pages
from features.query import COMPOSITE, PAGE_SIZE, build_query
from features.windows import closed_windows

ENOUGH = 0.8
"""Part of the windows that must have documents for a history to count as whole."""
MOST_PAGES = 10
"""Of entities that are counted; beyond it there are simply many."""


def check_history(config: DetectorConfig, probe: Probe, span: Span) -> Finding:
    """Say how many of the windows a new model would learn from have documents."""
    source = replace(config.source, category_fields=(), features=())
    ends = closed_windows(span.start_ms, span.end_ms, source.interval, 0)
    page = probe.search(source.indices, build_query(source, span.start_ms, span.end_ms))
    filled = parse_pages(source, ends, [page]).doc_counts[:, 0] > 0
    return _history(span, filled)


def check_entities(config: DetectorConfig, probe: Probe, span: Span) -> list[Finding]:
    """Say how many entities the span has, and how many documents belong to none."""
    if not config.category_field:
        return []
    n_entities, is_all = count_entities(config, probe, span)
    number = f"{n_entities:,}" if is_all else f"more than {n_entities:,}"
    path = ("category_field",)
    findings = [ok(path, f"{number} entities in {span.n_windows} windows, each with a model of its own")]
    if n_entities == 0:
        findings = [error(path, "no document has a value in every category field: there is no entity")]
    n_without, n_documents = _count_without(config, probe, span)
    if n_without and n_entities:
        what = f"{n_without:,} of {n_documents:,} documents lack a value and belong to no entity"
        findings.append(warning(path, f"{what}; that is as it should be, or whoever writes them forgets it"))
    return findings


def time_of_a_page(config: DetectorConfig, probe: Probe, span: Span) -> float:
    """Return the seconds that the cluster takes for the first page of the newest window."""
    return float(_first_page(config, probe, span)["took"]) / 1000


def check_cost(config: DetectorConfig, probe: Probe, span: Span) -> Finding:
    """Say what reading the newest window takes, as every window will."""
    answer = _first_page(config, probe, span)
    took_ms = answer["took"]
    buckets = answer["aggregations"][COMPOSITE]["buckets"]
    has_more = len(buckets) >= PAGE_SIZE
    share = took_ms / config.interval.milliseconds
    what = (
        f"reading a window takes {took_ms:,.0f} ms{' for each page of 10,000 entities' if has_more else ''}"
    )
    path = ("detection_interval",)
    if share > 0.1:
        return warning(path, f"{what}, {share:.0%} of the interval; take a longer one, or read fewer indices")
    return ok(path, what)


def _first_page(config: DetectorConfig, probe: Probe, span: Span) -> dict[str, Any]:
    """Read the newest window as a poll does, up to the first page."""
    start_ms = config.interval.previous(span.end_ms)
    return probe.search(config.indices, build_query(config.source, start_ms, span.end_ms))


def _history(span: Span, filled: NDArray[np.bool_]) -> Finding:
    """Judge which windows have documents; bool, shape (n_windows,)."""
    n_filled, n_windows = int(filled.sum()), len(filled)
    what = f"{n_filled} of the {n_windows} windows up to {moment_text(span.end_ms)} have documents"
    first = int(np.argmax(filled))
    longest = max((len(list(run)) for is_filled, run in groupby(filled[first:]) if not is_filled), default=0)
    if n_filled >= ENOUGH * n_windows:
        gaps = f", the longest gap is {longest}" if longest else ""
        return ok(("history",), f"{what}{gaps}")
    if n_filled >= ENOUGH * (n_windows - first):
        hint = f"a model needs {n_windows - n_filled} more before it knows as much as one that starts later"
        return warning(("history",), f"{what}, as the data begin there; {hint}")
    spacing = float(np.median([b - a for a, b in pairwise(np.flatnonzero(filled))])) if n_filled > 1 else 2.0
    hint = f"take a detection_interval of at least {max(2, round(spacing))} times the length"
    return warning(("detection_interval",), f"{what}, the longest gap is {longest}; {hint}")


def count_entities(config: DetectorConfig, probe: Probe, span: Span) -> tuple[int, bool]:
    """Return the number of entities in a span, and whether these are all."""
    source = replace(config.source, features=())
    count, after = 0, None
    for _ in range(MOST_PAGES):
        body = build_query(source, span.start_ms, span.end_ms, after=after)
        composite = body["aggregations"][COMPOSITE]["composite"]
        composite["sources"] = composite["sources"][1:]
        answer = probe.search(config.indices, body)["aggregations"][COMPOSITE]
        count, after = count + len(answer["buckets"]), answer.get("after_key")
        if after is None or len(answer["buckets"]) < PAGE_SIZE:
            return count, True
    return count, False


def _count_without(config: DetectorConfig, probe: Probe, span: Span) -> tuple[int, int]:
    """Return how many documents of a span lack a category value, and how many there are."""
    have_all: dict[str, Any] = {
        "bool": {"filter": [{"exists": {"field": field}} for field in config.category_field]}
    }
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": query_of(config, span),
        "aggregations": {"have_all": {"filter": have_all}},
    }
    answer = probe.search(config.indices, body)
    total = int(answer["hits"]["total"]["value"])
    return total - int(answer["aggregations"]["have_all"]["doc_count"]), total
