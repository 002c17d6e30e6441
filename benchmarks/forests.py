"""The forests that are compared: ours and its peers behind one interface, and the streams they all see."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.many import score_and_update_many
from detector.forest.kernels.update import reset
from detector.forest.state import ForestShape, ForestState, allocate, arrays_of
from detector.model.fleet import ModelSettings

Streams = NDArray[np.float32]

N_STREAMS = 8
"""Streams that are trained; the other models are copies that go on with other points and other random numbers."""

N_TRAIN = 3000
N_FRESH = 20_000
"""Points of a stream behind the training: a point is never seen twice by a model."""


class Case(NamedTuple):
    """A configuration: its name, the forest's shape, and what makes a stream of points from a seed."""

    name: str
    shape: ForestShape
    make: Callable[[int, int], Streams]


class Peer(Protocol):
    """A library with its models, trained and copied."""

    name: str

    def visit(self, order: Sequence[int], block: int) -> float:
        """Score, then learn, the next `block` points of each model in turn; return seconds."""


def shingles(n_points: int, seed: int, n_features: int = 1) -> Streams:
    """Return eight steps of noisy sines in units of their deviation, float32, (n_points, 8 * n_features)."""
    rng = np.random.default_rng(seed)
    steps, feature = np.arange(n_points + 8)[:, np.newaxis], np.arange(n_features)
    wave = 20 * np.sin(2 * np.pi * steps / (60 + 7 * feature + seed) + feature)
    values = 100 * (1 + 0.3 * feature) + wave + rng.normal(0, 2, (n_points + 8, n_features))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return np.concatenate([values[step : step + n_points] for step in range(8)], axis=1).astype(np.float32)


def five_columns(n_points: int, seed: int, n_metrics: int = 1) -> Streams:
    """Return value, means over 4, 16, 64 points and residual of each metric, float32, (n_points, 5 * n_metrics)."""
    rng = np.random.default_rng(seed)
    columns = []
    for metric in range(n_metrics):
        steps = np.arange(n_points + 64)
        values = 20 * np.sin(2 * np.pi * steps / (60 + 7 * metric + seed)) + rng.normal(0, 2, n_points + 64)
        sums = np.concatenate([[0.0], values.cumsum()])
        means = [(sums[65:] - sums[65 - width : -width]) / width for width in (4, 16, 64)]
        surprise = np.where(rng.random(n_points) < 0.1, rng.normal(0, 2, n_points), 0.0)
        columns += [values[64:], *means, np.convolve(surprise, np.ones(16) / 16, "same")]
    table = np.stack(columns, axis=1)
    return ((table - np.median(table, axis=0)) / table.std(axis=0)).astype(np.float32)


def _default(letter: str, n_metrics: int) -> Case:
    """Return the forest that a detector of so many metrics has by default."""
    shape = ModelSettings(n_metrics, 1).forest_shape
    name = f"{letter} {shape.n_trees}x{shape.sample_size}x{shape.n_columns}"
    return Case(name, shape, lambda n_points, seed: five_columns(n_points, seed, n_metrics))


CASES = (
    Case("a 50x256x8", ForestShape(8, 50, 256, 1), shingles),
    Case("b 30x256x8", ForestShape(8, 30, 256, 1), shingles),
    Case("c 50x256x24", ForestShape(24, 50, 256, 1), lambda n, seed: shingles(n, seed, 3)),
    _default("d", 1),
    _default("e", 2),
)


def streams_of(case: Case) -> Streams:
    """Return the streams of a case, float32, shape (N_STREAMS, n_points, n_columns)."""
    return np.stack([case.make(N_TRAIN + N_FRESH, seed) for seed in range(N_STREAMS)])


def first_points(n_models: int) -> NDArray[np.int64]:
    """Return where in its stream each model goes on after the training."""
    return N_TRAIN + np.arange(n_models) // N_STREAMS * 37 % 4000


class Ours:
    """Outrider's forest."""

    name = "outrider"

    def __init__(self, case: Case, streams: Streams, n_models: int, n_train: int = N_TRAIN) -> None:
        self.streams, self.decay = streams, 0.1 / case.shape.sample_size
        self.cursors = first_points(n_models)
        self.state: ForestState = allocate(case.shape, n_models)
        for model in range(min(N_STREAMS, n_models)):
            reset(self.state, model, np.uint64(model + 1))
            self.learn(np.full(n_train, model), streams[model, :n_train])
        for array in arrays_of(self.state):
            for model in range(N_STREAMS, n_models):
                array[model] = array[model % N_STREAMS]
        self.state.random[:] += np.arange(n_models, dtype=np.uint64) * np.uint64(7919)

    def learn(self, slots: NDArray[np.int64], points: Streams) -> float:
        """Run points through the kernel and return seconds."""
        scores = np.empty(len(slots))
        begin = time.perf_counter()
        score_and_update_many(self.state, slots, np.ascontiguousarray(points), self.decay, scores)
        return time.perf_counter() - begin

    def next_points(self, order: Sequence[int], block: int) -> tuple[NDArray[np.int64], Streams]:
        """Take the next points of the models in `order` and move their cursors."""
        models = np.asarray(order, dtype=np.int64)
        steps = (self.cursors[models][:, np.newaxis] + np.arange(block)) % self.streams.shape[1]
        self.cursors[models] += block
        points = self.streams[models[:, np.newaxis] % N_STREAMS, steps]
        return np.repeat(models, block), points.reshape(-1, points.shape[-1])

    def visit(self, order: Sequence[int], block: int) -> float:
        """Score, then learn; return seconds."""
        return self.learn(*self.next_points(order, block))


