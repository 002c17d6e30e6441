"""The whole path, from raw documents in a real index to results and checkpoints in others, on one machine.

    python -m benchmarks.pipeline [live|cold|history|restart ...] [--entities 1000 10000] [--features 1 2] [--ticks 10]

An embedded node, the sidecar in this process, translog durability as it is by default (`request`). Windows of a minute
are played back to back; the raw documents of the next one are indexed in between, untimed. The *floor* is measured in
the same run: the same pages read and the same documents written by the same client, and nothing else. Prints JSON
lines.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import detector.poll
from benchmarks.entities import MINUTE_MS, START_MS, SourceIndex, clone, learnt
from benchmarks.entities import detector as detector_of
from benchmarks.report import line
from benchmarks.stopwatch import Stopwatch, Usage
from detector.commands.connection import build_stores
from detector.documents import Document, DocumentMaker
from detector.job import Job
from detector.model.warm_up import warm_up
from detector.open import open_job
from detector.partition import Partition
from detector.poll import poll
from detector.stores import Stores
from features.query import build_query
from storage.checkpoints import CheckpointStore
from storage.client import connect
from storage.cluster import Cluster
from storage.journal import Journal
from storage.node import HEAP, EmbeddedNode
from storage.records import Refusal
from storage.results import ResultStore
from storage.search import Search
from storage.state import StateStore

PRODUCTION = ("-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC")
"""A node that runs for long: both compilers and the usual collector, unlike the embedded node's own flags."""

STEPS = (
    (Search, "body", "query"),
    (detector.poll, "read_windows", "parse"),
    (detector.poll, "read_history", "parse"),
    (detector.poll, "_journal", "journal"),
    (Journal, "append", "journal"),
    (Partition, "apply", "score"),
    (DocumentMaker, "documents", "documents"),
    (ResultStore, "save", "write"),
    (StateStore, "advance", "mark"),
    (Partition, "checkpoint", "pack checkpoints"),
    (CheckpointStore, "save", "write checkpoints"),
)


class Kept:
    """Results that are written and kept, so that the floor can write them again."""

    def __init__(self, store: ResultStore) -> None:
        self._store = store
        self.documents: list[Document] = []

    def save(self, documents: Sequence[Document]) -> list[Refusal]:
        """Write documents and keep them."""
        self.documents.extend(documents)
        return self._store.save(documents)


