"""Folders that appear whole or not at all, and what a full or foreign disk looks like."""

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from storage.embedded.node_cache import ROOT_CACHE, ROOT_DATA, build_once, cache_folder, default_data_folder
from storage.embedded.node_error import NodeError


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns, in bytes."""

    total: int
    used: int
    free: int


def fill(folder: Path) -> None:
    (folder / "file").write_text("whole")


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    """The second call does not build."""
    target = build_once(tmp_path / "deep" / "target", 0, fill)
    assert (target / "file").read_text() == "whole"
    assert build_once(target, 0, lambda folder: pytest.fail(str(folder))) == target


def test_a_build_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    """Half a folder would be taken for a whole one."""

    def fail(folder: Path) -> None:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once(tmp_path / "target", 0, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["target.lock"]


def test_what_a_killed_builder_left_is_cleared_away(tmp_path: Path) -> None:
    """Or 160 MB stay for ever."""
    (tmp_path / "target.part-dead").mkdir()
    build_once(tmp_path / "target", 0, fill)
    assert not (tmp_path / "target.part-dead").exists()


def test_everyone_can_read_the_result_whatever_the_umask(tmp_path: Path) -> None:
    """Root's node runs as another user."""

    def build(folder: Path) -> None:
        (folder / "bin").mkdir()
        (folder / "bin" / "java").touch(mode=0o700)
        fill(folder / "bin")

    umask = os.umask(0o077)
    try:
        target = build_once(tmp_path / "target", 0, build)
    finally:
        os.umask(umask)
    modes = [path.stat().st_mode & 0o777 for path in (target, target / "bin/java", target / "bin/file")]
    assert modes == [0o755, 0o755, 0o644]


def test_a_disk_with_too_little_room_is_refused_before_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how much is there and how much is needed."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 5 << 20))
    with pytest.raises(
        NodeError, match=r"disk full: .* has 5 MB free and 400 MB are needed; .*OUTRIDER_CACHE"
    ):
        build_once(tmp_path / "target", 400 << 20, lambda folder: pytest.fail(str(folder)))


def test_a_disk_that_fills_up_during_the_build(tmp_path: Path) -> None:
    """Somebody else may have taken the room."""

    def fail(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "file"))

    with pytest.raises(NodeError, match=r"disk full while writing .*file: free some space"):
        build_once(tmp_path / "target", 0, fail)
    assert not (tmp_path / "target").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Here because a file is in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(NodeError, match=r"cannot write .*file.*: name a folder that is yours"):
        build_once(tmp_path / "file" / "target", 0, fill)


def test_the_default_folders_follow_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of root are where another user can read them."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    environ = {"XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "/d"}
    assert cache_folder(environ) == Path("/c/outrider")
    assert default_data_folder(environ) == Path("/d/outrider/node")
    assert cache_folder({}) == Path.home() / ".cache/outrider"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (cache_folder(environ), default_data_folder(environ)) == (ROOT_CACHE, ROOT_DATA / "node")
    assert cache_folder({"OUTRIDER_CACHE": "/mine"}) == Path("/mine")
