"""The embedded node: a real single-node OpenSearch of our own, for the demo, the tests and a first look.

Knows when a node starts, who owns it and when it ends; must not know what is stored in it.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

import psutil
import requests

from storage import watchdog
from storage.distribution import VERSION, Progress, install, no_progress
from storage.jvm import find_java
from storage.launch import Launch
from storage.node_cache import cache_folder, ensure_free, translate_disk_errors
from storage.node_error import NodeError
from storage.node_record import NodeRecord, hold, record_file

HEAP = "1g"
START_TIMEOUT_S = 120.0
POLL_S = 0.05
NEEDED_DISK_BYTES = 256 << 20
"""Free space below which a node is not started: OpenSearch loses data when the disk fills up."""

OVERHEAD_MB = 300
"""Memory that Java takes beside its heap."""

MIRROR_VARIABLE = "OUTRIDER_ARTIFACTS"
"""Environment variable with the URL of an artifact repository to download from."""


class EmbeddedNode:
    """An OpenSearch node that lives as long as the program that started it.

    Use it as a context manager, or call `start` and `stop`. When the owner ends in any way, the node ends too.

    Parameters
    ----------
    data_folder
        Where the data stay between two runs; default a temporary folder that goes away with the node.
    heap
        Java heap, such as ``512m`` or ``1g``.
    port
        HTTP port on the loopback interface, 0 for any free one.
    progress
        Told about the download and other long steps.
    version
        OpenSearch version.
    settings
        More settings for ``opensearch.yml``.
    start_timeout_s
        Seconds until a node that does not answer is given up.
    is_detached
        Leave the node running when the owner ends.
    environ
        Environment variables; default those of this process.
    """

    def __init__(
        self,
        data_folder: Path | None = None,
        heap: str = HEAP,
        port: int = 0,
        progress: Progress = no_progress,
        *,
        version: str = VERSION,
        settings: Mapping[str, str] | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        is_detached: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.heap_mb = heap_megabytes(heap)
        self.port = port
        self.version = version
        self.url = ""
        self._given_folder = data_folder
        self._progress = progress
        self._settings = settings or {}
        self._start_timeout_s = start_timeout_s
        self._is_detached = is_detached
        self._environ = os.environ if environ is None else environ
        self._undo = contextlib.ExitStack()
        self._process: psutil.Process | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Fetch what is missing, start the node and wait until it answers.

        Raises
        ------
        NodeError
            It cannot be fetched or started; the message says why and what to do.
        """
        try:
            self._start()
        except BaseException:  # also Ctrl-C: nothing half-started stays behind
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the node and wait until it is gone; does nothing when it does not run."""
        if self._process is not None:
            watchdog.stop_process(self._process)
            record_file(self.data_folder).unlink(missing_ok=True)
            self._process = None
        self._undo.close()
        self.url = ""

    def _start(self) -> None:
        cache = cache_folder(self._environ)
        home = install(cache, self.version, self._progress, self._environ.get(MIRROR_VARIABLE, ""))
        java = find_java(self._environ, cache)
        self.data_folder = self._open_folder()
        with translate_disk_errors(self.data_folder):
            lock = self._undo.enter_context(hold(self.data_folder))
            self._stop_stale()
            self._check_room()
            launch = Launch(
                self.data_folder, home, java, self.heap_mb, self.port, uuid.uuid4().hex, self._settings
            )
            launch.write()
        pipe = None if self._is_detached else self._undo.enter_context(self._watchdog())
        self._process = launch.spawn()
        if pipe is not None:
            print(self._process.pid, launch.token, file=pipe, flush=True)
        self._record(launch)
        self.url = self._wait(launch)
        self._record(launch)
        if self._is_detached:
            lock.close()

    def _open_folder(self) -> Path:
        if self._given_folder is None:
            return Path(self._undo.enter_context(tempfile.TemporaryDirectory(prefix="outrider-node-")))
        return self._given_folder.absolute()

    def _stop_stale(self) -> None:
        """Stop the node of an owner that died without taking it along."""
        record = NodeRecord.read(self.data_folder)
        process = record.process() if record else None
        if record is None or process is None:
            return
        if record.is_detached:
            msg = (
                f"a node runs on {self.data_folder} at {record.url}: use it, or stop it (outrider node stop)"
            )
            raise NodeError(msg)
        watchdog.stop_process(process)

    def _check_room(self) -> None:
        ensure_free(self.data_folder, NEEDED_DISK_BYTES)
        available_mb = psutil.virtual_memory().available >> 20
        if available_mb < self.heap_mb + OVERHEAD_MB:
            msg = (
                f"too little memory: a node with a heap of {self.heap_mb} MB takes {self.heap_mb + OVERHEAD_MB} MB "
                f"and {available_mb} MB are free; end other programs, or choose a smaller heap (at least 256m)"
            )
            raise NodeError(msg)
        if self.port:
            _check_port(self.port)

    @contextlib.contextmanager
    def _watchdog(self):  # type: ignore[no-untyped-def]
        process = subprocess.Popen(
            [sys.executable, "-P", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            text=True,
        )
        with process:  # leaving closes the pipe and waits
            yield process.stdin

    def _record(self, launch: Launch) -> None:
        NodeRecord(
            pid=self._process.pid,
            token=launch.token,
            url=self.url,
            version=self.version,
            java=str(launch.java.home),
            heap_mb=self.heap_mb,
            is_detached=self._is_detached and bool(self.url),
        ).write(self.data_folder)

    def _wait(self, launch: Launch) -> str:
        """Wait until the node listens and its indices are recovered; return its URL."""
        give_up = time.monotonic() + self._start_timeout_s
        while time.monotonic() < give_up:
            self._check_alive(launch)
            if launch.ports_file.exists() and (
                match := re.search(r":(\d+)\s*$", launch.ports_file.read_text())
            ):
                url = f"http://127.0.0.1:{match[1]}"
                if _is_recovered(url):
                    return url
            time.sleep(POLL_S)
        msg = f"the node did not answer within {self._start_timeout_s:g} s; its last words:\n{_tail(launch.log)}"
        raise NodeError(msg)

    def _check_alive(self, launch: Launch) -> None:
        with contextlib.suppress(psutil.TimeoutExpired):
            code = self._process.wait(0)
            msg = f"the node ended at its start (exit status {code}); its last words:\n{_tail(launch.log)}"
            raise NodeError(msg)


def heap_megabytes(heap: str) -> int:
    """Read a heap size such as ``512m`` or ``1g``, in MiB."""
    match = re.fullmatch(r"(\d+)([mg])", heap.lower())
    megabytes = int(match[1]) * {"m": 1, "g": 1024}[match[2]] if match else 0
    if megabytes < 256:
        msg = f"heap {heap!r}: expected a number with m or g, at least 256m, such as 512m or 1g"
        raise NodeError(msg)
    return megabytes


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            msg = f"port {port} is taken by another program ({error.strerror}): choose another, or 0 for any"
            raise NodeError(msg) from error


def _is_recovered(url: str) -> bool:
    with requests.Session() as session, contextlib.suppress(requests.RequestException):
        session.trust_env = False  # no proxy between us and the loopback interface
        answer = session.get(
            f"{url}/_cluster/health", params={"wait_for_status": "yellow", "timeout": "30s"}, timeout=40
        )
        return answer.status_code in (200, 408)
    return False


def _tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log without the stack traces."""
    text = log.read_text(errors="replace").splitlines()
    return "\n".join([line for line in text if not line.startswith("\t")][-lines:])
