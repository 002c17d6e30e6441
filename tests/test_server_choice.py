"""Which tests a run collects, depending on the server that was chosen."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def collect(*arguments: str, **environment: str) -> tuple[int, str]:
    """Collect the tests of the node in a run of its own; return its exit code and what it printed."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    finished = subprocess.run(
        [*command, "tests/test_node.py"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


def test_tests_that_need_nodes_of_their_own_are_not_collected_elsewhere() -> None:
    """Not skipped either."""
    for code, said in (
        collect("--opensearch=docker"),
        collect(OUTRIDER_TEST_OPENSEARCH="http://127.0.0.1:9"),
    ):
        assert code == 0, said
        assert "test_the_shared_server_takes_bulks_and_aggregates_them" in said
        assert "test_data_outlive_the_node" not in said
        assert " deselected" in said
        assert "skipped" not in said


def test_the_embedded_server_runs_everything() -> None:
    """It is also what auto means where its packages are installed."""
    code, said = collect("--opensearch=embedded", OUTRIDER_TEST_OPENSEARCH="docker")
    assert (code, "test_data_outlive_the_node" in said, "deselected" in said) == (0, True, False), said
    assert collect("--opensearch=auto")[1].splitlines()[:-1] == said.splitlines()[:-1]


def test_a_server_that_is_none_is_refused() -> None:
    """With the choices."""
    code, said = collect("--opensearch=podman")
    assert code != 0
    assert "--opensearch=podman: expected auto, embedded, docker or a URL" in said
