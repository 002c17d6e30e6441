"""What a model costs beside its forest: the fleet against the forest alone, on the same points, in the same run.

`python -m benchmarks.model` prints nanoseconds a point, one thread: the fleet, its forest alone, and the difference of
the two repeat by repeat. *Hot* is one model over many windows; *cold* is a fleet beyond the last-level cache, one
window a visit in random order. `warm_up` counts what a tick costs while a fleet that started at once grows up.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.forests import note
from benchmarks.report import line
from detector.forest.kernels.many import score_and_update_many
from detector.forest.state import ForestState, allocate, arrays_of
from detector.model.fleet import Fleet, ModelSettings

INTERVAL_MS = 300_000
START_MS = 1_400_000_100_000 // INTERVAL_MS * INTERVAL_MS
N_STREAMS = 8
N_TRAIN = 3_000
N_FRESH = 34_000
"""Windows behind the training: none is seen twice."""

REPEATS = 15
HOT_WINDOWS = 2_000
N_COLD = 2_000
"""Models of each side: 250 MB of forests, many times the last-level cache."""

WARM_UP_MODELS = 1_000
WARM_UP_WINDOWS = 340


class Stream(NamedTuple):
    """Values of a fleet and the points that its forests see.

    Attributes
    ----------
    times
        Window ends, int64, shape (n_windows,).
    values
        Float64, shape (n_windows, N_STREAMS, n_metrics).
    points
        Float32, shape (N_FRESH, N_STREAMS, n_columns): the input of the forest in the windows after the training.
    """

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    points: NDArray[np.float32]


def make_values(n_windows: int, n_models: int, n_metrics: int) -> NDArray[np.float64]:
    """Return daily rhythms with noise, float64, shape (n_windows, n_models, n_metrics)."""
    rng = np.random.default_rng(1)
    day = 2 * np.pi * np.arange(n_windows)[:, None, None] * INTERVAL_MS / 86_400_000
    phase = rng.uniform(0, 6, (1, n_models, n_metrics))
    return 100 + 20 * np.sin(day + phase) + rng.normal(0, 3, (n_windows, n_models, n_metrics))


def observe(
    fleet: Fleet, slots: NDArray[np.int64], times: NDArray[np.int64], values: NDArray[np.float64]
) -> float:
    """Let models see windows; return seconds."""
    present = np.ones(values.shape[:2], np.bool_)
    begin = time.thread_time()
    fleet.observe(slots, times, values, present)
    return time.thread_time() - begin


def trained(settings: ModelSettings) -> tuple[Fleet, Stream]:
    """Return a fleet after its training, and the stream with the points that follow."""
    n_windows = N_TRAIN + N_FRESH
    times = START_MS + np.arange(1, n_windows + 1) * INTERVAL_MS
    values = make_values(n_windows, N_STREAMS, settings.n_features)
    fleet, scout = Fleet(settings), Fleet(settings)
    slots = np.arange(N_STREAMS)
    for one in (fleet, scout):
        one.add(np.arange(N_STREAMS, dtype=np.uint64))
        observe(one, slots, times[:N_TRAIN], values[:N_TRAIN])
    points = np.empty((N_FRESH, N_STREAMS, settings.forest_shape.n_columns), np.float32)
    for window in range(N_FRESH):
        now = slice(N_TRAIN + window, N_TRAIN + window + 1)
        observe(scout, slots, times[now], values[now])
        points[window] = points_of(scout)
    return fleet, Stream(times[N_TRAIN:], values[N_TRAIN:], points)


def points_of(fleet: Fleet) -> NDArray[np.float32]:
    """Return the last input of the forests, float32, shape (N_STREAMS, n_columns); no column is beyond the knee."""
    saved = fleet.save(0, N_STREAMS)
    feature, center, spread = (saved[f"metric.transform.{name}"] for name in ("feature", "center", "spread"))
    return ((feature - center) / spread).reshape(N_STREAMS, -1).astype(np.float32)


def copies(fleet: Fleet, n_models: int) -> Fleet:
    """Return a fleet of copies of the trained models, with random numbers of their own."""
    larger = Fleet(fleet.settings)
    larger.add(np.arange(n_models, dtype=np.uint64))
    own = np.arange(n_models) % N_STREAMS
    arrays = {name: array[own] for name, array in fleet.save(0, N_STREAMS).items()}
    arrays["forest.random"] = arrays["forest.random"] + np.arange(n_models, dtype=np.uint64) * np.uint64(7919)
    larger.load(0, arrays)
    return larger


def forest_of(fleet: Fleet) -> ForestState:
    """Return copies of the fleet's forests."""
    saved = fleet.save(0, fleet.n_models)
    state = allocate(fleet.settings.forest_shape, fleet.n_models)
    for name, array in zip(state._fields, arrays_of(state), strict=True):
        array[:] = saved[f"forest.{name}"]
    return state


