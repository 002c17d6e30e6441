"""Measures the forest against the Rust, the Java and the Python one: `python -m benchmarks.forest [CASE ...]`.

A case is `start`, or the first letter of a configuration.

Everything of a configuration is measured in one run, on one thread, ours and the peers' in turn, hot (one model) and
cold (many models, one point a visit in random order, together beyond four times the last-level cache).
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from benchmarks.forest_threads import compare_threads
from benchmarks.forests import CASES, N_STREAMS, Case, Java, Krcf, Ours, Peer, Rrcf, Streams, note, streams_of
from benchmarks.report import line
from detector.forest.kernels.many import attribute_many, forecast_many, score_many, update_many
from detector.forest.state import arrays_of, model_bytes
from detector.model.fleet import ModelSettings
from detector.packing import pack

REPEATS = 7
HOT_POINTS = 1000
COLD_CACHES = 4
"""Our models together are this many times the last-level cache, and more; the peers' are larger still."""

MEMORY_SHARE = 0.6
"""Of the free memory, for the models of all libraries: of processors with a very large cache there are fewer models."""


def last_level_cache() -> int:
    """Return the bytes of the largest cache the system reports, at least 8 MB."""
    found = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    return max([8 << 20, *(int(path.read_text().strip().removesuffix("K")) << 10 for path in found)])


