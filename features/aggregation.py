"""Aggregation: which bodies give one number a window, and how to ask for that number alone.

Knows the shapes of OpenSearch's metric aggregations and nothing of features, requests or responses.
"""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

METRICS = (
    "avg",
    "sum",
    "min",
    "max",
    "value_count",
    "cardinality",
    "median_absolute_deviation",
    "weighted_avg",
    "scripted_metric",
)
"""Kinds that give a single number under the key `value`."""
PERCENTILES = "percentiles"
"""The kind that gives several numbers, of which the first requested one is read."""
FILTER = "filter"
"""The kind that narrows the documents and holds exactly one of the others."""
KINDS = (*METRICS, PERCENTILES, FILTER)
"""Everything that is allowed."""
BELOW = ("aggs", "aggregations")
"""The two spellings of the key that holds what is inside an aggregation."""
ZERO_OF_NOTHING = ("sum", "value_count", "cardinality")
"""Kinds of which no documents give 0, as a cluster answers for a filter that matches none; others give no number."""
INNER = "value"
"""Name under which the aggregation inside a filter is requested."""
FIRST_PERCENT = 1.0
"""First of the percents that OpenSearch computes when none are named."""
ALLOWED = (
    f"allowed are {', '.join(METRICS)}; {PERCENTILES}, whose first percent is read; "
    f"and {FILTER} with exactly one of these inside"
)
"""What a message says when something else was asked for."""

Aggregation = Mapping[str, Any]
"""Body of one aggregation, such as `{"avg": {"field": "latency"}}`."""


def kind(body: Aggregation) -> str:
    """Return the kind of an aggregation that has no `problem`."""
    return next(key for key in body if key in KINDS)


def inner(body: Aggregation) -> Aggregation:
    """Return the aggregation inside a filter that has no `problem`."""
    named: Mapping[str, Aggregation] = next(body[key] for key in BELOW if key in body)
    return next(iter(named.values()))


def of_nothing(body: Aggregation) -> float:
    """Return the number that no documents give; NaN where they give none."""
    what = kind(body)
    if what == FILTER:
        return of_nothing(inner(body))
    return 0.0 if what in ZERO_OF_NOTHING else math.nan


def percent(body: Aggregation) -> float:
    """Return the percent of a `percentiles` aggregation that is read: the first requested."""
    percents = body[PERCENTILES].get("percents")
    return float(percents[0]) if percents else FIRST_PERCENT


def request(body: Aggregation) -> dict[str, Any]:
    """Return the body to send: the same number, without names and values that nobody reads."""
    what = kind(body)
    if what == FILTER:
        return {FILTER: body[FILTER], "aggregations": {INNER: request(inner(body))}}
    if what == PERCENTILES:
        return {PERCENTILES: {**body[PERCENTILES], "percents": [percent(body)], "keyed": False}}
    return {what: body[what]}


def problem(body: object, *, inside_filter: bool = False) -> str | None:
    """Say why a body does not give one number, or None.

    The answer continues a sentence that begins with the aggregation's name.
    """
    if not isinstance(body, Mapping):
        return f'must be an object such as {{"avg": {{"field": "latency"}}}}, got {body!r}'
    kinds = [key for key in body if key not in (*BELOW, "meta")]
    if len(kinds) != 1:
        return f"must name exactly one kind of aggregation, got {kinds}"
    what = kinds[0]
    if what not in KINDS or (inside_filter and what == FILTER):
        return _refusal(what, inside_filter=inside_filter)
    if not isinstance(body[what], Mapping):
        return f"must give the parameters of `{what}` as an object, got {body[what]!r}"
    return _filter_problem(body) if what == FILTER else _metric_problem(what, body)


def _refusal(what: str, *, inside_filter: bool) -> str:
    """Say that a kind is not allowed and which are."""
    if inside_filter and what == FILTER:
        return "is a filter inside a filter; write both conditions as one `bool` query in the outer one"
    near = get_close_matches(what, KINDS, n=1)
    hint = f"did you mean `{near[0]}`? Otherwise " if near else ""
    return f"is of kind `{what}`, which does not give one number a window; {hint}{ALLOWED}"


def _filter_problem(body: Aggregation) -> str | None:
    """Say what is wrong with a filter aggregation."""
    given = [body[key] for key in BELOW if key in body]
    named = given[0] if len(given) == 1 else None
    if not isinstance(named, Mapping) or len(named) != 1:
        count = len(named) if isinstance(named, Mapping) else len(given)
        return f"must hold exactly one aggregation in `aggs` beside its filter, got {count}"
    name, within = next(iter(named.items()))
    found = problem(within, inside_filter=True)
    return None if found is None else f"holds the aggregation `{name}`, which {found}"


def _metric_problem(what: str, body: Aggregation) -> str | None:
    """Say what is wrong with an aggregation that is no filter."""
    if any(key in body for key in BELOW):
        return f"is of kind `{what}`, which cannot hold further aggregations; remove them"
    percents = body[what].get("percents") if what == PERCENTILES else None
    if percents is None or _are_percents(percents):
        return None
    return f"must give `percents` as a list of numbers in 0..100, got {percents!r}"


def _are_percents(percents: object) -> bool:
    """Say whether this is a list of at least one number in 0..100."""
    return (
        isinstance(percents, list)
        and len(percents) > 0
        and all(isinstance(p, int | float) and not isinstance(p, bool) and 0 <= p <= 100 for p in percents)
    )
