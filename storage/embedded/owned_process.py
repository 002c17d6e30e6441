"""A process that ends with us: the owner's side of `storage.embedded.watchdog`.

Must not know what the process is for.
"""

import contextlib
import json
import subprocess
import sys
from typing import IO, cast

from storage.embedded import watchdog
from storage.embedded.node_error import NodeError


class OwnedProcess:
    """A running process whose life hangs on a pipe to us.

    Parameters
    ----------
    order
        What to start, and as whom.

    Attributes
    ----------
    pid
        Its number.

    Raises
    ------
    NodeError
        It could not be started.
    """

    def __init__(self, order: watchdog.Order) -> None:
        self._watchdog = subprocess.Popen(  # noqa: S603 - a file of ours
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            start_new_session=True,  # Ctrl-C in our terminal does not reach it
        )
        self._orders = cast("IO[str]", self._watchdog.stdin)
        self._answers = cast("IO[str]", self._watchdog.stdout)
        self._status: int | None = None
        try:
            self._tell(json.dumps(order))
            self.pid = self._read_pid()
        except BaseException:  # also Ctrl-C
            self.end()
            raise

    def exit_status(self) -> int | None:
        """Return the exit status (negative: the signal) once the process has ended, None while it runs."""
        if self._status is None and self._watchdog.poll() is not None:
            self._status = int(self._answers.readline() or self._watchdog.returncode)
        return self._status

    def end(self) -> None:
        """Ask the process to end, and wait until it is gone; it is killed when its time is over."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()  # the request
        self._watchdog.wait()
        self._answers.close()

    def let_go(self) -> None:
        """Leave the process running when we end."""
        self._tell("detach")
        self.end()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # what became of it shows in the answer
            self._orders.write(line + "\n")
            self._orders.flush()

    def _read_pid(self) -> int:
        first = self._answers.readline()
        if not first.strip().isdigit():
            said = (first + self._answers.read()).strip().splitlines()
            msg = f"the process could not be started: {said[-1] if said else 'its watchdog was killed'}"
            raise NodeError(msg)
        return int(first)
