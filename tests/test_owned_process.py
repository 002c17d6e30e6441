"""A process that ends with its owner, on small programs instead of a node."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from storage.embedded.node_error import NodeError
from storage.embedded.owned_process import OwnedProcess
from storage.embedded.watchdog import Order

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + SLEEP

OWNER = """
import json, sys, time
from storage.embedded.owned_process import OwnedProcess
print(OwnedProcess(json.loads(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


def order(folder: Path, program: str, grace_s: float = 30.0) -> Order:
    return Order(
        command=[sys.executable, "-c", program],
        folder=str(folder),
        log=str(folder / "log"),
        environment={"WORD": "kept"},
        user=None,
        group=None,
        grace_s=grace_s,
    )


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)


def test_a_process_runs_in_a_session_of_its_own_and_ends_when_told(tmp_path: Path) -> None:
    """With nothing but the given environment."""
    program = "import os; print(os.getcwd(), os.environ['WORD'], 'HOME' in os.environ, flush=True); " + SLEEP
    process = OwnedProcess(order(tmp_path, program))
    assert os.getsid(process.pid) == process.pid
    assert process.exit_status() is None
    wait_until((tmp_path / "log").read_text)
    assert (tmp_path / "log").read_text() == f"{tmp_path} kept False\n"
    process.end()
    assert not psutil.pid_exists(process.pid)


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """After its time of grace."""
    process = OwnedProcess(order(tmp_path, STUBBORN, grace_s=0.3))
    wait_until((tmp_path / "log").read_text)
    process.end()
    assert not psutil.pid_exists(process.pid)


@pytest.mark.parametrize(
    ("program", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_the_exit_status_of_a_process_that_ended_by_itself_is_told(
    tmp_path: Path, program: str, status: int
) -> None:
    """Negative for a signal."""
    process = OwnedProcess(order(tmp_path, program))
    wait_until(lambda: process.exit_status() is not None)
    assert process.exit_status() == status
    process.end()


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    """With the reason of the operating system."""
    wish = order(tmp_path, "")
    wish["command"] = ["/nowhere/java"]
    with pytest.raises(
        NodeError, match=r"could not be started: .*No such file or directory: '/nowhere/java'"
    ):
        OwnedProcess(wish)


def test_a_killed_owner_takes_its_process_along(tmp_path: Path) -> None:
    """The kernel closes the pipe."""
    import json

    command = [sys.executable, "-c", OWNER, json.dumps(order(tmp_path, SLEEP))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    wait_until(lambda: not process.is_running())


def test_a_process_that_was_let_go_outlives_its_owner(tmp_path: Path) -> None:
    """Until somebody stops it."""
    owned = OwnedProcess(order(tmp_path, SLEEP))
    owned.let_go()
    process = psutil.Process(owned.pid)
    assert process.status() != psutil.STATUS_ZOMBIE
    process.kill()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
