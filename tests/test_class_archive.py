"""The archive of classes: used when there, written when not, and never at the price of a start."""

from pathlib import Path

from storage.embedded.class_archive import archive_flags, archive_path, keep_archive
from storage.embedded.jvm import Java


def java(home: Path, release_text: str) -> Java:
    home.mkdir(exist_ok=True)
    (home / "release").write_text(release_text)
    return Java(home, 25, "test")


def test_each_distribution_and_runtime_has_an_archive_of_its_own(tmp_path: Path) -> None:
    """Java ignores another's, and then every start would be slow."""
    home, other_home = tmp_path / "opensearch-1" / "home", tmp_path / "opensearch-2" / "home"
    first = archive_path(tmp_path, home, java(tmp_path / "java", "25.0.1"))
    assert first == archive_path(tmp_path, home, java(tmp_path / "java", "25.0.1"))
    paths = {
        first,
        archive_path(tmp_path, other_home, java(tmp_path / "java", "25.0.1")),
        archive_path(tmp_path, home, java(tmp_path / "java", "25.0.2")),
        archive_path(tmp_path, home, java(tmp_path / "other", "25.0.1")),
    }
    assert len(paths) == 4


def test_a_run_without_archive_writes_one_for_the_next(tmp_path: Path) -> None:
    """Which uses it."""
    fresh, archive = tmp_path / "fresh", tmp_path / "cache" / "archive"
    archive.parent.mkdir()
    assert archive_flags(archive, fresh) == [f"-XX:ArchiveClassesAtExit={fresh}"]
    fresh.write_bytes(b"classes")
    keep_archive(fresh, archive)
    assert archive.read_bytes() == b"classes"
    assert archive_flags(archive, fresh) == [f"-XX:SharedArchiveFile={archive}"]


def test_a_run_that_left_nothing_leaves_the_cache_as_it_is(tmp_path: Path) -> None:
    """It was killed, perhaps."""
    keep_archive(tmp_path / "fresh", tmp_path / "archive")
    assert not list(tmp_path.iterdir())


def test_a_link_in_place_of_an_archive_is_not_followed(tmp_path: Path) -> None:
    """It could lead root, who copies, to what the node's user must not read."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "fresh").symlink_to(tmp_path / "secret")
    keep_archive(tmp_path / "fresh", tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


def test_a_cache_that_cannot_be_written_only_costs_speed(tmp_path: Path) -> None:
    """The data were stored, and the node has ended in order."""
    (tmp_path / "fresh").write_bytes(b"classes")
    keep_archive(tmp_path / "fresh", tmp_path / "no-such-folder" / "archive")
    assert not (tmp_path / "no-such-folder").exists()
