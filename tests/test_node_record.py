"""The record of a data folder: who serves it, and who may touch it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.embedded.node_error import NodeError
from storage.embedded.node_record import NodeRecord, hold, record_file

TOKEN = "-Dnode=5f3c"


def record(pid: int, token: str = "5f3c") -> NodeRecord:
    return NodeRecord(
        pid=pid,
        token=token,
        url="http://127.0.0.1:9",
        version="3.8.0",
        java="/java",
        archive="/archive",
        heap_mb=256,
        is_detached=True,
    )


@contextmanager
def running(program: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run a program that has the token on its command line and has begun."""
    command = [sys.executable, "-c", f"{program}\nprint(flush=True)\nimport time; time.sleep(600)", TOKEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And is none before."""
    assert NodeRecord.read(tmp_path) is None
    record(1).write(tmp_path)
    assert NodeRecord.read(tmp_path) == record(1)


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    """Rather than a running node forgotten."""
    for text in ("{", '{"pid": 1}'):
        record_file(tmp_path).write_text(text)
        with pytest.raises(NodeError, match=r"node\.json is damaged .*then delete the file"):
            NodeRecord.read(tmp_path)


def test_a_number_that_was_given_to_another_process_is_left_alone() -> None:
    """The kernel uses numbers again."""
    with running() as stranger:
        other = record(stranger.pid, token="another")
        assert other.process() is None
        assert other.stop() is False
        assert stranger.poll() is None


def test_a_recorded_process_is_stopped() -> None:
    """Also one whose parent does not collect it, as here."""
    with running() as process:
        assert record(process.pid).stop() is True
        assert record(process.pid).stop() is False
        assert process.wait() == -15


def test_a_recorded_process_that_does_not_listen_is_killed() -> None:
    """After its time of grace."""
    with running("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)") as process:
        assert record(process.pid).stop(grace_s=0.3) is True
        assert process.wait() == -9


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """Until it lets go."""
    with hold(tmp_path), pytest.raises(NodeError, match="in use by another running program"):
        hold(tmp_path)
    hold(tmp_path).close()
