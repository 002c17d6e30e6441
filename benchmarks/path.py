"""What the rows of the benchmark of the whole path share: a node, the stores, the floor, and the figures.

Knows how to measure and what to say; the rows themselves are in `benchmarks.pipeline`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ParamSpec

import detector.poll
import detector.resume
from benchmarks.entities import MINUTE_MS, START_MS, SourceIndex
from benchmarks.report import line
from benchmarks.stopwatch import Stopwatch, Usage
from detector.commands.connection import build_stores
from detector.documents import DocumentMaker
from detector.job import Job
from detector.partition import Partition
from detector.settle import DOCUMENTS_AT_ONCE, REQUESTS_AT_ONCE
from detector.stores import Results, Stores
from features.query import build_query
from storage.checkpoints import CheckpointStore
from storage.client import connect
from storage.cluster import Cluster
from storage.journal import Journal
from storage.node import EmbeddedNode
from storage.records import Refusal, ResultDocument
from storage.results import ResultStore
from storage.search import Search
from storage.state import StateStore

P = ParamSpec("P")

STEPS = (
    (Search, "body", "query"),
    (detector.poll, "read_block", "parse"),
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

    def __init__(self, store: Results) -> None:
        self._store = store
        self.documents: list[ResultDocument] = []

    def save(self, documents: Sequence[ResultDocument]) -> list[Refusal]:
        """Write documents and keep them."""
        self.documents.extend(documents)
        return self._store.save(documents)


class Bench:
    """A node, the stores of one detector, and the figures so far.

    Parameters
    ----------
    node
        Where everything is written.
    case
        What the figures are called.
    n_entities, n_features
        Size of the detector.
    resident_share
        Of the models, in the row `rotation`.
    """

    def __init__(
        self, node: EmbeddedNode, case: str, n_entities: int, n_features: int, resident_share: float = 1.0
    ) -> None:
        self.client = connect(Cluster(url=(node.url,)))
        self.stopwatch = Stopwatch(node.pid)
        self.case, self.n_entities, self.n_features = case, n_entities, n_features
        self.resident_share = resident_share
        self.prefix = f"b{time.time_ns()}"
        self.source = SourceIndex(self.client, f"{self.prefix}-source", n_entities, n_features)
        self._n_starts = 0
        self.start()

    def start(self) -> None:
        """Begin with indices that are empty but for the source."""
        self._n_starts += 1
        self.floor_stores = self._stores(f"{self.prefix}f{self._n_starts}")
        own_prefix = f"{self.prefix}o{self._n_starts}"
        self._results = f"{own_prefix}-results"
        stores = self._stores(own_prefix)
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

    def timed(self, do: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Usage:
        """Call something, its steps counted, and return what it used; the documents it writes are kept."""
        self.kept.documents.clear()
        with self.stopwatch.watching(STEPS), self.stopwatch.measure() as usage:
            do(*args, **kwargs)
        return usage

    def floor(self, job: Job, first_ms: int, last_ms: int) -> Usage:
        """Read windows and write the kept documents again, into another index."""
        with self.stopwatch.measure() as usage:
            search = self.stores.search.named("floor")
            body_of = lambda after: build_query(job.source, first_ms, last_ms, after=after)  # noqa: E731
            for _ in search.pages(job.source.indices, body_of):
                pass
            written = self._write_again()
        assert written == len(self.kept.documents)
        return usage

    def _write_again(self) -> int:
        documents = self.kept.documents
        batches = [documents[n : n + DOCUMENTS_AT_ONCE] for n in range(0, len(documents), DOCUMENTS_AT_ONCE)]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as connections:
            refused = list(connections.map(self.floor_stores.results.save, batches))
        return len(documents) - sum(map(len, refused))

    def say(self, metric: str, unit: str, ours: Sequence[float], floor: Sequence[float] = ()) -> None:
        """Print a figure, beside that of the floor where there is one."""
        peer = "floor" if floor else None
        line(
            "pipeline", self.case, metric, unit, ours, peer=peer, theirs=floor, smaller_is_better=unit == "s"
        )

    def say_usage(self, ours: Sequence[Usage], floors: Sequence[Usage], n_results: int) -> None:
        """Print what each of several runs took, and the floor under them."""
        self.say("tick_seconds", "s", [u.seconds for u in ours], [u.seconds for u in floors])
        rates = [[n_results / usage.seconds for usage in usages] for usages in (ours, floors)]
        self.say("results_per_second", "1/s", *rates)
        cpu = [[1000 * usage.cpu / n_results for usage in usages] for usages in (ours, floors)]
        self.say("cpu_seconds_per_1000", "s", *cpu)
        own = [[1000 * usage.own_cpu / n_results for usage in usages] for usages in (ours, floors)]
        self.say("sidecar_cpu_seconds_per_1000", "s", *own)

    def say_steps(self, n_runs: int) -> None:
        """Print seconds and the sidecar's processor seconds of each step; steps that overlap add up to more."""
        for step, (seconds, cpu) in self.stopwatch.steps.items():
            self.say(f"{step} seconds", "s", [seconds / n_runs])
            self.say(f"{step} sidecar_cpu_seconds", "s", [cpu / n_runs])
        own, node = self.stopwatch.resident_bytes
        self.say("resident_bytes", "B", [own])
        self.say("node_resident_bytes", "B", [node])

    def count_wrong(self, first_window: int, n_windows: int) -> tuple[int, int]:
        """Count what is lost and what is doubled in the result index: every entity is there once a window."""
        self.client.indices.refresh(index=f"{self._results}-*")
        found: Counter[int] = Counter()
        for page in self.stores.search.pages([self._results], _count_query):
            for bucket in page["aggregations"]["windows"]["buckets"]:
                found[bucket["key"]["end"]] += bucket["doc_count"]
        windows = range(first_window, first_window + n_windows)
        missing = [self.n_entities - found[START_MS + (window + 1) * MINUTE_MS] for window in windows]
        return sum(max(0, count) for count in missing), sum(max(0, -count) for count in missing)

    def say_outcome(self, n_lost: int, n_doubled: int, n_late: int = 0) -> None:
        """Print how many documents are wrong."""
        self.say("lost", "documents", [n_lost])
        self.say("doubled", "documents", [n_doubled])
        self.say("late", "documents", [n_late])


def _count_query(after: dict[str, object] | None) -> dict[str, object]:
    composite = {"size": 1_000, "sources": [{"end": {"terms": {"field": "data_end_time"}}}]}
    return {"size": 0, "aggs": {"windows": {"composite": composite | ({"after": after} if after else {})}}}
