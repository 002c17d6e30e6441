"""Compiled code on disk: it is used again, and what another release has left never stops this one."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numba
import pytest

MODULE = """
from detector.forest.kernels.kernel import kernel

@kernel
def twice(number):
    return 2 * number

print(twice(21), sum(twice.stats.cache_hits.values()))
"""


@pytest.fixture
def run(tmp_path: Path):
    """Return what runs the module in a process of its own, with a cache of its own."""
    path = tmp_path / "module.py"
    path.write_text(MODULE, encoding="utf-8")

    def run() -> str:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, str(path)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout.strip()

    return run


def test_what_was_compiled_is_used_again(run) -> None:
    """In another process."""
    assert run() == "42 0"
    assert run() == "42 1"


def test_an_index_of_another_release_is_not_read(run, tmp_path: Path) -> None:
    """It holds types by name, and a type that is gone would be an error at every start."""
    run()
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    gone = b"cdetector.model.routine\nGone\n."
    index.write_bytes(pickle.dumps(numba.__version__) + gone)
    with pytest.raises(AttributeError, match="Gone"):
        pickle.loads(gone)
    assert run() == "42 0"
    assert run() == "42 1"
