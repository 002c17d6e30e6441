"""Where the embedded node keeps what it downloaded and what it stores, and how a folder gets there whole.

Knows folders, locks and disk space; must not know what is inside the folders.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from storage.embedded.node_error import NodeError
from storage.embedded.node_user import make_folder

CACHE_VARIABLE = "OUTRIDER_CACHE"
"""Environment variable that names another folder for downloads."""

ROOT_CACHE = Path("/var/cache/outrider")
ROOT_DATA = Path("/var/lib/outrider")
"""Used by root: the node then runs as another user, who cannot look into root's home."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for downloads: ``OUTRIDER_CACHE``, else the user's cache folder."""
    if environ.get(CACHE_VARIABLE):
        return Path(environ[CACHE_VARIABLE]).expanduser().absolute()
    if os.geteuid() == 0:
        return ROOT_CACHE
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outrider"


def default_data_folder(environ: Mapping[str, str]) -> Path:
    """Return the data folder of the node that belongs to the command line."""
    if os.geteuid() == 0:
        return ROOT_DATA / "node"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "outrider" / "node"


def build_once(target: Path, needed_bytes: int, build: Callable[[Path], None]) -> Path:
    """Make the folder ``target`` unless it exists; it appears whole or not at all.

    Parameters
    ----------
    target
        The folder; two processes that want it at once wait for each other.
    needed_bytes
        Free space that building it takes at its peak.
    build
        Fills the empty folder that it is given, a sibling of ``target``.

    Raises
    ------
    NodeError
        The disk is too full, or the folder cannot be written.
    """
    if target.is_dir():
        return target
    with translate_disk_errors(target.parent):
        make_folder(target.parent)
        with _locked(target.with_name(f"{target.name}.lock")):
            if not target.is_dir():
                ensure_free(target.parent, needed_bytes)
                _build(target, build)
    return target


@contextmanager
def translate_disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that may not be written, into a NodeError."""
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            msg = f"disk full while writing {place}: free some space and start again"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            msg = f"cannot write {place} ({error.strerror}): name a folder that is yours"
        else:
            raise
        raise NodeError(msg) from error


def ensure_free(folder: Path, needed_bytes: int) -> None:
    """Raise NodeError unless the file system of ``folder`` has that much room."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        msg = (
            f"disk full: {folder} has {free >> 20} MB free and {needed_bytes >> 20} MB are needed; free some "
            f"space, or use another disk ({CACHE_VARIABLE} names the folder for downloads)"
        )
        raise NodeError(msg)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(target: Path, build: Callable[[Path], None]) -> None:
    for leftover in target.parent.glob(f"{target.name}.part-*"):
        shutil.rmtree(leftover)  # of a builder that was killed: the lock is ours, so it cannot be alive
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.part-", dir=target.parent))
    try:
        build(scratch)
        _let_everyone_read(scratch)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _let_everyone_read(folder: Path) -> None:
    """Undo a strict umask: when root starts the node, another user has to read these files."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
