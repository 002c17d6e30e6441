"""The facade: what it refuses, and that nothing but a model's own seed and points changes its results."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.forest.forest import RandomCutForest
from detector.forest.kernels.many import score_and_update_many
from detector.forest.kernels.prepare import NO_SLOT, prefetch, prepare
from detector.forest.kernels.scratch import make_scratch
from detector.forest.kernels.update import score, score_and_update, score_prepared, update, update_prepared
from detector.forest.state import ForestShape, allocate, arrays_of, grow, model_bytes, shape_of
from detector.model.fleet import ModelSettings

SHAPE = ForestShape(n_columns=3, n_trees=6, sample_size=32, code_bytes=1)
DIGEST = """
import hashlib, numpy as np
from detector.forest.forest import RandomCutForest
from detector.forest.state import ForestShape
digest = hashlib.blake2b()
for shape in (ForestShape(1, 2, 8), ForestShape(9, 2, 16, 1), ForestShape(40, 2, 8, 1), ForestShape(3, 2, 16)):
    forest = RandomCutForest(shape, 2, [5, 6], 0.05)
    rng = np.random.default_rng(1)
    for _ in range(2):
        slots = rng.integers(0, 2, 340)
        points = rng.normal(size=(340, shape.n_columns)).round(1)
        digest.update(forest.score_and_update(slots, points).tobytes())
    parts = forest.attribution(slots[:20], points[:20] + 1)
    missing = rng.random((20, shape.n_columns)) < 0.4
    filled = forest.impute(slots[:20], points[:20], missing)
    for array in (*parts, filled, *forest._state):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def stream(n_points: int, seed: int = 1, n_columns: int = 3) -> NDArray[np.float32]:
    """Return points with many duplicates."""
    return np.random.default_rng(seed).normal(size=(n_points, n_columns)).round(1).astype(np.float32)


def forest_of(n_models: int) -> RandomCutForest:
    """Return models with seeds 100, 101, ..."""
    return RandomCutForest(SHAPE, n_models, 100 + np.arange(n_models))


def test_results_do_not_depend_on_the_company_order_or_batch() -> None:
    """Model 2 gives the same scores alone, one point a call, and among others in any order."""
    points = stream(900)
    slots = np.random.default_rng(2).integers(0, 4, 900)
    together = forest_of(4).score_and_update(slots, points)
    alone = RandomCutForest(SHAPE, 1, [102])
    own = slots == 2
    assert own.sum() > 100
    singly = np.array([alone.score_and_update([0], [point])[0] for point in points[own]])
    assert (singly == together[own]).all()
    sorted_by_model = np.argsort(slots, kind="stable")
    grouped = forest_of(4).score_and_update(slots[sorted_by_model], points[sorted_by_model])
    assert (grouped == together[sorted_by_model]).all()


def test_results_do_not_depend_on_threads() -> None:
    """Two threads over disjoint models give what one gives."""
    points, slots = stream(4000), np.random.default_rng(3).integers(0, 8, 4000)
    one, two = forest_of(8), forest_of(8)
    expected = one.score_and_update(slots, points)
    halves = [slots < 4, slots >= 4]
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda half: two.score_and_update(slots[half], points[half]), halves)
        for half, scores in zip(halves, results, strict=True):
            assert (scores == expected[half]).all()


def test_all_ways_to_score_and_learn_agree_bit_for_bit() -> None:
    """Fused, in two steps, prepared ahead, and batched: same scores, same models."""
    points = stream(300)
    states = [allocate(SHAPE, 1) for _ in range(4)]
    fused = [score_and_update(states[0], 0, point, 0.01) for point in points]
    split = []
    for point in points:
        split.append(score(states[1], 0, point))
        update(states[1], 0, point, 0.01)
    prepared = []
    scratch = make_scratch(states[2])
    for point in points:
        prefetch(states[2], 0)
        prepare(states[2], 0, point, scratch)
        prepared.append(score_prepared(states[2], 0, scratch, NO_SLOT))
        update_prepared(states[2], 0, scratch, 0.01)
    batched = np.empty(300)
    score_and_update_many(states[3], np.zeros(300, dtype=np.int64), points, 0.01, batched)
    assert fused == split == prepared == batched.tolist()
    for other in states[1:]:
        for ours, theirs in zip(arrays_of(states[0]), arrays_of(other), strict=True):
            assert (ours == theirs).all()


def test_compiled_and_plain_code_agree_bit_for_bit() -> None:
    """With the JIT disabled every kernel, and the plain twin of every instruction, gives the same bytes."""
    digests = []
    for disabled in ("0", "1"):
        environment = os.environ | {"NUMBA_DISABLE_JIT": disabled}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", DIGEST],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        digests.append(done.stdout)
    assert digests[0] == digests[1]
    assert len(digests[0]) > 100


def test_a_saved_forest_continues_bit_for_bit() -> None:
    """Before it is full and after, what is loaded goes on as the original does."""
    points = stream(400)
    for n_before in (0, 5, 300):
        forest = forest_of(2)
        slots = np.arange(400) % 2
        forest.score_and_update(slots[:n_before], points[:n_before])
        copy = RandomCutForest.load(forest.save())
        rest = forest.score_and_update(slots[n_before:], points[n_before:])
        assert (copy.score_and_update(slots[n_before:], points[n_before:]) == rest).all()
        assert copy.save() == forest.save()