class Krcf:
    """The Rust forest through its Python binding, point by point as the binding has it."""

    name = "krcf"

    def __init__(self, case: Case, streams: Streams, n_models: int) -> None:
        from krcf import RandomCutForest  # noqa: PLC0415 - an extra, imported where it is measured

        self.points = [[list(map(float, point)) for point in stream] for stream in streams]
        self.cursors = first_points(n_models).tolist()
        self.models = []
        for model in range(min(N_STREAMS, n_models)):
            options = {
                "dimensions": case.shape.n_columns,
                "shingle_size": 1,
                "num_trees": case.shape.n_trees,
                "sample_size": case.shape.sample_size,
                "time_decay": 0.1 / case.shape.sample_size,
                "output_after": 1,
                "initial_accept_fraction": 1.0,
                "parallel_execution_enabled": False,
                "random_seed": model + 1,
            }
            forest = RandomCutForest(options)
            for point in self.points[model][:N_TRAIN]:
                forest.score(point)
                forest.update(point)
            self.models.append(forest)
        self.models += [self.models[model % N_STREAMS].clone() for model in range(N_STREAMS, n_models)]

    def visit(self, order: Sequence[int], block: int) -> float:
        """Score, then learn; return seconds."""
        begin = time.perf_counter()
        for model in order:
            forest, points, at = self.models[model], self.points[model % N_STREAMS], self.cursors[model]
            for step in range(at, at + block):
                point = points[step % len(points)]
                forest.score(point)
                forest.update(point)
            self.cursors[model] = at + block
        return time.perf_counter() - begin


class Java:
    """The Java forest of jrcf, in a virtual machine of its own; needs a `java` with a compiler, 17 or later."""

    name = "java"

    def __init__(self, case: Case, streams: Streams, n_models: int) -> None:
        spec = find_spec("jrcf")
        if spec is None or spec.origin is None:
            msg = "jrcf is not installed: pip install 'outrider[bench]'"
            raise ModuleNotFoundError(msg)
        self.folder = tempfile.TemporaryDirectory()
        table = Path(self.folder.name) / "streams"
        table.write_bytes(streams.astype("<f4").tobytes())
        sizes = (*streams.shape, case.shape.n_trees, case.shape.sample_size, n_models, N_TRAIN)
        source = Path(__file__).with_name("ForestPeer.java")
        jars = Path(spec.origin).parent / "lib" / "*"
        command = [
            "java",
            "-XX:MaxRAMPercentage=45",
            "-XX:+UseSerialGC",
            "-cp",
            str(jars),
            str(source),
            str(table),
        ]
        self.process = subprocess.Popen(
            [*command, *map(str, sizes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._answer() != "ready":
            msg = (
                "the Java forest did not start; it needs a `java` of 17 or later with a compiler on the path"
            )
            raise RuntimeError(msg)

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def visit(self, order: Sequence[int], block: int) -> float:
        """Score, then learn; return seconds."""
        assert self.process.stdin is not None
        print("visit", block, *order, file=self.process.stdin, flush=True)
        return int(self._answer()) / 1e9

    def close(self) -> None:
        """End the virtual machine."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


class Rrcf:
    """The forest in Python: every tree takes every point and forgets its oldest; the score is displacement."""

    name = "rrcf"

    def __init__(self, case: Case, streams: Streams, _n_models: int = 1) -> None:
        import rrcf  # noqa: PLC0415 - an extra, imported where it is measured

        self.points, self.size, self.at = (
            streams[0].astype(float),
            case.shape.sample_size,
            case.shape.sample_size,
        )
        self.trees = [rrcf.RCTree() for _ in range(case.shape.n_trees)]
        for tree in self.trees:
            for index in range(self.size):
                tree.insert_point(self.points[index], index=index)

    def visit(self, order: Sequence[int], block: int) -> float:
        """Score, then learn; return seconds."""
        begin = time.perf_counter()
        for _ in range(len(order) * block):
            for tree in self.trees:
                tree.forget_point(self.at - self.size)
                tree.insert_point(self.points[self.at], index=self.at)
                tree.codisp(self.at)
            self.at += 1
        return time.perf_counter() - begin


def note(text: str) -> None:
    """Tell the person who waits, on standard error."""
    print(text, file=sys.stderr, flush=True)
