"""Ten thousand polls of one detector with an injected clock: what grows that should not.

    python -m benchmarks.ticks [--ticks 10000] [--entities 20]

An embedded node, and the polls of `outrider run` in this process, one a window of a minute, as fast as they go. Prints
a JSON line a figure and tenth of the way: resident memory, file descriptors, threads and objects that the interpreter
keeps, and the seconds a poll takes. The first tenth is the peer: after it each is to stay where it is.
"""

import argparse
import gc
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from benchmarks.entities import MINUTE_MS, START_MS, SourceIndex
from benchmarks.entities import detector as detector_of
from benchmarks.report import line, log_elsewhere
from detector.commands.connection import build_stores
from detector.present import Present
from detector.runner import SETTLE_MS, Runner
from storage.client import connect
from storage.cluster import Cluster
from storage.node import EmbeddedNode

PARTS = 10


class Usage(NamedTuple):
    """What the process uses, and what a poll took on average since the last look."""

    resident_bytes: float
    file_descriptors: float
    threads: float
    objects: float
    poll_seconds: float


UNITS = ("B", "1", "1", "1", "s")


def usages(node_url: str, n_ticks: int, n_entities: int, n_parts: int = PARTS) -> Iterator[Usage]:
    """Poll once a window, and yield what is used after each part of the way."""
    now_ms = START_MS
    process = psutil.Process()
    with connect(Cluster(url=(node_url,))) as client:
        prefix = f"ticks-{time.time_ns()}"
        source = SourceIndex(client, f"{prefix}-source", n_entities, 1)
        stores = build_stores(client, prefix, threading.Event())
        present = Present(lambda: now_ms, lambda: now_ms)
        config = detector_of(source.name, 1)
        runner = Runner(config, stores, present, threading.Event(), start_ms=START_MS)
        per_part = n_ticks // n_parts
        for part in range(n_parts):
            seconds = 0.0
            for tick in range(part * per_part, (part + 1) * per_part):
                source.fill([tick])
                now_ms = START_MS + (tick + 1) * MINUTE_MS + SETTLE_MS
                started = time.perf_counter()
                runner.run()
                seconds += time.perf_counter() - started
            gc.collect()
            yield Usage(
                process.memory_info().rss,
                process.num_fds(),
                threading.active_count(),
                len(gc.get_objects()),
                seconds / per_part,
            )
        client.indices.refresh(index=f"{prefix}-results")
        hits = client.count(index=f"{prefix}-results")["count"]
        assert hits >= n_entities * n_ticks, f"{hits:,} results are not those of {n_ticks:,} windows"
        client.indices.delete(index=f"{prefix}*")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ticks", type=int, default=10_000)
    parser.add_argument("--entities", type=int, default=20)
    options = parser.parse_args()
    log_elsewhere()
    with EmbeddedNode() as node:
        first: Usage | None = None
        for part, usage in enumerate(usages(node.url, options.ticks, options.entities), 1):
            first = first or usage
            for name, unit, value, before in zip(Usage._fields, UNITS, usage, first, strict=True):
                case = f"after {part * options.ticks // PARTS:,}"
                line(
                    "ticks",
                    case,
                    name,
                    unit,
                    [value],
                    peer="first tenth",
                    theirs=[before],
                    smaller_is_better=True,
                )


if __name__ == "__main__":
    main()
