"""The sidecar as a process of its own, and what it says."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

COMMAND = [sys.executable, "-m", "detector"]


def environment(url: str, prefix: str) -> dict[str, str]:
    """Return what a command needs to know about the cluster."""
    return os.environ | {"OPENSEARCH_URL": url, "OUTRIDER_INDEX_PREFIX": prefix}


def outrider(*arguments: str | Path, url: str, prefix: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, env=environment(url, prefix) | more, capture_output=True, text=True, timeout=300, check=False
    )


class Sidecar:
    """`outrider run` inside a `with` block; it is killed when it still runs at the end."""

    def __init__(
        self, folder: Path, url: str, prefix: str, *arguments: str, log_format: str = "json"
    ) -> None:
        self.lines: list[str] = []
        self._command = [*COMMAND, "run", "-c", str(folder), "--log-format", log_format, *arguments]
        self._environment = environment(url, prefix)
        self._new: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, env=self._environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        with self.process.stderr as stderr:
            for line in stderr:
                self.lines.append(line)
                self._new.put(line)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line so far, read as JSON."""
        return [json.loads(line) for line in self.lines]

    def wait_for(self, what: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
        """Return the next new event of which `what` holds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = json.loads(self._new.get(timeout=max(0, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError("nothing such within the time:\n" + "".join(self.lines)) from None
            if what(event):
                return event

    def wait_for_line(self, text: str, seconds: float = 120) -> str:
        """Return the next new line that holds a text."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._new.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {text!r} within the time:\n" + "".join(self.lines)) from None
            if text in line:
                return line

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 30) -> int:
        """Send a signal; return the exit code, which must come within the time."""
        self.process.send_signal(number)
        return self.process.wait(timeout=within_s)


def is_poll(detector: str, *, failed: bool = False) -> Callable[[dict[str, Any]], bool]:
    """Return the condition for the line of a poll of a detector that went well, or that failed."""
    return lambda event: (
        event["event"] == "poll" and event["detector"] == detector and (event["error"] is not None) == failed
    )
