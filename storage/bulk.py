"""Many small writes in few requests: each item gets its own outcome, transient failures are tried again.

What makes sense to try again (429 and 5xx, of one item or of the request) is tried again here, with the back-off of
`storage.retry`; a failure that concerns the index or the cluster is raised; what concerns one document (a conflict,
a document that does not fit the mapping) is handed back to the caller, who knows what it means.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import orjson
from opensearchpy import OpenSearch

from storage.errors import Unavailable, error_of
from storage.retry import Retry
from storage.translate import translate_errors

REQUEST_BYTES = 5_000_000
"""Size at which a request is closed: large enough to be cheap, far below http.max_content_length (100 MB)."""

CONFLICT = 409
REFUSED = 400
ABSENT = 404
"""HTTP statuses that a single item may have for good."""


class Item(NamedTuple):
    """One write into the index `target`; `parameters` go into its metadata line, such as `if_seq_no`."""

    operation: Literal["index", "create", "delete"]
    target: str
    id: str
    source: bytes = b""
    parameters: Mapping[str, Any] = {}


class Outcome(NamedTuple):
    """What became of one write: HTTP status, the reason when it failed, and the version written if it was asked for."""

    status: int
    reason: str = ""
    seq_no: int = -1
    primary_term: int = -1

    @property
    def is_written(self) -> bool:
        """Whether the write took effect; deleting what is not there counts."""
        return self.status in {200, 201, ABSENT}


ANSWER = "errors,items.*.status,items.*.error"
VERSIONS = "items.*._seq_no,items.*._primary_term"
"""Parts of an answer. The rest repeats what was asked, and reading it costs as much as all else we do for a write."""


def write(
    client: OpenSearch, items: Sequence[Item], retry: Retry, *, with_versions: bool = True
) -> list[Outcome]:
    """Write the items; return their outcomes in the same order, with the versions written unless nobody wants them.

    Raises
    ------
    Unavailable
        When items were still answered with 429 or 5xx after the last attempt.
    Rejected
        When an index or the cluster refuses writes (missing privilege, read-only block).
    """
    outcomes: list[Outcome] = []
    parts = f"{ANSWER},{VERSIONS}" if with_versions else ANSWER
    for request in _requests(items):
        found: dict[int, Outcome] = {}
        retry(_write_missing, client, request, found, parts)
        outcomes.extend(found[position] for position in range(len(request)))
    return outcomes


def _write_missing(
    client: OpenSearch, items: Sequence[Item], outcomes: dict[int, Outcome], parts: str
) -> None:
    """Send the items that have no outcome yet; raise `Unavailable` when some still have none."""
    waiting = [position for position in range(len(items)) if position not in outcomes]
    transient = ""
    for position, outcome in zip(waiting, _send(client, [items[p] for p in waiting], parts), strict=True):
        is_absent = items[position].operation == "delete" and outcome.status == ABSENT
        if outcome.status in {200, 201, CONFLICT, REFUSED} or is_absent:
            outcomes[position] = outcome
        else:
            transient = outcome.reason
    if transient:
        waits = len(items) - len(outcomes)
        msg = f"{waits:,} of {len(items):,} documents could not be written yet: {transient}"
        raise Unavailable(msg)


def _send(client: OpenSearch, items: Sequence[Item], parts: str) -> list[Outcome]:
    body = b"".join(_lines(items))
    with translate_errors():
        answer = client.bulk(body=body, params={"filter_path": parts})
    results = [result for entry in answer["items"] for result in entry.values()]
    return [_outcome(item, result) for item, result in zip(items, results, strict=True)]


def _outcome(item: Item, result: Mapping[str, Any]) -> Outcome:
    status = result["status"]
    error = result.get("error")
    if error is None:
        return Outcome(status, "", result.get("_seq_no", -1), result.get("_primary_term", -1))
    failure = error_of(status, error, index=item.target)
    if status not in {CONFLICT, REFUSED} and not isinstance(failure, Unavailable):
        raise failure
    return Outcome(status, str(failure))


def _lines(items: Sequence[Item]) -> Iterator[bytes]:
    for item in items:
        metadata = {"_index": item.target, "_id": item.id, **item.parameters}
        yield orjson.dumps({item.operation: metadata}) + b"\n"
        if item.operation != "delete":
            yield item.source + b"\n"


def _requests(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut the items into requests of about `REQUEST_BYTES`."""
    first, size = 0, 0
    for position, item in enumerate(items):
        if size and size + len(item.source) > REQUEST_BYTES:
            yield items[first:position]
            first, size = position, 0
        size += len(item.source) + 100
    if first < len(items):
        yield items[first:]
