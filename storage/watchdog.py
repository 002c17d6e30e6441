"""Stops a process when its owner is gone, however the owner went: run as a program of its own by the owner.

It reads one line from the owner, the number of the process and a word on its command line, and then waits for the end
of the input, which the kernel brings about when the owner dies. Knows processes; must not know OpenSearch.
"""

import contextlib
import sys

import psutil

GRACE_S = 15
"""Seconds between asking a process to end and killing it."""


def find_process(pid: int, token: str) -> psutil.Process | None:
    """Return the process with that number if it is still the one whose command line holds ``token``."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if any(token in word for word in process.cmdline()):  # empty for a zombie
            return process
    return None


def stop_process(process: psutil.Process, grace_s: float = GRACE_S) -> None:
    """Ask a process to end and kill it if it does not; return when it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(grace_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(grace_s)


def main() -> None:
    """Wait for the owner's end, then stop the process that it named."""
    line = sys.stdin.readline().split()
    sys.stdin.read()
    if len(line) == 2:
        process = find_process(int(line[0]), line[1])
        if process is not None:
            stop_process(process)


if __name__ == "__main__":
    main()
