"""The HTTP connection: opensearch-py's two kinds, each telling us more about a failure.

opensearch-py drops the headers of an error answer and the host that gave it; here both are kept as an
`Origin` on the exception, because `Retry-After` must be honoured and a message must say who refused.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import requests
import urllib3
from opensearchpy import RequestsHttpConnection, Urllib3HttpConnection
from opensearchpy.exceptions import TransportError
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from storage.errors import Origin

log = logging.getLogger(__name__)


def origin_of(error: BaseException) -> Origin | None:
    """Return what the connection noted on an exception; None when it did not come from a connection."""
    noted = vars(error).get("origin")
    return noted if isinstance(noted, Origin) else None


class _Telling:
    """Mix-in: notes the origin of a failure on the exception, and leaves logging to whoever catches it."""

    host: str
    _extra: ClassVar[Mapping[str, bool]] = {}

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the library's signature
        self._answer = threading.local()
        super().__init__(**settings)

    def perform_request(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the library's signature
        """Do as the library does, and note on a failure where it came from."""
        self._answer.headers = {}
        try:
            return super().perform_request(*arguments, **options, **self._extra)  # type: ignore[misc]
        except TransportError as error:
            method, path, *_ = arguments
            answered = self._answer.headers
            wait_s = _seconds(answered.get("retry-after"))
            vars(error)["origin"] = Origin(self.host, method, path, wait_s, answered.get("location"))
            raise

    def log_request_fail(self, method: str, full_url: str, *_: Any, **__: Any) -> None:  # noqa: ANN401 - the library's signature
        """Say it quietly: the failure is raised, and logged once by whoever decides about it."""
        log.debug("%s %s failed", method, full_url)


class DirectConnection(_Telling, Urllib3HttpConnection):
    """The faster of the two; cannot use a proxy, and drops the client certificate when checking is off."""

    def get_response_headers(self, response: urllib3.BaseHTTPResponse) -> dict[str, str]:
        """Note the headers on the way; the library reads them here just before it raises."""
        self._answer.headers = {name.lower(): value for name, value in response.headers.items()}
        return dict(self._answer.headers)


class RequestsConnection(_Telling, RequestsHttpConnection):
    """The one with proxy; never follows a redirect, never looks at the environment or at ~/.netrc."""

    _extra: ClassVar[Mapping[str, bool]] = {"allow_redirects": False}

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the library's signature
        super().__init__(**settings)
        # else a REQUESTS_CA_BUNDLE overrides our settings and ~/.netrc our credentials
        self.session.trust_env = False
        self.session.hooks["response"].append(self._note_headers)

    def _note_headers(self, response: requests.Response, **_: object) -> None:
        self._answer.headers = {name.lower(): value for name, value in response.headers.items()}


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header, a number of seconds or a date."""
    if retry_after is None:
        return None
    try:
        return float(Retry().parse_retry_after(retry_after))
    except InvalidHeader:
        return None
