"""The whole path, from raw documents in a real index to results and checkpoints in others, on one machine.

    python -m benchmarks.pipeline live|rotation|cold|history|restart ... [--entities 1000 10000] [--features 1 2]

An embedded node, the sidecar in this process, translog durability as it is by default (`request`). Windows of a minute
are played back to back; the raw documents of the next one are indexed in between, untimed. The *floor* is measured in
the same run: the same pages read and the same documents written by the same client, in as many requests side by side,
and nothing else. Prints JSON lines; progress on standard error.

`live`: every model has seen 1,500 windows. `rotation`: the same with memory for a part of the models; a window is late
when its tick takes longer than a minute, and lags until all models had their turn. `cold`: all entities are new and
bring 40 windows of history. `history`: one entity and 20,000 windows, and 1,000 entities and 500 windows, in one poll,
three times. `restart`: 64 windows after `live`, all is brought back from the cluster and the next window is scored.
"""

import argparse
import sys
from collections.abc import Callable
from itertools import count

from benchmarks.entities import MINUTE_MS, START_MS, clone, learnt
from benchmarks.entities import detector as detector_of
from benchmarks.path import Bench
from benchmarks.report import log_elsewhere
from detector.configuration.config import DetectorConfig
from detector.job import Job
from detector.memory import Memory
from detector.model.warm_up import warm_up
from detector.open import open_job
from detector.poll import poll
from detector.save import save_groups
from storage.node import HEAP, EmbeddedNode

PRODUCTION = ("-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC")
"""A node that runs for long: both compilers and the usual collector, unlike the embedded node's own flags."""

BREAKER = {"indices.breaker.total.use_real_memory": "true"}
"""Requests are refused by what the heap holds, as they usually are."""

N_HISTORY = 40
N_JOURNALED = 64
N_CATCH_UPS = 3
"""Times that a history is caught up: how busy a shared machine is changes from one half minute to the next."""
N_WARM_ENTITIES, N_WARM_WINDOWS = 1_000, 100


def end_of(window: int) -> int:
    """Return the end of a window that is counted from START_MS, epoch milliseconds."""
    return START_MS + (window + 1) * MINUTE_MS


def warm_up_node(node: EmbeddedNode) -> None:
    """Let the node compile what it runs: an untimed poll of a hundred windows of a thousand entities."""
    bench = Bench(node, "", N_WARM_ENTITIES, 1)
    bench.source.fill(range(N_WARM_WINDOWS))
    job = open_job(detector_of(bench.source.name, 1), bench.stores, START_MS)
    poll(job, bench.stores, end_of(N_WARM_WINDOWS - 1))
    bench.close()


def warm(bench: Bench) -> tuple[DetectorConfig, Job, int]:
    """Return a detector whose models have seen many windows, and the last window it has polled.

    Where not all fit into memory, windows are played until every model had its turn.
    """
    config = detector_of(bench.source.name, bench.n_features)
    fleet = learnt(config, 1)
    job = open_job(config, bench.stores, START_MS)
    every_byte = bench.n_entities * job.empty_partition("").bytes_per_model
    job.memory = Memory(int(bench.resident_share * every_byte) if bench.resident_share < 1 else None)
    are_warm: set[str] = set()
    for window in count():
        bench.source.fill([window])
        poll(job, bench.stores, end_of(window))
        bench.kept.documents.clear()
        progress(bench, window, len(are_warm))
        for partition in job.awake():
            if partition.log not in are_warm:
                clone(partition, fleet)
                if bench.resident_share < 1:
                    # No journal knows how the clones came about.
                    groups = [(partition, group) for group in range(partition.n_groups)]
                    save_groups(bench.stores.checkpoints, groups)
                are_warm.add(partition.log)
        if len(are_warm) == job.n_partitions:
            break
    return config, job, window


def live(bench: Bench, n_ticks: int) -> None:
    """Play windows back to back."""
    _, job, window = warm(bench)
    n_late = play(bench, job, window + 1, n_ticks)
    bench.say_outcome(*bench.count_wrong(0, window + 1 + n_ticks), n_late)