class Bench:
    """A node, the stores of one detector, and the figures so far."""

    def __init__(self, node: EmbeddedNode, name: str, n_entities: int, n_features: int) -> None:
        self.client = connect(Cluster(url=(node.url,)))
        self.stopwatch = Stopwatch(node.pid)
        self.case = f"{name} {n_entities:,}" + (f", {n_features} features" if n_features > 1 else "")
        self.n_entities, self.n_features = n_entities, n_features
        self.prefix = f"b{time.time_ns()}"
        self.source = SourceIndex(self.client, f"{self.prefix}-source", n_entities, n_features)
        self.floor_stores = self._stores(f"{self.prefix}f")
        stores = self._stores(f"{self.prefix}o")
        self.kept = Kept(stores.results)
        self.stores = replace(stores, results=self.kept)

    def _stores(self, prefix: str) -> Stores:
        stores = build_stores(self.client, prefix, threading.Event())
        stores.prepare()
        return stores

    def close(self) -> None:
        """Delete what was made."""
        self.client.indices.delete(index=f"{self.prefix}*")
        self.client.close()

    def floor(self, job: Job, first_ms: int, last_ms: int) -> Usage:
        """Read windows and write the documents of the last poll again, into another index."""
        with self.stopwatch.measure() as usage:
            list(
                self.stores.search.named("floor").pages(
                    job.source.indices, lambda after: build_query(job.source, first_ms, last_ms, after=after)
                )
            )
            self.floor_stores.results.save(self.kept.documents)
        return usage

    def say(self, metric: str, unit: str, ours: Sequence[float], floor: Sequence[float] = ()) -> None:
        """Print a figure, beside that of the floor where there is one."""
        peer = {"peer": "floor", "theirs": floor} if floor else {}
        line("pipeline", self.case, metric, unit, ours, smaller_is_better=unit == "s", **peer)

    def say_usage(self, ours: Sequence[Usage], floors: Sequence[Usage], n_results: int) -> None:
        """Print what ticks took, and the floor under them."""
        self.say("tick_seconds", "s", [u.seconds for u in ours], [u.seconds for u in floors])
        self.say(
            "results_per_second",
            "1/s",
            [n_results / u.seconds for u in ours],
            [n_results / u.seconds for u in floors],
        )
        per_1000 = 1000 / n_results
        self.say(
            "cpu_seconds_per_1000", "s", [u.cpu * per_1000 for u in ours], [u.cpu * per_1000 for u in floors]
        )
        self.say("sidecar_cpu_seconds_per_1000", "s", [u.own_cpu * per_1000 for u in ours])
        self.say("node_cpu_seconds_per_1000", "s", [u.node_cpu * per_1000 for u in ours])

    def say_steps(self, n_ticks: int) -> None:
        """Print seconds and processor seconds of each step, a tick; steps that overlap add up to more."""
        for step, (seconds, cpu) in self.stopwatch.steps.items():
            self.say(f"{step} seconds", "s", [seconds / n_ticks])
            self.say(f"{step} sidecar cpu seconds", "s", [cpu / n_ticks])
        own, node = self.stopwatch.resident_bytes
        self.say("resident_bytes", "B", [own])
        self.say("node_resident_bytes", "B", [node])

    def say_outcome(self, n_windows: int, slow: int) -> None:
        """Count what is in the result index: every entity once a window."""
        self.client.indices.refresh(index=f"{self.prefix}o-results-*")
        found: Counter[int] = Counter()
        for page in self.stores.search.pages([f"{self.prefix}o-results"], _count_query):
            for bucket in page["aggregations"]["windows"]["buckets"]:
                found[bucket["key"]["end"]] += bucket["doc_count"]
        ends = [START_MS + (window + 1) * MINUTE_MS for window in range(n_windows)]
        missing = [self.n_entities - found[end] for end in ends]
        self.say("lost", "documents", [sum(max(0, count) for count in missing)])
        self.say("doubled", "documents", [sum(max(0, -count) for count in missing)])
        self.say("late", "documents", [slow * self.n_entities])


def _count_query(after: dict[str, object] | None) -> dict[str, object]:
    composite = {"size": 1_000, "sources": [{"end": {"terms": {"field": "data_end_time"}}}]}
    return {"size": 0, "aggs": {"windows": {"composite": composite | ({"after": after} if after else {})}}}


def live(bench: Bench, n_ticks: int) -> None:
    """Play windows back to back; every model has seen N_LEARNT windows before."""
    config = detector_of(bench.source.name, bench.n_features)
    fleet = learnt(config, 1)
    bench.source.fill([0])
    job = open_job(config, bench.stores, START_MS)
    poll(job, bench.stores, START_MS + MINUTE_MS)
    clone(job, fleet)
    ours, floors = [], []
    for window in range(1, n_ticks + 1):
        bench.source.fill([window])
        bench.kept.documents.clear()
        end_ms = START_MS + (window + 1) * MINUTE_MS
        with bench.stopwatch.watching(STEPS), bench.stopwatch.measure() as usage:
            poll(job, bench.stores, end_ms)
        ours.append(usage)
        if window % 2:
            floors.append(bench.floor(job, end_ms - MINUTE_MS, end_ms))
        print(bench.case, window, usage, floors[-1], file=sys.stderr, flush=True)
    bench.say_usage(ours[1:], floors[1:], bench.n_entities)
    bench.say_steps(n_ticks)
    bench.say_outcome(n_ticks + 1, sum(usage.seconds > MINUTE_MS / 1000 for usage in ours))


def main() -> None:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", default=["live"])
    parser.add_argument("--entities", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--features", type=int, nargs="+", default=[1])
    parser.add_argument("--ticks", type=int, default=10)
    parser.add_argument("--heap", default=HEAP)
    options = parser.parse_args()
    warm_up()
    with EmbeddedNode(heap=options.heap, jvm_flags=PRODUCTION) as node:
        for row in options.rows:
            for n_entities in options.entities:
                for n_features in options.features:
                    bench = Bench(node, row, n_entities, n_features)
                    live(bench, options.ticks)
                    bench.close()


if __name__ == "__main__":
    main()
