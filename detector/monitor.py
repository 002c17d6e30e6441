"""Three pages for whoever watches the sidecar: `/metrics`, `/healthz`, `/readyz`.

A server of the standard library on a thread of its own: it answers when the scheduler hangs, which is when it is
needed. Knows no cluster.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, NamedTuple, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from detector.health import Health
from detector.metrics import Metrics

TEXT, JSON = "text/plain; version=0.0.4; charset=utf-8", "application/json"

Start = Callable[[str, list[tuple[str, str]]], object]


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as in a URL, where an address of IPv6 stands in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Monitor(AbstractContextManager["Monitor"]):
    """Serves the three pages inside a `with` block.

    Parameters
    ----------
    address
        Where to listen; port 0 takes a free one.
    metrics, health
        What is served.

    Raises
    ------
    OSError
        When the address cannot be had.
    """

    def __init__(self, address: Address, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health
        kind = _ServerOfVersion6 if ":" in address.host else _Server
        self._server = kind(address, _QuietRequest)
        self._server.set_app(self._answer)
        self._thread = threading.Thread(target=self._server.serve_forever, name="monitor", daemon=True)

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return Address(str(host), int(port))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        status, kind, body = self._page(environ["PATH_INFO"])
        start(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _page(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            return HTTPStatus.OK, TEXT, self._metrics.text()
        if path == "/healthz":
            return _verdict(is_well=self._health.is_alive, complaints={"scheduler": "does not turn"})
        if path == "/readyz":
            complaints = self._health.complaints()
            return _verdict(is_well=not complaints, complaints=complaints)
        return HTTPStatus.NOT_FOUND, TEXT, b"there are /metrics, /healthz and /readyz\n"


def _verdict(*, is_well: bool, complaints: dict[str, str]) -> tuple[HTTPStatus, str, bytes]:
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    answer = {"status": "ok"} if is_well else {"status": "not ok", "reasons": complaints}
    return status, JSON, json.dumps(answer).encode() + b"\n"


class _Server(ThreadingMixIn, WSGIServer):
    """Answers on threads, so that a client that reads slowly blocks nobody."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking a name server for the host's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _ServerOfVersion6(_Server):
    address_family = socket.AF_INET6


class _QuietRequest(WSGIRequestHandler):
    """Leaves no line a request."""

    timeout = 10

    def address_string(self) -> str:
        """Return the client's address, not its name."""
        return str(self.client_address[0])

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""
