"""Starts a program, and ends it when whoever asked for it is gone, however that went.

A program of its own, run by the owner of an embedded node and speaking with it over pipes:

- in: one line of JSON, the order (see `Order`); then either the line ``detach``, which means leave the
  program running, or the end of the input, which the kernel brings about when the owner dies, even of SIGKILL;
- out: the number of the process; when it has ended, its exit status.

Being the parent it can neither miss the program nor hit another one that got its number. Uses the standard
library only, so that it starts in no time; must not know what it starts.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TypedDict


class Order(TypedDict):
    """What to start.

    ``user`` and ``group`` are the numbers to run it as, None for our own; ``log`` takes what it prints; ``grace_s``
    are the seconds between asking it to end and killing it.
    """

    command: list[str]
    folder: str
    log: str
    environment: dict[str, str]
    user: int | None
    group: int | None
    grace_s: float


def main() -> None:
    """Serve one order."""
    order: Order = json.loads(sys.stdin.readline())
    with Path(order["log"]).open("wb") as log:
        program = subprocess.Popen(  # noqa: S603 - the owner is who started us
            order["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=order["folder"],
            env=order["environment"],
            user=order["user"],
            group=order["group"],
            extra_groups=None if order["user"] is None else [],
            start_new_session=True,  # Ctrl-C in the owner's terminal does not reach it
        )
    print(program.pid, flush=True)  # noqa: T201
    threading.Thread(target=_end_with_owner, args=(program, order["grace_s"]), daemon=True).start()
    status = program.wait()
    with contextlib.suppress(BrokenPipeError):
        print(status, flush=True)  # noqa: T201
    os._exit(0)  # an ordinary exit would wait for the other thread's reading


def _end_with_owner(program: subprocess.Popen[bytes], grace_s: float) -> None:
    if sys.stdin.readline().strip() == "detach":
        os._exit(0)
    program.terminate()
    try:
        program.wait(grace_s)
    except subprocess.TimeoutExpired:
        program.kill()


if __name__ == "__main__":
    main()
