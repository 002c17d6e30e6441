"""Fetching the distribution, against a repository of our own on this machine: a small archive in place of the real one.

That the real one works is what `test_node.py` shows.
"""

import hashlib
import io
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from storage.embedded import distribution
from storage.embedded.distribution import install
from storage.embedded.node_error import NodeError

VERSION = "9.9.9"


@dataclass
class Repository:
    """An artifact repository: files by the end of their path, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut_off_after: int | None = None

    def publish(self, archive: bytes, checksum: str | None = None) -> None:
        self.files = {
            f"opensearch-{VERSION}.zip": archive,
            f"opensearch-{VERSION}.zip.sha512": (checksum or hashlib.sha512(archive).hexdigest()).encode(),
        }


@pytest.fixture
def repository() -> Iterator[Repository]:
    """Give a running repository that has nothing yet."""
    state = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            state.asked.append(name)
            content = state.files.get(name)
            self.send_response(HTTPStatus.NOT_FOUND if content is None else HTTPStatus.OK)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: state.cut_off_after if name.endswith(".zip") else None])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def archive(extra: dict[str, str] | None = None) -> bytes:
    """Return a distribution with a file of each kind."""
    names = {
        "LICENSE.txt": "",
        "bin/opensearch": "",
        "lib/opensearch.jar": "classes" * 1000,
        "lib/tools/plugin-cli/cli.jar": "",
        "agent/opensearch-agent-bootstrap-9.jar": "",
        "agent/opensearch-agent.jar": "",
        "modules/lang-painless/painless.jar": "",
        "modules/analysis-common/analysis.jar": "",
        **(extra or {}),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in names.items():
            target.writestr(f"opensearch-{VERSION}/{name}", text)
    return buffer.getvalue()


def fetch(cache: Path, repository: Repository, **arguments: object) -> Path:
    return install(cache, VERSION, mirror=repository.url, **arguments)  # type: ignore[arg-type]


def test_the_parts_that_a_node_needs_are_unpacked(repository: Repository, tmp_path: Path) -> None:
    """Without the module that the packaged Java runtime cannot serve; the archive itself is not kept."""
    repository.publish(archive())
    home = fetch(tmp_path, repository)
    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert files == {
        "LICENSE.txt",
        "lib/opensearch.jar",
        "agent/opensearch-agent-bootstrap-9.jar",
        "modules/lang-painless/painless.jar",
    }
    assert not list(tmp_path.rglob("*.zip"))
    assert not list(tmp_path.glob("*.part-*"))


def test_a_second_start_asks_nobody(repository: Repository, tmp_path: Path) -> None:
    """The cache is enough, also without the package that downloads."""
    repository.publish(archive())
    home = fetch(tmp_path, repository)
    n_asked = len(repository.asked)
    assert fetch(tmp_path, repository) == home
    assert len(repository.asked) == n_asked


def test_progress_is_told_up_to_the_end(repository: Repository, tmp_path: Path) -> None:
    """Of the download and of the unpacking, in bytes."""
    repository.publish(archive())
    told: list[tuple[str, int, int]] = []
    fetch(tmp_path, repository, progress=lambda *step: told.append(step))
    size = len(repository.files[f"opensearch-{VERSION}.zip"])
    assert (f"Downloading OpenSearch {VERSION}", size, size) in told
    last_step, done, total = told[-1]
    assert (last_step, done) == (f"Unpacking OpenSearch {VERSION}", total)
    assert total >= 7000


def test_two_starters_at_once_download_once(repository: Repository, tmp_path: Path) -> None:
    """The second waits for the first and finds the folder."""
    repository.publish(archive())
    homes: list[Path] = []
    threads = [threading.Thread(target=lambda: homes.append(fetch(tmp_path, repository))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(homes) == 4
    assert len(set(homes)) == 1
    assert repository.asked.count(f"opensearch-{VERSION}.zip") == 1


def test_a_damaged_download_is_refused_and_thrown_away(repository: Repository, tmp_path: Path) -> None:
    """The downloading package only warns about it."""
    repository.publish(archive(), checksum="ab" * 64)
    with pytest.raises(NodeError, match=r"opensearch-9\.9\.9\.zip is damaged: .* abababab.* was published"):
        fetch(tmp_path, repository)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    repository.publish(archive())
    assert fetch(tmp_path, repository).is_dir()


def test_the_checksum_of_the_usual_version_is_our_own(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can change the archive in the repository can change the checksum beside it."""
    monkeypatch.setitem(distribution.SHA512, VERSION, "cd" * 64)
    repository.publish(archive())
    with pytest.raises(NodeError, match=r"is damaged: .* cdcdcdcd"):
        fetch(tmp_path, repository)
    assert distribution.VERSION in distribution.SHA512


def test_a_connection_that_breaks_off_is_not_taken_for_the_end(
    repository: Repository, tmp_path: Path
) -> None:
    """The archive is shorter than announced."""
    repository.publish(archive())
    repository.cut_off_after = 1000
    with pytest.raises(NodeError, match=r"cannot be downloaded .*connect to the network"):
        fetch(tmp_path, repository)


def test_nothing_cached_and_no_network(tmp_path: Path) -> None:
    """The message says what to do without one."""
    nobody = Repository(url="http://127.0.0.1:9")
    with pytest.raises(NodeError, match=r"not in the cache and cannot be downloaded .*OPENSEARCH_URL"):
        fetch(tmp_path, nobody)


def test_a_version_that_was_never_published(repository: Repository, tmp_path: Path) -> None:
    """The repository answers that it has no such file."""
    with pytest.raises(NodeError, match=r"OpenSearch 9\.9\.9 is not published .* another version"):
        fetch(tmp_path, repository)


def test_the_extra_is_named_when_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an ImportError."""
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(NodeError, match=r"pip install 'outrider\[embedded\]'"):
        install(tmp_path, VERSION)