def test_a_damaged_or_foreign_save_is_refused() -> None:
    """Cut short, changed, or of another version: each with a message that says so."""
    block = forest_of(1).save()
    changed = bytearray(block)
    changed[len(block) // 2] ^= 0xFF
    for damaged in (b"", block[:-40], bytes(changed), b"x" * 100):
        with pytest.raises(ValueError, match="the saved forest is damaged"):
            RandomCutForest.load(damaged)


def test_growing_keeps_the_models_there_are() -> None:
    """Slots keep their models, new ones are empty, and shrinking is refused."""
    state = allocate(SHAPE, 2)
    for point in stream(50):
        score_and_update(state, 1, point, 0.01)
    larger = grow(state, 5)
    assert shape_of(larger) == SHAPE
    point = np.zeros(3, dtype=np.float32)
    assert score(larger, 1, point) == score(state, 1, point) > 0
    assert score(larger, 4, point) == 0.0
    with pytest.raises(ValueError, match="`n_models` must be at least the 5 slots there are, got 4"):
        grow(larger, 4)


def test_models_are_as_small_as_documented() -> None:
    """The plugin's shape and the default for one metric and for two."""
    assert model_bytes(ForestShape(8, 50, 256, 1)) < 155_000
    assert model_bytes(ModelSettings(1, 1).forest_shape) < 75_000
    assert model_bytes(ModelSettings(2, 1).forest_shape) < 116_000


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (ForestShape(0, 10, 64), "`n_columns` must be in 1..254, got 0"),
        (ForestShape(255, 10, 64), "`n_columns` must be in 1..254, got 255"),
        (ForestShape(3, 0, 64), "`n_trees` must be in 1..1024, got 0"),
        (ForestShape(3, 10, 1), "`sample_size` must be in 2..1024, got 1"),
        (ForestShape(3, 10, 1025), "`sample_size` must be in 2..1024, got 1025"),
        (ForestShape(3, 10, 64, 4), "`code_bytes` must be in 1..2, got 4"),
    ],
)
def test_a_shape_outside_its_limits_is_refused(shape: ForestShape, message: str) -> None:
    """With the field, its limits and what was given."""
    with pytest.raises(ValueError, match=message):
        RandomCutForest(shape, 1, [1])


@pytest.mark.parametrize(
    ("slots", "points", "message"),
    [
        ([0.0], [[0, 0, 0]], r"`slots` must be integers of shape \(any\), got float64 of shape \(1,\)"),
        ([[0]], [[0, 0, 0]], r"`slots` must be integers of shape \(any\), got int64 of shape \(1, 1\)"),
        ([2], [[0, 0, 0]], r"`slots` must be in 0..1, got 2..2"),
        ([-1], [[0, 0, 0]], r"`slots` must be in 0..1, got -1..-1"),
        ([0], [[0, 0]], r"`points` must be real numbers of shape \(1, 3\), got int64 of shape \(1, 2\)"),
        (
            [0, 1],
            [[0, 0, 0]],
            r"`points` must be real numbers of shape \(2, 3\), got int64 of shape \(1, 3\)",
        ),
        ([0], [["a", "b", "c"]], r"`points` must be real numbers of shape \(1, 3\), got <U1"),
        ([0], [[0, np.nan, 0]], r"`points` must be finite, got nan at \[0, 1\]"),
        ([0], [[0, 0, -np.inf]], r"`points` must be finite, got -inf at \[0, 2\]"),
    ],
)
def test_bad_arrays_are_refused(slots: list[int], points: list[list[float]], message: str) -> None:
    """Nothing that a kernel could not stand reaches one, and the message has what was given and what is wanted."""
    forest = forest_of(2)
    for method in (forest.score, forest.score_and_update, forest.update, forest.attribution):
        with pytest.raises(ValueError, match=message):
            method(slots, points)


def test_bad_arguments_are_refused() -> None:
    """Seeds, decay, mask and forecast each have their limits."""
    with pytest.raises(ValueError, match=r"`seeds` must have shape \(2,\), one a model, got \(3,\)"):
        RandomCutForest(SHAPE, 2, [1, 2, 3])
    with pytest.raises(ValueError, match="`n_models` must be at least 1, got 0"):
        RandomCutForest(SHAPE, 0, [])
    with pytest.raises(ValueError, match=r"`time_decay` must be in 0..1, got -0.1"):
        RandomCutForest(SHAPE, 1, [1], -0.1)
    forest = forest_of(1)
    with pytest.raises(
        ValueError, match=r"`missing` must be bool of shape \(1, 3\), got int64 of shape \(1, 3\)"
    ):
        forest.impute([0], [[0, 0, 0]], [[1, 0, 0]])
    with pytest.raises(ValueError, match="`n_features` must divide the 3 columns and be smaller, got 2"):
        forest.forecast([0], [[0, 0, 0]], 2, 1)
    with pytest.raises(ValueError, match="`n_steps` must be at least 1, got 0"):
        forest.forecast([0], [[0, 0, 0]], 1, 0)
