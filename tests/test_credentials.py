"""Credentials: where a secret is read, and when it is read again."""

import os
import threading
from pathlib import Path

import pytest
import requests

from storage.cluster import Cluster
from storage.credentials import SecretFile, http_auth
from storage.errors import Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("first\n")
    return path


def test_a_secret_is_read_again_only_when_the_file_changed(path: Path) -> None:
    """Same size and same time mean the same secret; a request does not cost a read."""
    secret = SecretFile(path)
    assert secret() == "first"
    before = path.stat()
    path.write_text("other\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert secret() == "first"
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert secret() == "other"


def test_a_moved_link_is_a_change(tmp_path: Path) -> None:
    """Kubernetes changes a mounted secret by moving a link to a folder; size and time may be equal."""
    for name, text in (("1", "first"), ("2", "other")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "token").write_text(text)
        os.utime(folder / "token", ns=(1, 1))
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "1")
    secret = SecretFile(link / "token")
    assert secret() == "first"
    link.unlink()
    link.symlink_to(tmp_path / "2")
    assert secret() == "other"


def test_a_vanished_or_empty_file_is_unavailable_until_it_is_back(path: Path) -> None:
    """No old secret is used in silence; the file may be in the middle of being replaced."""
    secret = SecretFile(path)
    path.unlink()
    with pytest.raises(Unavailable, match=r"cannot read the secret in .*secret: No such file"):
        secret()
    path.write_text(" \n")
    with pytest.raises(Unavailable, match=r"secret file .*secret is empty"):
        secret()
    path.write_text("back")
    assert secret() == "back"


def test_a_file_that_is_no_text_is_refused_without_showing_it(path: Path) -> None:
    """A decoding error would quote the bytes."""
    path.write_bytes(b"geheim\xff")
    with pytest.raises(Unavailable, match="not UTF-8") as caught:
        SecretFile(path)()
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("is_requests", [False, True])
@pytest.mark.parametrize("text", ["geheim\nzwei", "geheim\x00", "geheimé"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(
    path: Path, text: str, *, is_requests: bool
) -> None:
    """The libraries would quote it."""
    path.write_text(text, "utf-8")
    auth = http_auth(Cluster(url="http://h", token_file=path), is_requests=is_requests)
    request = requests.Request("GET", "http://h").prepare()
    with pytest.raises(Unavailable, match=r"token in .*secret is not one line of printable ASCII") as caught:
        auth(request) if is_requests else auth("GET", "http://h", None)
    assert "geheim" not in str(caught.value)


def test_many_threads_read_one_secret(path: Path) -> None:
    """Detectors share the client."""
    secret = SecretFile(path)
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.extend(secret() for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["first"] * 400


def test_nothing_shows_the_secret(path: Path) -> None:
    """The objects hang on the client, whose repr may reach a log."""
    path.write_text("geheim")
    secret = SecretFile(path)
    secret()
    for cluster in (
        Cluster(url="http://h", username="u", password="geheim"),
        Cluster(url="http://h", token_file=path),
    ):
        for is_requests in (False, True):
            auth = http_auth(cluster, is_requests=is_requests)
            assert auth is not None
            assert "geheim" not in repr(auth) + repr(vars(auth)) + repr(vars(secret))


def test_without_authentication_there_is_nothing_to_send() -> None:
    """A client certificate is shown by TLS."""
    assert http_auth(Cluster(url="http://h"), is_requests=False) is None
