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
    """What became of one write: HTTP status, the reason when it failed, and the version written."""

    status: int
    reason: str = ""
    seq_no: int = -1
    primary_term: int = -1

    @property
    def is_written(self) -> bool:
        """Whether the write took effect; deleting what is not there counts."""
        return self.status in {200, 201, ABSENT}


def write(client: OpenSearch, items: Sequence[Item], retry: Retry) -> list[Outcome]:
    """Write the items; return their outcomes in the same order.

    Raises
    ------
    Unavailable
        When items were still answered with 429 or 5xx after the last attempt.
    Rejected
        When an index or the cluster refuses writes (missing privilege, read-only block).
    """
    outcomes: list[Outcome] = []
    for request in _requests(items):
        outcomes.extend(_write_request(client, request, retry))
    return outcomes


def _write_request(client: OpenSearch, items: Sequence[Item], retry: Retry) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    retry(_write_missing, client, items, outcomes)
    return [outcomes[position] for position in range(len(items))]


def _write_missing(client: OpenSearch, items: Sequence[Item], outcomes: dict[int, Outcome]) -> None:
    """Send the items that have no outcome yet; raise `Unavailable` when some still have none."""
    waiting = [position for position in range(len(items)) if position not in outcomes]
    transient = ""
    for position, outcome in zip(waiting, _send(client, [items[p] for p in waiting]), strict=True):
        is_absent = items[position].operation == "delete" and outcome.status == ABSENT
        if outcome.status in {200, 201, CONFLICT, REFUSED} or is_absent:
            outcomes[position] = outcome
        else:
            transient = outcome.reason
    if transient:
        waits = len(items) - len(outcomes)
        msg = f"{waits:,} of {len(items):,} documents could not be written yet: {transient}"
        raise Unavailable(msg)


def _send(client: OpenSearch, items: Sequence[Item]) -> list[Outcome]:
    body = b"".join(_lines(items))
    with translate_errors():
        answer = client.bulk(body=body)
    return [_outcome(operation, result) for entry in answer["items"] for operation, result in entry.items()]


def _outcome(operation: str, result: Mapping[str, Any]) -> Outcome:  # noqa: ARG001 - the key of the answer
    status = result["status"]
    error = result.get("error")
    if error is None:
        return Outcome(status, "", result.get("_seq_no", -1), result.get("_primary_term", -1))
    failure = error_of(status, error, index=result["_index"])
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
