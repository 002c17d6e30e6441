"""Reads the cluster's own words out of an error answer: which exception, why, about which index.

Pure: dictionaries in, text out. Decides nothing; `storage.errors` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_REASON_CHARACTERS = 1000


@dataclass(frozen=True)
class Reason:
    """What the cluster said about a request that it did not carry out."""

    kind: str
    """Type of the exception that says most, for example ``index_not_found_exception``; empty when unknown."""

    text: str
    """The reasons from the outer to the inner one, without repeats."""

    index: str | None
    """The index it is about, when the answer names one."""

    kinds: frozenset[str]
    """All exception types in the answer."""


def read_reason(error: object, plain: str = "") -> Reason:
    """Find the root cause in the ``error`` part of an answer.

    Parameters
    ----------
    error
        The value of ``error`` in the body of an answer, or of a bulk item. An object when it comes from
        OpenSearch; text, or nothing, when something in between answered.
    plain
        The text to fall back on: an answer that is no JSON says it there.

    Returns
    -------
    Reason
        With the failures of shards read out: the outer "all shards failed" says nothing.
    """
    causes = [cause for cause in _causes(error) if cause.get("type") != "search_phase_execution_exception"]
    if not causes:
        text = error if isinstance(error, str) else _outer_reason(error) or plain
        return Reason(_outer_kind(error), _shortened(" ".join(text.split())), None, _kinds([error]))
    texts: dict[str, None] = {}
    for cause in causes:
        text = str(cause.get("reason") or cause.get("type"))
        if not any(text in known for known in texts):
            texts[text] = None
    index = next((str(cause["index"]) for cause in causes if cause.get("index")), None)
    return Reason(str(causes[0].get("type", "")), _shortened(": ".join(texts)), index, _kinds(causes))


def _causes(error: object) -> Iterator[Mapping[str, object]]:
    """Walk root causes, then shard failures, then the error itself, each with what it was caused by."""
    if not isinstance(error, Mapping):
        return
    for cause in _mappings(error.get("root_cause")):
        yield from _chain(cause)
    for shard in _mappings(error.get("failed_shards")):
        reason = shard.get("reason")
        if isinstance(reason, Mapping):
            yield from _chain({"index": shard.get("index"), **reason})
    yield from _chain(error)


def _chain(cause: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Follow ``caused_by`` inwards."""
    inner: object = cause
    while isinstance(inner, Mapping):
        yield inner
        inner = inner.get("caused_by")


def _mappings(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a list, nothing when it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _kinds(causes: list[object] | list[Mapping[str, object]]) -> frozenset[str]:
    return frozenset(str(cause["type"]) for cause in causes if isinstance(cause, Mapping) and "type" in cause)


def _outer_kind(error: object) -> str:
    return str(error.get("type", "")) if isinstance(error, Mapping) else ""


def _outer_reason(error: object) -> str:
    return str(error.get("reason") or error.get("type") or "") if isinstance(error, Mapping) else ""


def _shortened(text: str) -> str:
    """Cut what would fill a log line: an error may quote a whole query."""
    return text if len(text) <= MAX_REASON_CHARACTERS else f"{text[:MAX_REASON_CHARACTERS]} …"