def n_cold_models(case: Case) -> int:
    """Return how many models each library has when they are cold."""
    own = model_bytes(case.shape)
    # What both peers take was measured: a box of two floats a column, and 27 bytes, a point of a tree.
    theirs = case.shape.n_trees * case.shape.sample_size * (8 * case.shape.n_columns + 27)
    fitting = MEMORY_SHARE * psutil.virtual_memory().available / (own + 2 * theirs)
    return int(min(COLD_CACHES * last_level_cache() // own + 64, fitting))


def rates(
    peers: Sequence[Peer], orders: Callable[[], Sequence[int]], block: int, limits: Sequence[int]
) -> list[list[float]]:
    """Measure points a second of each peer, in turn, over the same orders cut to each peer's limit of visits."""
    found: list[list[float]] = [[] for _ in peers]
    for _ in range(REPEATS):
        order = list(orders())
        for peer, limit, rate in zip(peers, limits, found, strict=True):
            part = order[:limit]
            rate.append(len(part) * block / peer.visit(part, block))
    return found


def report(case: Case, kind: str, peers: Sequence[Peer], found: list[list[float]]) -> None:
    """Print ours against each peer."""
    for peer, theirs in zip(peers[1:], found[1:], strict=True):
        line(
            "forest",
            f"{kind} {case.name}",
            "points_per_second",
            "1/s",
            found[0],
            peer=peer.name,
            theirs=theirs,
        )


def compare(case: Case, streams: Streams) -> None:
    """Measure score and update, hot and cold."""
    n_models = n_cold_models(case)
    together = n_models * model_bytes(case.shape) / last_level_cache()
    line("forest", case.name, "cold_models_in_last_level_caches", "x", [together])
    note(f"{case.name}: filling {n_models} models of each library")
    java = Java(case, streams, n_models)
    peers: list[Peer] = [Ours(case, streams, n_models), Krcf(case, streams, n_models), java]
    numbers = itertools.count()
    rng = np.random.default_rng(7)
    report(case, "hot", peers, rates(peers, lambda: [next(numbers) % 8], HOT_POINTS, [1, 1, 1]))
    shuffled = lambda: rng.permutation(n_models).tolist()  # noqa: E731 - used twice, here only
    rates(peers, lambda: shuffled()[:200], 1, [200, 200, 200])
    report(case, "cold", peers, rates(peers, shuffled, 1, [n_models] * 3))
    for block in (10, 50):
        visits = max(n_models // block, 20)
        found = rates(peers, shuffled, block, [visits] * 3)
        report(case, f"cold, {block} points a visit", peers, found)
    java.close()
    ours = Ours(case, streams, n_models)
    compare_threads(case, ours)
    if case.name.startswith("a"):
        rrcf = Rrcf(case, streams)
        found = rates([ours, rrcf], lambda: [0], 60, [1, 1])
        line("forest", f"hot {case.name}", "points_per_second", "1/s", found[0], peer="rrcf", theirs=found[1])


def parts(case: Case, streams: Streams) -> None:
    """Measure the single operations on a hot model: the peer's are those of its binding, point by point."""
    ours = Ours(case, streams, 1)
    krcf = Krcf(case, streams, 1).models[0]
    n_points, n_columns = 500, case.shape.n_columns
    slots = np.zeros(n_points, dtype=np.int64)
    scores, high, low = np.empty(n_points), np.empty((n_points, n_columns)), np.empty((n_points, n_columns))
    width = n_columns // (5 if n_columns % 8 else 8)
    ahead = np.empty((3, 50, 1, width), dtype=np.float32)
    at = itertools.count(5000, n_points)

    def timed(call: Callable[[], object], n: int) -> float:
        begin = time.perf_counter()
        call()
        return n / (time.perf_counter() - begin)

    rows: dict[str, list[list[float]]] = {}
    for repeat in range(REPEATS + 1):
        first = next(at)
        points = np.ascontiguousarray(streams[0, first : first + n_points])
        lists = [list(map(float, point)) for point in points]
        calls: dict[str, list[Callable[[], object]]] = {
            "score": [
                lambda p=points: score_many(ours.state, slots, p, scores),
                lambda q=lists: [krcf.score(x) for x in q],
            ],
            "update": [
                lambda p=points: update_many(ours.state, slots, p, ours.decay),
                lambda q=lists: [krcf.update(x) for x in q],
            ],
            "attribution": [
                lambda p=points: attribute_many(ours.state, slots, p, high, low),
                lambda q=lists: [krcf.attribution(x) for x in q],
            ],
        }
        for name, (own, other) in calls.items():
            row = rows.setdefault(name, [[], []])
            row[0].append(timed(own, n_points))
            row[1].append(timed(other, n_points))
        row = rows.setdefault("forecast of one step", [[]])
        row[0].append(
            timed(lambda p=points: forecast_many(ours.state, slots[:50], p[:50], width, *ahead), 50)
        )
        if repeat == 0:
            rows.clear()  # compiled and warm from here on
    for name, (own, *other) in rows.items():
        compared = {"peer": "krcf", "theirs": other[0]} if other else {}
        line("forest", f"hot, {name} {case.name}", "points_per_second", "1/s", own, **compared)  # type: ignore[arg-type]


def sizes(case: Case, streams: Streams) -> None:
    """Measure bytes a model in memory and as a checkpoint, in groups of eight that differ."""
    line("forest", case.name, "bytes_per_model", "B", [model_bytes(case.shape)])
    line("forest", case.name, "resident_bytes_per_model", "B", [resident(case)])
    for n_points in (40, 3000):
        ours = Ours(case, streams, N_STREAMS, n_points)
        arrays = dict(zip(ours.state._fields, arrays_of(ours.state), strict=True))
        block = pack("forest", 1, {}, arrays)
        line(
            "forest",
            f"{case.name} after {n_points} points",
            "checkpoint_bytes",
            "B",
            [len(block) / N_STREAMS],
        )


def resident(case: Case) -> float:
    """Return what a fresh process grows by, a model, when it fills 1,000 of them."""
    program = (
        "import os; from pathlib import Path; from detector.forest.state import ForestShape, allocate, arrays_of;"
        "pages = lambda: int(Path('/proc/self/statm').read_text().split()[1]);"
        f"before = pages(); state = allocate({case.shape!r}, 1000);"
        "[array.fill(1) for array in arrays_of(state)];"
        "print((pages() - before) * os.sysconf('SC_PAGESIZE') / 1000)"
    )
    return float(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    )


def start() -> None:
    """Measure process start to first score, beyond importing numba, with and without compiled code on disk."""
    program = (
        "import numpy as np; from detector.forest.state import ForestShape, allocate;"
        "from detector.forest.kernels.update import reset, score_and_update;"
        f"state = allocate({ModelSettings(1, 1).forest_shape!r}, 1); reset(state, 0, np.uint64(1));"
        "score_and_update(state, 0, np.zeros(5, dtype=np.float32), 1 / 2560)"
    )

    def run(text: str, folder: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True, env=os.environ | {"NUMBA_CACHE_DIR": folder})
        return time.perf_counter() - begin

    with tempfile.TemporaryDirectory() as folder:
        line("forest", "first score, nothing compiled", "seconds", "s", [run(program, folder)])
        pairs = [(run(program, folder), run("import numba", folder)) for _ in range(REPEATS)]
    line("forest", "first score, compiled", "seconds", "s", [pair[0] for pair in pairs])
    line(
        "forest",
        "first score, compiled, beyond import numba",
        "seconds",
        "s",
        [statistics.median(p[0] for p in pairs) - statistics.median(p[1] for p in pairs)],
    )


def main(names: Sequence[str]) -> None:
    """Run the cases that begin with one of `names`, or all of them."""
    if not names or "start" in names:
        start()
    for case in CASES:
        if names and case.name[0] not in names:
            continue
        streams = streams_of(case)
        sizes(case, streams)
        parts(case, streams)
        compare(case, streams)


if __name__ == "__main__":
    main(sys.argv[1:])