def rotation(bench: Bench, n_ticks: int) -> None:
    """Play windows back to back where a part of the models fits into memory, and then let the others catch up."""
    _, job, window = warm(bench)
    lags: list[int] = []
    n_late = play(
        bench,
        job,
        window + 1,
        n_ticks,
        lambda window: lags.append((end_of(window) - job.done_ms) // MINUTE_MS),
    )
    bench.say("lag_windows", "windows", lags)
    while job.is_behind:
        poll(job, bench.stores, end_of(window + n_ticks))
    bench.say_outcome(*bench.count_wrong(0, window + 1 + n_ticks), n_late)


def play(
    bench: Bench, job: Job, first: int, n_ticks: int, after: Callable[[int], None] = lambda _: None
) -> int:
    """Play windows back to back, print what they took, and return how many results were late.

    `after` is called with each window.
    """
    ours, floors = [], []
    for tick in range(n_ticks):
        window = first + tick
        bench.source.fill([window])
        ours.append(bench.timed(poll, job, bench.stores, end_of(window)))
        # The first windows warm the node up; afterwards the floor is measured under every third.
        if tick % 3 == 1:
            floors.append(bench.floor(job, end_of(window - 1), end_of(window)))
        progress(bench, window, ours[-1], floors[-1:])
        after(window)
    skipped = n_ticks // 4
    bench.say_usage(ours[skipped:], floors[skipped // 3 :], bench.n_entities)
    bench.say_steps(n_ticks)
    return bench.n_entities * sum(usage.seconds > MINUTE_MS / 1000 for usage in ours)


def cold(bench: Bench, _: int) -> None:
    """Learn and write the history of entities that are all new, and their first window."""
    bench.source.fill(range(-N_HISTORY, 1))
    job = open_job(detector_of(bench.source.name, bench.n_features), bench.stores, START_MS)
    ours = bench.timed(poll, job, bench.stores, end_of(0))
    floor = bench.floor(job, end_of(-N_HISTORY - 1), end_of(0))
    progress(bench, 0, ours, [floor])
    bench.say_usage([ours], [floor], bench.n_entities * (N_HISTORY + 1))
    bench.say_steps(1)
    bench.say_outcome(*bench.count_wrong(-N_HISTORY, N_HISTORY + 1))


def history(bench: Bench, n_windows: int) -> None:
    """Catch up many windows in one poll, a few times, each followed by the floor."""
    bench.source.fill(range(n_windows))
    config = detector_of(bench.source.name, bench.n_features, is_single=bench.n_entities == 1)
    ours, floors, wrong = [], [], []
    for _ in range(N_CATCH_UPS):
        job = open_job(config, bench.stores, START_MS)
        ours.append(bench.timed(poll, job, bench.stores, end_of(n_windows - 1)))
        floors.append(bench.floor(job, START_MS, end_of(n_windows - 1)))
        progress(bench, n_windows, ours[-1], floors[-1:])
        wrong.append(bench.count_wrong(0, n_windows))
        bench.start()
    bench.say_usage(ours, floors, bench.n_entities * n_windows)
    bench.say_steps(N_CATCH_UPS)
    bench.say_outcome(*map(sum, zip(*wrong, strict=True)))


def restart(bench: Bench, _: int) -> None:
    """Bring everything back from the cluster, until the next window is committed."""
    config, job, _ = warm(bench)
    for window in range(1, N_JOURNALED + 1):
        bench.source.fill([window])
        poll(job, bench.stores, end_of(window))
        bench.kept.documents.clear()
    del job
    bench.source.fill([N_JOURNALED + 1])
    ours = bench.timed(
        lambda: poll(open_job(config, bench.stores, START_MS), bench.stores, end_of(N_JOURNALED + 1))
    )
    bench.say("first_committed_window_seconds", "s", [ours.seconds])
    bench.say("cpu_seconds", "s", [ours.cpu])
    bench.say_steps(1)
    bench.say_outcome(*bench.count_wrong(0, N_JOURNALED + 2))


def progress(bench: Bench, window: int, *usages: object) -> None:
    """Say on standard error how far the measurement is."""
    print(bench.case, window, *usages, file=sys.stderr, flush=True)


def measure(node: EmbeddedNode, row: str, options: argparse.Namespace, n_features: int) -> None:
    """Measure one row at all the sizes that are asked for."""
    more = f", {n_features} features" if n_features > 1 else ""
    sizes = [(n_entities, options.ticks) for n_entities in options.entities]
    for n_entities, n_windows in HISTORIES if row == "history" else sizes:
        length = f" x {n_windows:,}" if row == "history" else ""
        resident_share = options.resident if row == "rotation" else 1.0
        bench = Bench(node, f"{row} {n_entities:,}{length}{more}", n_entities, n_features, resident_share)
        ROWS[row](bench, n_windows)
        bench.close()


HISTORIES = ((1, 20_000), (1_000, 500))
ROWS = {"live": live, "rotation": rotation, "cold": cold, "history": history, "restart": restart}


def main() -> None:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=list(ROWS), help="all when none is named")
    parser.add_argument("--entities", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--features", type=int, nargs="+", default=[1])
    parser.add_argument("--ticks", type=int, default=12)
    parser.add_argument(
        "--resident", type=float, default=0.4, help="share of the models that fit, for `rotation`"
    )
    parser.add_argument("--heap", default=HEAP)
    options = parser.parse_args()
    log_elsewhere()
    warm_up()
    with EmbeddedNode(heap=options.heap, jvm_flags=PRODUCTION, settings=BREAKER) as node:
        warm_up_node(node)
        for row in options.rows or ROWS:
            for n_features in options.features:
                measure(node, row, options, n_features)


if __name__ == "__main__":
    main()
