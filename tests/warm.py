"""A process with compiled kernels that forks children, each of which polls until it is done or killed.

``python tests/warm.py`` reads an order a line from standard input, as JSON, and answers each with a line: what the
child ended with, and how often its fuse burned. A process of its own, because a fork must have neither threads nor
sockets.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import replace
from typing import Any, Self

from faults import Fuse, breaking
from opensearchpy import OpenSearch
from streams import stores_of

import detector.poll
import detector.resume
from detector.configuration.config import DetectorConfig
from detector.model.warm_up import warm_up
from detector.open import open_job
from detector.save import save_checkpoints
from detector.stores import Stores

READS = frozenset({"load", "read", "written_before", "find", "markers"})
"""Operations that leave the cluster as it is: to die beside one is to die beside the one before."""

DONE, KILLED, FAILED = 0, -signal.SIGKILL, 1


class Warm:
    """The process, inside a `with` block."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def run(self, **order: Any) -> tuple[int, int]:
        """Let a child follow an order; return its exit code, negative for a signal, and the ticks of its fuse."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code, ticks = json.loads(self._process.stdout.readline())
        return code, ticks


def follow(order: dict[str, Any], fuse: Fuse) -> None:
    """Poll a detector as a sidecar does that has just been started."""
    config = DetectorConfig.model_validate(order["config"])
    now_ms = order["now_ms"]
    with OpenSearch(order["url"], timeout=60) as client:
        stores = planted(breaking(stores_of(client, order["prefix"]), fuse, spared=READS), order.get("fault"))
        job = open_job(config, stores, now_ms, order["start_ms"])
        detector.poll.poll(job, stores, now_ms)
        save_checkpoints(job, stores.checkpoints, every_entries=order["save_every"])


class LateResults:
    """Results and state, of which the results come when the markers have moved."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._waiting = stores, []

    def save(self, documents: Any) -> list[Any]:
        """Keep documents back."""
        self._waiting.extend(documents)
        return []

    def advance(self, *arguments: Any) -> Any:
        """Move the markers, then write what was kept back."""
        moved = self._stores.state.advance(*arguments)
        waiting, self._waiting = self._waiting, []
        self._stores.results.save(waiting)
        return moved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stores.state, name)


def planted(stores: Stores, fault: str | None) -> Stores:
    """Return the stores with a fault in the product that the tests have to find."""
    if fault == "markers before the results":
        late = LateResults(stores)
        return replace(stores, results=late, state=late)
    if fault == "replayed documents are dropped":
        replay = detector.resume._replay

        def dropping(*arguments: Any) -> Any:
            list(replay(*arguments))
            return iter(())

        detector.resume._replay = dropping
    return stores


def serve() -> None:
    """Fork a child an order; standard output is for the answers alone."""
    answers, sys.stdout = sys.stdout, sys.stderr
    warm_up()
    # Otherwise the first collection of a child would copy every page it looks at.
    gc.freeze()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            fuse = Fuse(order["length"], lambda: os.kill(os.getpid(), signal.SIGKILL))
            try:
                follow(order, fuse)
            except BaseException:  # noqa: BLE001 - a child must not go on as its parent
                traceback.print_exc()
                os._exit(FAILED)
            os.write(writing, str(fuse.ticks).encode())
            os._exit(DONE)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            ticks = int(pipe.read() or -1)
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), ticks]), file=answers, flush=True)


if __name__ == "__main__":
    serve()
