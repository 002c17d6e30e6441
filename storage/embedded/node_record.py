"""Remembers which process serves a data folder, and who may touch it.

An owner holds the lock of the folder as long as it lives; the kernel lets go of it however the owner ends. So
a recorded process whose folder is not locked was either left running on purpose or is stale.
Must not know how a node is started.
"""

import contextlib
import fcntl
import json
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

import psutil

from storage.embedded.node_error import NodeError

GRACE_S = 30.0
"""Seconds between asking a node to end and killing it."""

POLL_S = 0.05


@dataclass(frozen=True)
class NodeRecord:
    """A started node.

    Attributes
    ----------
    pid, token
        Process number, and the word on its command line that proves that the number was not given to another.
    url
        Where it answers; empty while it starts.
    version
        OpenSearch version.
    java
        Home of the Java runtime.
    archive
        Where its archive of classes belongs.
    heap_mb
        Java heap in MiB.
    is_detached
        Left running on purpose when its starter ended.
    """

    pid: int
    token: str
    url: str
    version: str
    java: str
    archive: str
    heap_mb: int
    is_detached: bool

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the record of a data folder, None when there is none."""
        path = record_file(folder)
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError) as error:
            msg = (
                f"{path} is damaged ({error}): end the node's process if one still runs, then delete the file"
            )
            raise NodeError(msg) from error

    def write(self, folder: Path) -> None:
        """Record the node, whole or not at all."""
        scratch = record_file(folder).with_suffix(".part")
        scratch.write_text(json.dumps(asdict(self), indent=1))
        scratch.rename(record_file(folder))

    def process(self) -> psutil.Process | None:
        """Return the process if it runs and is still the recorded one."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if any(
                self.token in word for word in process.cmdline()
            ):  # empty for a dead one not yet collected
                return process
        return None

    def stop(self, grace_s: float = GRACE_S) -> bool:
        """End the process and wait until it is gone; tell whether there was one.

        Raises
        ------
        NodeError
            It belongs to another user, or does not go.
        """
        if self.process() is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._send(number)
            give_up = time.monotonic() + grace_s
            while time.monotonic() < give_up:
                if self.process() is None:
                    return True
                time.sleep(POLL_S)
        msg = f"the node's process {self.pid} does not end, not even when killed: restart the machine"
        raise NodeError(msg)

    def _send(self, number: signal.Signals) -> None:
        process = self.process()
        try:
            if process is not None:
                process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied as error:
            msg = f"process {self.pid} belongs to another user: stop the node as who started it"
            raise NodeError(msg) from error


def record_file(folder: Path) -> Path:
    """Return where the record of a data folder is."""
    return folder / "node.json"


def hold(folder: Path) -> IO[str]:
    """Take the lock of a data folder; closing the returned file lets go of it.

    Raises
    ------
    NodeError
        A running program owns the node of this folder.
    """
    file = (folder / "node.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        msg = f"the data folder {folder} is in use by another running program: end it, or name another folder"
        raise NodeError(msg) from error
    return file
