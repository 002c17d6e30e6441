"""As whom the node runs, and what that user has to be able to reach."""

import os
import pwd
from pathlib import Path

import pytest

from storage.embedded import node_user
from storage.embedded.node_error import NodeError


@pytest.fixture
def _is_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_who_is_not_root_runs_the_node_as_oneself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And there is nothing to reach or to give away."""
    tmp_path.chmod(0o700)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert node_user.node_user() is None
    node_user.ensure_reachable(tmp_path)
    node_user.give_to_node(tmp_path)
    assert tmp_path.stat().st_uid == owner


@pytest.mark.usefixtures("_is_root")
def test_root_runs_the_node_as_somebody_else() -> None:
    """OpenSearch refuses to run as root."""
    user = node_user.node_user()
    assert user is not None
    assert user.pw_uid != 0


@pytest.mark.usefixtures("_is_root")
def test_root_is_told_when_there_is_nobody_to_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the smallest of containers."""
    monkeypatch.setattr(node_user, "UNPRIVILEGED_USER", "no-such-user")
    with pytest.raises(NodeError, match=r"there is no user 'no-such-user': be another user"):
        node_user.node_user()


@pytest.mark.usefixtures("_is_root")
def test_a_private_folder_on_the_way_is_named(tmp_path: Path) -> None:
    """It is seldom the last one."""
    private = tmp_path / "private"
    (private / "inner").mkdir(parents=True)
    private.chmod(0o700)
    with pytest.raises(
        NodeError, match=r"the user 'nobody' cannot enter .*private: use a place that everyone"
    ):
        node_user.ensure_reachable(private / "inner")


@pytest.mark.usefixtures("_is_root")
def test_folders_made_by_root_can_be_entered_by_everyone(tmp_path: Path) -> None:
    """Whatever the umask, the ones on the way too; those that were there stay as they are."""
    tmp_path.chmod(0o700)
    umask = os.umask(0o077)
    try:
        folder = node_user.make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent, tmp_path)] == [
        0o755,
        0o755,
        0o700,
    ]


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node of root's wrote it, say, and now somebody else starts."""
    owner = pwd.getpwuid(tmp_path.stat().st_uid)
    monkeypatch.setattr(os, "geteuid", lambda: owner.pw_uid + 54_321)
    would_run = rf"would run as {owner.pw_uid + 54_321}"
    with pytest.raises(NodeError, match=rf"belongs to the user {owner.pw_name}, and the node {would_run}"):
        node_user.ensure_owned(tmp_path)
