"""Room for a node: heap, memory, disk and port."""

import shutil
import socket
from pathlib import Path

import psutil
import pytest

from storage.embedded import preflight
from storage.embedded.node_error import NodeError


@pytest.mark.parametrize(("heap", "megabytes"), [("512m", 512), ("1g", 1024), ("2G", 2048), (" 256M ", 256)])
def test_a_heap_is_read(heap: str, megabytes: int) -> None:
    """As Java takes it."""
    assert preflight.heap_megabytes(heap) == megabytes


@pytest.mark.parametrize("heap", ["", "1", "255m", "1.5g", "1t", "-1g", "g", "1gb"])
def test_a_heap_that_is_none_or_too_small_is_refused(heap: str) -> None:
    """With what was expected."""
    with pytest.raises(NodeError, match=r"heap '.*': expected a number with m or g, at least 256m"):
        preflight.heap_megabytes(heap)


def test_memory_counts_the_heap_and_what_java_takes_beside_it() -> None:
    """The message names both sides."""
    preflight.ensure_memory(1024, 1324)
    with pytest.raises(NodeError, match=r"heap of 1024 MB takes 1324 MB, and 1323 MB are free"):
        preflight.ensure_memory(1024, 1323)


def test_the_memory_of_a_container_is_its_limit(tmp_path: Path) -> None:
    """What it holds of files is given up when memory is short, so it counts as free."""
    machine = psutil.virtual_memory().available >> 20
    assert preflight.available_megabytes(tmp_path) == pytest.approx(machine, rel=0.2)
    (tmp_path / "memory.current").write_text(str(300 << 20))
    (tmp_path / "memory.stat").write_text(f"anon 1\nactive_file {60 << 20}\ninactive_file {40 << 20}\n")
    (tmp_path / "memory.max").write_text(str(512 << 20))
    assert preflight.available_megabytes(tmp_path) == 312
    (tmp_path / "memory.max").write_text("max\n")
    assert preflight.available_megabytes(tmp_path) == pytest.approx(machine, rel=0.2)


def test_a_nearly_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before data are lost."""
    preflight.ensure_room(tmp_path, 256, 0)
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(NodeError, match=r"disk full: .* has 1 MB free and 256 MB are needed"):
        preflight.ensure_room(tmp_path, 256, 0)


def test_a_port_that_is_taken_or_none_is_refused() -> None:
    """And a free one is not."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(NodeError, match=rf"port {port} cannot be used"):
            preflight.ensure_port(port)
    preflight.ensure_port(port)
    with pytest.raises(NodeError, match="port 70000 cannot be used"):
        preflight.ensure_port(70_000)
