"""Fetches the OpenSearch distribution, verifies it and unpacks the parts that the embedded node runs on.

Knows the artifact and its modules; must not know how a node is started.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import requests

from storage.embedded.node_cache import build_once
from storage.embedded.node_error import NodeError

VERSION = "3.8.0"
"""The OpenSearch version that is started unless another is asked for."""

GROUP, NAME = "org.opensearch.distribution.integ-test-zip", "opensearch"

SHA512 = {
    "3.8.0": "8470fc447309e84216f9359030db53a85b087492e161e5ce1a29276e776d4725"
    "b802f93ba8d218ea88e4a7999addadb863be93b8e1f89e9a292163e636e62de3",
}
"""Checksums written down here; of other versions the published one is fetched."""

MODULES = (
    "aggs-matrix-stats",
    "geo",
    "ingest-common",
    "lang-expression",
    "lang-mustache",
    "lang-painless",
    "mapper-extras",
    "parent-join",
    "reindex",
    "transport-netty4",
)
"""Modules that are unpacked: those that mappings, queries and pipelines of ordinary indices use.

The others are half of the distribution. Left out on purpose is analysis-common: it needs text tables that the
packaged Java runtime lacks, and no index can be created while it is there; nothing depends on it.
"""

RECIPE = 1
"""Rises when other parts are unpacked, so that an older cached folder is not used."""

NEEDED_BYTES = 400 << 20
"""Disk space at the peak: the archive and the unpacked parts."""

NETWORK_TIMEOUT_S = 60


class Progress(Protocol):
    """Told about long steps, so that a caller can show a bar."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` bytes are done; ``total`` is 0 while it is not known."""


def no_progress(step: str, done: int, total: int) -> None:
    """Show nothing."""


def install(cache: Path, version: str = VERSION, progress: Progress = no_progress, mirror: str = "") -> Path:
    """Return the home folder of an unpacked distribution, fetching it when it is not in the cache.

    Parameters
    ----------
    cache
        Folder for downloads.
    version
        OpenSearch version, such as ``3.8.0``.
    progress
        Told about the download and the unpacking.
    mirror
        URL of an artifact repository to use in place of the public one.

    Raises
    ------
    NodeError
        No network, no such version, a checksum that differs, a full disk.
    """

    def build(scratch: Path) -> None:
        archive = _fetch(scratch / "download", version, progress, mirror)
        _unpack(archive, scratch / "home", version, progress)
        shutil.rmtree(scratch / "download")

    return build_once(cache / f"opensearch-{version}-{RECIPE}", NEEDED_BYTES, build) / "home"


def _fetch(folder: Path, version: str, progress: Progress, mirror: str) -> Path:
    try:
        return _download(folder, version, progress, mirror)
    except requests.RequestException as error:
        msg = (
            f"OpenSearch {version} is not in the cache and cannot be downloaded ({error}): "
            "connect to the network for the first start, or set OPENSEARCH_URL to use a cluster of your own"
        )
        raise NodeError(msg) from error
    except RuntimeError as error:  # jgo's word for an artifact that no repository has
        msg = f"OpenSearch {version} is not published as an artifact ({error}): choose another version"
        raise NodeError(msg) from error


def _download(folder: Path, version: str, progress: Progress, mirror: str) -> Path:
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        msg = "the embedded OpenSearch node needs an extra: pip install 'outrider[embedded]'"
        raise NodeError(msg) from error
    context = MavenContext(
        repo_cache=folder,
        remote_repos={"mirror": mirror} if mirror else None,
        timeout=NETWORK_TIMEOUT_S,
        resolver=PythonResolver(progress_callback=_report(progress, f"Downloading OpenSearch {version}")),
    )
    component = context.project(GROUP, NAME).at_version(version)
    archive: Path = component.artifact(packaging="zip").resolve()
    # jgo only warns when a checksum differs
    expected = SHA512.get(version) or component.artifact(packaging="zip.sha512").resolve().read_text()
    _verify(archive, expected.split()[0])
    return archive


def _report(
    progress: Progress, step: str
) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    @contextmanager
    def follow(_filename: str, total: int) -> Iterator[Callable[[int], None]]:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(step, done, total)

        yield advance

    return follow


def _verify(archive: Path, expected: str) -> None:
    with archive.open("rb") as file:
        actual = hashlib.file_digest(file, "sha512").hexdigest()
    if actual != expected:
        msg = (
            f"the download {archive.name} is damaged: its SHA-512 is {actual[:16]}…, "
            f"{expected[:16]}… was published; it was thrown away, start again"
        )
        raise NodeError(msg)


def _unpack(archive: Path, home: Path, version: str, progress: Progress) -> None:
    with zipfile.ZipFile(archive) as source:
        members = [member for member in source.infolist() if _is_wanted(member.filename)]
        total, done = sum(member.file_size for member in members), 0
        for member in members:
            source.extract(member, home.parent)
            done += member.file_size
            progress(f"Unpacking OpenSearch {version}", done, total)
    (home.parent / f"opensearch-{version}").rename(home)
    for name in (
        "bin",
        "lib",
        "modules",
        "plugins",
    ):  # the node wants to see them, and its user may not make them
        (home / name).mkdir(exist_ok=True)


def _is_wanted(name: str) -> bool:
    """Tell whether a member ``opensearch-<version>/<part>/…`` is needed to run a node."""
    match name.split("/")[1:]:
        case [top] if top.endswith(".txt"):
            return True
        case ["lib", jar]:
            return jar.endswith(".jar")
        case ["agent", jar]:
            return jar.startswith("opensearch-agent-bootstrap")  # classes that the server refers to
        case ["modules", module, *_]:
            return module in MODULES
    return False
