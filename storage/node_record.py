"""Remembers which process serves a data folder, and who may touch it.

An owner holds the lock of the folder as long as it lives: the kernel lets go of it however the owner ends. So a
recorded process whose folder is not locked was either left running on purpose or is stale.
Must not know how a node is started.
"""

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

import psutil

from storage.node_error import NodeError
from storage.watchdog import find_process


@dataclass(frozen=True)
class NodeRecord:
    """A started node.

    Attributes
    ----------
    pid, token
        Process number, and the word on its command line that proves that the number was not given to another.
    url
        Where it answers.
    version
        OpenSearch version.
    java
        Java home that it runs on.
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
    heap_mb: int
    is_detached: bool

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the record of a data folder, None when there is none."""
        path = record_file(folder)
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
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
        """Return the process if it runs."""
        return find_process(self.pid, self.token)


def record_file(folder: Path) -> Path:
    """Return where the record of a data folder is."""
    return folder / "node.json"


def hold(folder: Path) -> IO[str]:
    """Take the lock of a data folder; closing the returned file lets go of it.

    Raises
    ------
    NodeError
        Another process owns the node of this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "node.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        msg = f"the data folder {folder} is in use by another running program: end it, or name another folder"
        raise NodeError(msg) from error
    return file
