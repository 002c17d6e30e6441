"""As whom the embedded node runs: OpenSearch refuses to run as root, so root's node belongs to another user.

Knows users and permissions; must not know what the files are for.
"""

import os
import pwd
from pathlib import Path

from storage.embedded.node_error import NodeError

UNPRIVILEGED_USER = "nobody"


def node_user() -> pwd.struct_passwd | None:
    """Return the user as whom the node has to run, None when it can run as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError as error:
        msg = f"OpenSearch does not run as root, and there is no user {UNPRIVILEGED_USER!r}: be another user"
        raise NodeError(msg) from error


def make_folder(folder: Path) -> Path:
    """Make a folder and its missing parents; root's can be entered by everyone whatever the umask."""
    for missing in [path for path in (*reversed(folder.parents), folder) if not path.is_dir()]:
        missing.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            missing.chmod(0o755)
    return folder


def give_to_node(path: Path) -> None:
    """Make a file or folder that we just made the node's own."""
    user = node_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def ensure_owned(folder: Path) -> None:
    """Raise NodeError when the node could not write ``folder`` because it was made for another user."""
    user = node_user()
    expected = os.geteuid() if user is None else user.pw_uid
    owner = folder.stat().st_uid
    if owner != expected:
        msg = (
            f"{folder} belongs to the user {_name(owner)}, and the node would run as {_name(expected)}: "
            "start it as who started it first, or name another data folder"
        )
        raise NodeError(msg)


def ensure_reachable(path: Path) -> None:
    """Raise NodeError when the node's user cannot enter a folder on the way to ``path``."""
    if node_user() is None:
        return
    for folder in (path.resolve(), *path.resolve().parents):
        if not folder.stat().st_mode & 0o001:
            msg = (
                f"OpenSearch does not run as root, and the user {UNPRIVILEGED_USER!r} cannot enter {folder}: "
                f"use a place that everyone can read instead of {path}"
            )
            raise NodeError(msg)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
