"""Tells an observer of every request to the cluster: which operation it was, how it ended, how long it took.

Sits above the library's connections, so a request that went to a second host is one request. Knows no metrics.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from opensearchpy import Transport
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import ConnectionTimeout, TransportError

OPERATIONS = (
    "_search",
    "_bulk",
    "_mget",
    "_doc",
    "_create",
    "_field_caps",
    "_mapping",
    "_index_template",
    "_refresh",
)
"""Last segment of a path to its name; everything else is `other`, so that the number of names stays small."""


class Request(NamedTuple):
    """One request that has ended.

    Attributes
    ----------
    operation
        One of `OPERATIONS` without the underscore, or `other`.
    outcome
        `ok`, `timeout`, `connection`, or the HTTP status of a refusal.
    seconds
        From the call to the answer.
    """

    operation: str
    outcome: str
    seconds: float


Observer = Callable[[Request], None]


def observed(observer: Observer) -> type[Transport]:
    """Return a transport that tells `observer` of every request; it may be called from several threads."""

    class ObservedTransport(Transport):
        def perform_request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the library's signature
            begin, outcome = time.monotonic(), "ok"
            try:
                return super().perform_request(method, url, *arguments, **options)
            except Exception as error:
                outcome = _outcome(error)
                raise
            finally:
                observer(Request(operation_of(url), outcome, time.monotonic() - begin))

    return ObservedTransport


def operation_of(path: str) -> str:
    """Return the operation of a request's path."""
    marks = [segment for segment in path.partition("?")[0].split("/") if segment in OPERATIONS]
    return marks[-1].removeprefix("_") if marks else "other"


def _outcome(error: Exception) -> str:
    if isinstance(error, ConnectionTimeout):
        return "timeout"
    if isinstance(error, NoConnection):
        return "connection"
    if isinstance(error, TransportError) and isinstance(error.status_code, int):
        return str(error.status_code)
    return "failed"
