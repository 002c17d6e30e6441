"""A small real HTTP(S) server that records what it is asked, and a proxy that records what passes through."""

import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

import urllib3

INFO = {"version": {"distribution": "opensearch", "number": "3.8.0"}, "tagline": "The OpenSearch Project"}


@dataclass(frozen=True)
class Recorded:
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What to say: a body that is not bytes is sent as JSON."""

    status: int = 200
    body: Any = field(default_factory=lambda: INFO)
    headers: Mapping[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: a refused handshake is what some tests are about."""


class Recorder:
    """Serves on a free port of 127.0.0.1 inside a `with` block.

    `answer` decides what is said to a request, by default that this is an OpenSearch 3.8.0.
    """

    def __init__(
        self, answer: Callable[[Recorded], Answer] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Recorded] = []
        self.answer = answer or (lambda _: Answer())
        self._tls = tls

    def __enter__(self) -> Self:
        recorder = self

        class Handler(_RecordingHandler):
            owner = recorder

        self._server = _Server(("127.0.0.1", 0), Handler)
        if self._tls is not None:
            # the handshake belongs to the thread of the request, else one bad client stops the others
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"


class _RecordingHandler(BaseHTTPRequestHandler):
    owner: Recorder
    protocol_version = "HTTP/1.1"
    timeout = 5

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Recorded(self.command, self.path, headers, body)
        self.owner.requests.append(request)
        answer = self.owner.answer(request)
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - names in the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Keep quiet."""


class Proxy(Recorder):
    """A forward proxy: passes plain requests on, and tunnels others after CONNECT."""

    def __enter__(self) -> Self:
        recorder = self

        class Handler(_ProxyHandler):
            owner = recorder

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self


class _ProxyHandler(_RecordingHandler):
    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append(Recorded(self.command, self.path, headers, body))
        headers.pop("proxy-authorization", None)
        with urllib3.PoolManager() as pool:
            answer = pool.request(self.command, self.path, body=body, headers=headers, retries=False)
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers["content-type"])
        self.send_header("content-length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_GET = do_POST = _pass_on  # noqa: N815 - names in the base class

    def do_CONNECT(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append(Recorded("CONNECT", self.path, headers, b""))
        target = urlsplit(f"//{self.path}")
        with socket.create_connection((str(target.hostname), int(target.port or 0))) as far:
            self.send_response(200)
            self.end_headers()
            self._copy_both_ways(far)
        self.close_connection = True

    def _copy_both_ways(self, far: socket.socket) -> None:
        near = self.connection
        while True:
            ready, _, _ = select.select([near, far], [], [], 5)
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (far if source is near else near).sendall(data)
            if not ready:
                return