def beside(case: str, rounds: Iterator[tuple[float, float, int]]) -> None:
    """Print fleet, forest and difference of rounds that measured both, the first of which only warms up."""
    next(rounds)
    found = [(fleet / n * 1e9, forest / n * 1e9) for fleet, forest, n in rounds]
    line("model", case, "fleet_per_point", "ns", [fleet for fleet, _ in found])
    line("model", case, "forest_per_point", "ns", [forest for _, forest in found])
    line("model", case, "beside_forest_per_point", "ns", [fleet - forest for fleet, forest in found])


def hot(fleet: Fleet, stream: Stream) -> Iterator[tuple[float, float, int]]:
    """Yield seconds of fleet and forest for one model and many windows."""
    fleet, slot = copies(fleet, N_STREAMS), np.zeros(1, np.int64)
    forest, decay = forest_of(fleet), 1 / fleet.settings.recency_emphasis
    slots, scores = np.zeros(HOT_WINDOWS, np.int64), np.empty(HOT_WINDOWS)
    for first in range(0, (REPEATS + 1) * HOT_WINDOWS, HOT_WINDOWS):
        now = slice(first, first + HOT_WINDOWS)
        values, points = (np.ascontiguousarray(part[now, :1]) for part in (stream.values, stream.points))
        ours = observe(fleet, slot, stream.times[now], values)
        begin = time.thread_time()
        score_and_update_many(forest, slots, points[:, 0], decay, scores)
        yield ours, time.thread_time() - begin, HOT_WINDOWS


def cold(fleet: Fleet, stream: Stream) -> Iterator[tuple[float, float, int]]:
    """Yield seconds of fleet and forest for many models and one window."""
    fleet = copies(fleet, N_COLD)
    forest, decay, scores = forest_of(fleet), 1 / fleet.settings.recency_emphasis, np.empty(N_COLD)
    rng = np.random.default_rng(3)
    for window in range(2 * REPEATS + 1):
        order = rng.permutation(N_COLD)
        values = stream.values[window : window + 1, order % N_STREAMS]
        points = stream.points[window, order % N_STREAMS]
        ours = observe(fleet, order, stream.times[window : window + 1], values)
        begin = time.thread_time()
        score_and_update_many(forest, order, points, decay, scores)
        yield ours, time.thread_time() - begin, N_COLD


def warm_up(settings: ModelSettings) -> None:
    """Print what ticks cost, a model, while models that started in one window grow up."""
    fleet = Fleet(settings)
    fleet.add(np.random.default_rng(5).integers(0, 2**63, WARM_UP_MODELS).astype(np.uint64))
    values = make_values(WARM_UP_WINDOWS, WARM_UP_MODELS, settings.n_features)
    slots = np.arange(WARM_UP_MODELS)
    costs = np.empty(WARM_UP_WINDOWS)
    for window in range(WARM_UP_WINDOWS):
        times = np.array([START_MS + window * INTERVAL_MS])
        costs[window] = observe(fleet, slots, times, values[window : window + 1]) / WARM_UP_MODELS * 1e9
    line("model", "warm-up, windows 1 to 30", "per_model_and_tick", "ns", costs[1:30].tolist())
    line("model", "warm-up, windows 30 to 45", "per_model_and_tick", "ns", costs[30:45].tolist())
    line("model", "warm-up, windows 45 to 190", "per_model_and_tick", "ns", costs[45:190].tolist())
    line("model", "warm-up, windows 190 to 320", "per_model_and_tick", "ns", costs[190:320].tolist())
    line("model", "warm-up, windows 320 to 340", "per_model_and_tick", "ns", costs[320:].tolist())


def main() -> None:
    """Measure one and two metrics, hot and cold, and the warm-up."""
    for n_metrics in (1, 2):
        settings = ModelSettings(n_metrics, INTERVAL_MS)
        note(f"training {n_metrics} metrics")
        fleet, stream = trained(settings)
        beside(f"hot, {n_metrics} metrics", hot(fleet, stream))
        beside(f"cold, {n_metrics} metrics", cold(fleet, stream))
    warm_up(ModelSettings(1, INTERVAL_MS))


if __name__ == "__main__":
    main()
