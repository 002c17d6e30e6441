"""The embedded node: a real single-node OpenSearch of our own, for the demo, the tests and a first look.

Knows when a node starts, who owns it and when it ends; must not know what is stored in it.
"""

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self, cast

from storage.embedded import node_status, preflight
from storage.embedded.class_archive import archive_path, keep_archive
from storage.embedded.distribution import VERSION, Progress, install, no_progress
from storage.embedded.jvm import find_java
from storage.embedded.launch import Launch
from storage.embedded.node_cache import cache_folder, translate_disk_errors
from storage.embedded.node_error import NodeError
from storage.embedded.node_record import GRACE_S, NodeRecord, hold, record_file
from storage.embedded.node_user import make_folder, node_user
from storage.embedded.owned_process import OwnedProcess
from storage.embedded.watchdog import Order

HEAP = "1g"
START_TIMEOUT_S = 120.0
POLL_S = 0.05
LAST_WORDS = 12
"""Lines of the node's log in the message about a node that did not come up."""

MIRROR_VARIABLE = "OUTRIDER_ARTIFACTS"
"""Environment variable with the URL of an artifact repository to download from."""


class EmbeddedNode:
    """An OpenSearch node that lives as long as the program that started it.

    Use it as a context manager, or call `start` and `stop`. However the owner ends, also of SIGKILL, the node
    ends too, unless it was let go with `detach`.

    Parameters
    ----------
    data_folder
        Where the data stay from one run to the next; default a temporary folder that goes away with the node.
    heap
        Java heap, such as ``512m`` or ``1g``.
    port
        HTTP port on the loopback interface, 0 for any free one.
    progress
        Told about the download and other long steps.
    keeps_data
        False begins without what an earlier run left in the folder.
    version
        OpenSearch version.
    settings
        More settings for ``opensearch.yml``.
    jvm_flags
        More flags for Java; they win over ours.
    start_timeout_s
        Seconds after which a node that does not answer is given up.
    environ
        Environment variables; default those of this process.

    Attributes
    ----------
    url
        Where it answers; empty while it does not run.
    pid
        Its process number; 0 while it does not run.
    data_folder
        The folder in use; None before the start of a node with a temporary one.
    """

    def __init__(
        self,
        data_folder: Path | None = None,
        heap: str = HEAP,
        port: int = 0,
        progress: Progress = no_progress,
        *,
        keeps_data: bool = True,
        version: str = VERSION,
        settings: Mapping[str, str] | None = None,
        jvm_flags: tuple[str, ...] = (),
        start_timeout_s: float = START_TIMEOUT_S,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.data_folder = data_folder.expanduser().absolute() if data_folder else None
        self.heap_mb = preflight.heap_megabytes(heap)
        self.port = port
        self.version = version
        self.url = ""
        self.pid = 0
        self._keeps_data = keeps_data
        self._is_temporary = data_folder is None
        self._progress = progress
        self._settings = settings or {}
        self._jvm_flags = jvm_flags
        self._start_timeout_s = start_timeout_s
        self._environ = os.environ if environ is None else environ
        self._undo = contextlib.ExitStack()
        self._launch: Launch | None = None
        self._process: OwnedProcess | None = None

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
            folder = self._claim_folder()
            preflight.ensure_room(folder, self.heap_mb, self.port)
            launch = self._plan(folder)
            with translate_disk_errors(folder):
                launch.prepare()
                self._run(launch)
        except BaseException:  # also Ctrl-C: nothing half-started stays behind
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the node and wait until it is gone; does nothing when it does not run."""
        process, launch = self._process, self._launch
        try:
            if process is not None and launch is not None:
                process.end()
                self._forget(launch)
        finally:
            self._undo.close()
            self._process, self._launch, self.url, self.pid = None, None, "", 0

    def detach(self) -> None:
        """Leave the node running when we end, until `storage.embedded.node_status.stop_node`.

        Raises
        ------
        ValueError
            The node does not run, or its folder is a temporary one.
        """
        if self._process is None or self._launch is None or self._is_temporary:
            msg = "only a running node with a data folder of its own can be detached"
            raise ValueError(msg)
        self._record(self._launch, is_detached=True)
        self._process.let_go()
        self._process, self._launch = None, None
        self._undo.close()

    def _claim_folder(self) -> Path:
        """Take the data folder for ourselves, and stop the node of an owner that died without it."""
        if self._is_temporary:
            scratch = tempfile.TemporaryDirectory(prefix="outrider-node-", ignore_cleanup_errors=True)
            self.data_folder = Path(self._undo.enter_context(scratch))
            self.data_folder.chmod(0o755)  # the node's user has to enter it
        folder = cast("Path", self.data_folder)
        with translate_disk_errors(folder):
            self._undo.enter_context(hold(make_folder(folder)))
        record = NodeRecord.read(folder)
        if record is not None and record.is_detached and record.process() is not None:
            msg = (
                f"a node runs on {folder} at {record.url}: "
                f"use that, or stop it with: outrider node stop --data-folder {folder}"
            )
            raise NodeError(msg)
        if record is not None:
            record.stop()
        if not self._keeps_data:
            shutil.rmtree(folder / "data", ignore_errors=True)
        return folder

    def _plan(self, folder: Path) -> Launch:
        cache = cache_folder(self._environ)
        java = find_java(self._environ, cache)
        home = install(cache, self.version, self._progress, self._environ.get(MIRROR_VARIABLE, ""))
        return Launch(
            folder=folder,
            home=home,
            java=java,
            archive=archive_path(cache, home, java),
            heap_mb=self.heap_mb,
            port=self.port,
            token=uuid.uuid4().hex,
            settings=self._settings,
            jvm_flags=self._jvm_flags,
        )

    def _run(self, launch: Launch) -> None:
        step = f"Starting OpenSearch {self.version}"
        self._progress(step, 0, 0)
        self._launch, self._process = launch, OwnedProcess(_order(launch))
        self.pid = self._process.pid
        self._record(launch)
        self.url = self._await(launch, self._process)
        self._record(launch)
        self._progress(step, 1, 1)

    def _record(self, launch: Launch, *, is_detached: bool = False) -> None:
        NodeRecord(
            pid=self.pid,
            token=launch.token,
            url=self.url,
            version=self.version,
            java=str(launch.java.home),
            archive=str(launch.archive),
            heap_mb=self.heap_mb,
            is_detached=is_detached,
        ).write(launch.folder)

    def _await(self, launch: Launch, process: OwnedProcess) -> str:
        """Wait until the node listens and its indices are recovered; return its URL."""
        give_up = time.monotonic() + self._start_timeout_s
        while time.monotonic() < give_up:
            status = process.exit_status()
            if status is not None:
                msg = f"the node ended at its start (exit status {status}); {_last_words(launch.log)}"
                raise NodeError(msg)
            url = node_status.announced_url(launch.ports_file)
            if url and node_status.is_recovered(url):
                return url
            time.sleep(POLL_S)
        msg = f"the node did not answer within {self._start_timeout_s:g} s; {_last_words(launch.log)}"
        raise NodeError(msg)

    def _forget(self, launch: Launch) -> None:
        """Tidy up after a process that has ended, or whose watchdog was killed and that has not."""
        record = NodeRecord.read(launch.folder)
        if record is not None:
            record.stop()
        record_file(launch.folder).unlink(missing_ok=True)
        if self.url:  # one that came up has loaded all its classes
            keep_archive(launch.fresh_archive, launch.archive)


def _order(launch: Launch) -> Order:
    user = node_user()
    return Order(
        command=launch.command(),
        folder=str(launch.folder),
        log=str(launch.log),
        environment={"LANG": "C.UTF-8", "PATH": os.defpath},  # JAVA_TOOL_OPTIONS and the like stay outside
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        grace_s=GRACE_S,
    )


def _last_words(log: Path) -> str:
    """Return the end of a node's log without the stack traces."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if line.strip() and not line.startswith("\t")]
    return "\n".join(["its last words:", *telling[-LAST_WORDS:]])
