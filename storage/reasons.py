"""Reads the cluster's own words out of an error answer: which exception, why, about which index.

Pure: dictionaries in, text out. Decides nothing; `storage.errors` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

HEAD_CHARACTERS, TAIL_CHARACTERS = 600, 300
"""Kept of a longer reason. It may quote a whole query or document id, and then says at the end what is wrong."""

_SAYS_NOTHING = frozenset({"", "all shards failed", "Partial shards failure"})


@dataclass(frozen=True)
class Reason:
    """What the cluster said about a request that it did not carry out."""

    text: str
    """The reasons from the outer to the inner one, without repeats."""

    index: str | None
    """The index it is about, when the answer names one."""

    kinds: frozenset[str]
    """The types of all exceptions in it, for example ``index_not_found_exception``."""


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
    causes = [cause for cause in _causes(error) if _words(cause) not in _SAYS_NOTHING]
    texts: list[str] = []
    for cause in causes:
        text = _words(cause)
        if not any(text in known for known in texts):
            texts.append(text)
    if not causes:
        texts = [error if isinstance(error, str) else plain]
    index = next((str(cause["index"]) for cause in causes if cause.get("index")), None)
    kinds = frozenset(str(cause["type"]) for cause in causes if "type" in cause)
    return Reason(_shortened(": ".join(texts)), index, kinds)


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


def _words(cause: Mapping[str, object]) -> str:
    """Return the reason of one exception; its type when it gives none, as bugs of the server do."""
    reason = cause.get("reason")
    return str(cause.get("type") or "") if reason is None else str(reason)


def _mappings(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a list, nothing when it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _shortened(text: str) -> str:
    """Put the text on one line of a length that a log line can hold."""
    line = " ".join(text.split()).rstrip(".;: ")
    if len(line) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return line
    return f"{line[:HEAD_CHARACTERS]} … {line[-TAIL_CHARACTERS:]}"
