"""Looks whether this machine has room for a node before one is started; must not know how one is started."""

import re
import socket
from pathlib import Path

import psutil

from storage.embedded.node_cache import ensure_free
from storage.embedded.node_error import NodeError

SMALLEST_HEAP_MB = 256
OVERHEAD_MB = 300
"""Memory that Java takes beside its heap: 150 MB measured under load, and buffers for the network."""

NEEDED_DISK_BYTES = 256 << 20
"""Free space below which no node is started: a disk that fills up costs data."""

CGROUP = Path("/sys/fs/cgroup")
"""Limits of the container, if this is one with its own control group."""


def heap_megabytes(heap: str) -> int:
    """Read a heap size such as ``512m`` or ``1g``, in MiB."""
    found = re.fullmatch(r"(\d+)([mg])", heap.strip().lower())
    megabytes = int(found[1]) * {"m": 1, "g": 1024}[found[2]] if found else 0
    if megabytes < SMALLEST_HEAP_MB:
        msg = (
            f"heap {heap!r}: expected a number with m or g, at least {SMALLEST_HEAP_MB}m, such as 512m or 1g"
        )
        raise NodeError(msg)
    return megabytes


def ensure_room(folder: Path, heap_mb: int, port: int) -> None:
    """Raise NodeError unless there are disk space, memory and the port for a node."""
    ensure_free(folder, NEEDED_DISK_BYTES)
    ensure_memory(heap_mb, available_megabytes())
    if port:
        ensure_port(port)


def ensure_memory(heap_mb: int, available_mb: int) -> None:
    """Raise NodeError unless a node with that heap fits into the free memory."""
    needed_mb = heap_mb + OVERHEAD_MB
    if available_mb < needed_mb:
        msg = (
            f"too little memory: a node with a heap of {heap_mb} MB takes {needed_mb} MB, and {available_mb} MB "
            f"are free; end other programs, or choose a smaller heap (at least {SMALLEST_HEAP_MB}m)"
        )
        raise NodeError(msg)


def available_megabytes(cgroup: Path = CGROUP) -> int:
    """Return the memory that can still be taken, in MiB: what the machine or the container has left."""
    free: int = psutil.virtual_memory().available
    limit = cgroup / "memory.max"
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        cached = int(stat["active_file"]) + int(stat["inactive_file"])  # given up when memory is short
        free = min(free, int(text) - int((cgroup / "memory.current").read_text()) + cached)
    return free >> 20


def ensure_port(port: int) -> None:
    """Raise NodeError when a program listens on that port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            msg = f"port {port} cannot be used ({error}): choose another one, or 0 for any that is free"
            raise NodeError(msg) from error
