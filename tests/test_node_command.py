"""`outrider node`, on a real OpenSearch process."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from click.testing import CliRunner, Result

from detector.__main__ import main
from storage.embedded.node_error import NodeError
from storage.embedded.node_record import NodeRecord
from storage.embedded.node_status import stop_node
from storage.node import EmbeddedNode


@pytest.fixture
def run(
    node_folder: Path, embedded_node_factory: Callable[..., EmbeddedNode]
) -> Iterator[Callable[..., Result]]:
    """Give what runs `outrider node` on a folder; a node left running is stopped."""
    assert embedded_node_factory is not None

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["node", *arguments, "--data-folder", str(node_folder)])

    yield invoke
    with contextlib.suppress(NodeError):  # the node belongs to the test itself
        stop_node(node_folder)


def test_a_node_is_started_looked_at_and_stopped(run: Callable[..., Result], node_folder: Path) -> None:
    """Each command twice says so instead of failing."""
    started = run("start", "--heap", "256m")
    assert started.exit_code == 0, started.output
    facts = json.loads(run("status", "--format", "json").stdout)
    assert f"export OPENSEARCH_URL={facts['url']}\n" in started.stdout
    assert requests.get(facts["url"], timeout=10).json()["version"]["number"] == facts["version"]
    assert facts["state"] == "running"
    assert facts["health"] == "green"
    assert facts["heap"] == "256 MB"
    assert facts["data_folder"] == str(node_folder)
    again = run("start")
    assert f"process {facts['process']}," in again.stdout

    with pytest.raises(NodeError, match=r"a node runs on .* stop it with: outrider node stop --data-folder"):
        EmbeddedNode(node_folder, heap="256m").start()
    assert run("stop").stdout == "Stopped.\n"
    assert NodeRecord.read(node_folder) is None
    assert run("stop").stdout == "No node was running.\n"
    stopped = run("status")
    assert (stopped.exit_code, stopped.stdout.split()[:2]) == (3, ["state", "stopped"])


def test_a_failed_start_ends_the_command_with_the_reason(run: Callable[..., Result]) -> None:
    """No traceback."""
    result = run("start", "--heap", "64m")
    assert result.exit_code == 1
    assert "Error: heap '64m': expected a number with m or g, at least 256m" in result.output


def test_the_node_of_a_running_program_is_left_alone(
    run: Callable[..., Result], embedded_node_factory: Callable[..., EmbeddedNode], node_folder: Path
) -> None:
    """Neither stopped from outside nor taken for a stale one."""
    process = psutil.Process(embedded_node_factory(data_folder=node_folder).pid)
    assert run("status").exit_code == 0
    in_use = "in use by another running program: end it, or name another folder"
    for command in ("start", "stop"):
        result = run(command)
        assert (result.exit_code, in_use in result.output) == (1, True), result.output
    with pytest.raises(NodeError, match=in_use):
        embedded_node_factory(data_folder=node_folder)
    assert process.is_running()
