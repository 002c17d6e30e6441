"""Two threads over disjoint models of one process against two processes with one thread each, cold.

Both are measured alike: the same models and visits, one core each, prepared before a common moment to begin, in pairs
one after the other. Each process works on memory of its own.
"""

import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from benchmarks.forests import Case, Ours
from benchmarks.report import line
from detector.forest.state import ForestState, grow

PAIRS = 15
ROUNDS = 4
"""Visits to each model in a run: long enough that neither start nor end matters."""

HEAD_START = 0.05
"""Seconds between telling the workers to begin and the moment they do."""


class Half:
    """Every other model of a fleet, and the core that works on them."""

    def __init__(self, ours: Ours, offset: int) -> None:
        self.ours, self.core = ours, sorted(os.sched_getaffinity(0))[offset]
        self.models: NDArray[np.int64] = np.arange(offset, len(ours.cursors), 2)
        self.rng = np.random.default_rng(offset)

    def prepare(self) -> None:
        """Choose the visits of the next run."""
        order = np.concatenate([self.rng.permutation(self.models) for _ in range(ROUNDS)])
        parts = [self.ours.next_points(one, 1) for one in np.split(order, ROUNDS)]
        self.slots = np.concatenate([slots for slots, _ in parts])
        self.points = np.concatenate([points for _, points in parts])

    def run(self, begin: float) -> float:
        """Learn on the own core from the moment `begin` on and return the moment it is done."""
        os.sched_setaffinity(0, {self.core})  # of the calling thread
        time.sleep(max(0.0, begin - time.perf_counter()))
        self.ours.learn(self.slots, self.points)
        return time.perf_counter()


def _serve(half: Half, connection: Connection) -> None:
    """Run when told, in a process of its own with its own copy of the models."""
    half.ours.state = _copied(half.ours)
    while True:
        half.prepare()
        connection.send("ready")
        begin = connection.recv()
        if begin is None:
            return
        connection.send(half.run(begin))


def _copied(ours: Ours) -> ForestState:
    """Return the models in memory that was never shared: what a fork has shared lies in small pages afterwards."""
    return grow(ours.state, ours.state.seen.shape[0])


def _threaded(halves: list[Half]) -> float:
    """Return seconds of two threads."""
    for half in halves:
        half.prepare()
    begin, ends = time.perf_counter() + HEAD_START, []
    workers = [
        threading.Thread(target=lambda half=half: ends.append(half.run(begin)))  # type: ignore[misc]
        for half in halves
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(ends) - begin


def _forked(connections: list[Connection]) -> float:
    """Return seconds of two processes."""
    for connection in connections:
        connection.recv()
    begin = time.perf_counter() + HEAD_START
    for connection in connections:
        connection.send(begin)
    return max(connection.recv() for connection in connections) - begin


def compare_threads(case: Case, ours: Ours) -> None:
    """Measure both in pairs; the ratio is the median of the pairs' ratios."""
    context = multiprocessing.get_context("fork")
    halves = [Half(ours, offset) for offset in range(2)]
    pipes = [context.Pipe() for _ in halves]
    children = [
        context.Process(target=_serve, args=(half, far)) for half, (_, far) in zip(halves, pipes, strict=True)
    ]
    for child in children:
        child.start()
    ours.state = _copied(ours)
    near = [here for here, _ in pipes]
    visits = ROUNDS * len(ours.cursors)
    runs = [(visits / _threaded(halves), visits / _forked(near)) for _ in range(PAIRS + 1)][1:]
    for connection in near:
        connection.recv()
        connection.send(None)
    for child in children:
        child.join()
    line(
        "forest",
        f"cold, 2 threads {case.name}",
        "points_per_second",
        "1/s",
        [run[0] for run in runs],
        peer="2 processes",
        theirs=[run[1] for run in runs],
        in_pairs=True,
    )
