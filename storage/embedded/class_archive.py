"""Makes later starts of the embedded node twice as quick: Java keeps the classes that it loaded.

The first run that ends in order leaves an archive of its loaded and verified classes (class data sharing),
which the next ones map into memory. Java ignores an archive that does not fit, so it can be missing or wrong at
no harm.
Must not know how the node is started.
"""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

from storage.embedded.jvm import Java


def archive_path(cache: Path, home: Path, java: Java) -> Path:
    """Return where the archive for a distribution and a Java runtime is, or will be."""
    build = hashlib.sha256(f"{java.home}\n{(java.home / 'release').read_text()}".encode()).hexdigest()[:12]
    return cache / f"{home.parent.name}-java-{java.release}-{build}.jsa"


def archive_flags(archive: Path, fresh: Path) -> list[str]:
    """Return the Java flags that use ``archive``, or that write ``fresh`` at exit when there is none yet."""
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}"]
    return [f"-XX:ArchiveClassesAtExit={fresh}"]


def keep_archive(fresh: Path, archive: Path) -> None:
    """Put what a run left into the cache; a full or read-only cache only costs speed.

    ``fresh`` was written by the node's user: a link put in its place is not followed.
    """
    scratch = archive.with_name(f"{archive.name}.part-{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            descriptor = os.open(fresh, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as source, scratch.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            scratch.chmod(0o644)
            scratch.rename(archive)
        finally:
            scratch.unlink(missing_ok=True)
