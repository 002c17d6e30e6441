"""Trees after every insertion and deletion: what the records say must be what the points say."""

import random
from collections import Counter

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import streams, wide_streams
from trees import check_model, tree_of, trees_of

from detector.forest.kernels.descend import descend, descend_alive, start
from detector.forest.kernels.quantise import cut_at, decode, encode, encode_point, steps_of
from detector.forest.kernels.scratch import make_scratch
from detector.forest.kernels.update import reset, score_and_update, update
from detector.forest.state import ForestShape, ForestState, allocate


def fresh(n_columns: int, n_trees: int, sample_size: int, seed: int = 1, code_bytes: int = 1) -> ForestState:
    """Return the state of one fresh model."""
    state = allocate(ForestShape(n_columns, n_trees, sample_size, code_bytes), 1)
    reset(state, 0, np.uint64(seed))
    return state


def steps_of_point(state: ForestState, point: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the steps of a point, as trees see it."""
    codes = np.zeros(len(point), dtype=state.points.dtype)
    encode_point(point, codes)
    return tuple(steps_of(int(code), codes) for code in codes)


def learn_checked(state: ForestState, points: NDArray[np.float32], time_decay: float) -> None:
    """Learn points one by one and recompute everything after each."""
    seen: Counter[tuple[int, ...]] = Counter()
    for point in points:
        value = score_and_update(state, 0, point, time_decay)
        assert 0.0 <= value <= np.log2(state.keys.shape[2] + 1)
        seen[steps_of_point(state, point)] += 1
        check_model(state, 0)
        for tree in trees_of(state, 0):
            assert Counter(tree.points()) <= seen


@settings(max_examples=40, deadline=None)
@given(
    points=streams(),
    sample_size=st.sampled_from([2, 3, 8, 16]),
    seed=st.integers(0, 2**64 - 1),
    code_bytes=st.sampled_from([1, 2]),
)
def test_trees_hold_whatever_the_points_are(
    points: NDArray[np.float32], sample_size: int, seed: int, code_bytes: int
) -> None:
    """Duplicates, constants, neighbours, denormals, huge values and uneven columns keep every invariant."""
    learn_checked(fresh(points.shape[1], 2, sample_size, seed, code_bytes), points, 0.3)


@settings(max_examples=15, deadline=None)
@given(points=wide_streams(), code_bytes=st.sampled_from([1, 2]))
def test_trees_hold_for_any_number_of_columns(points: NDArray[np.float32], code_bytes: int) -> None:
    """One vector, several and a part of one are all measured right."""
    learn_checked(fresh(points.shape[1], 2, 8, code_bytes=code_bytes), points, 0.1)


@pytest.mark.parametrize(
    ("sample_size", "code_bytes"), [(2, 1), (255, 1), (256, 1), (257, 1), (1024, 1), (256, 2), (257, 2)]
)
def test_trees_hold_for_every_width_of_record(sample_size: int, code_bytes: int) -> None:
    """The fullest record of three and of four bytes, the first of eight and the largest sample keep every invariant."""
    state = fresh(2, 1, sample_size, code_bytes=code_bytes)
    rng = np.random.default_rng(3)
    n_points = sample_size + 60
    for index, point in enumerate(rng.normal(size=(n_points, 2)).astype(np.float32)):
        score_and_update(state, 0, point, 0.01)
        if index % 37 == 0 or index > n_points - 20:
            check_model(state, 0)
    assert len(tree_of(state, 0, 0).points()) == sample_size


def test_a_tree_degenerates_into_a_chain_without_harm() -> None:
    """Powers of two make a tree as deep as it has points."""
    state = fresh(1, 4, 16)
    points = (2.0 ** np.arange(-8, 7)).astype(np.float32)[:, np.newaxis]
    learn_checked(state, np.tile(points, (4, 1)), 0.1)


def test_a_full_tree_takes_every_point_when_it_is_new() -> None:
    """As long as a tree is not full, it holds exactly what it was shown."""
    state = fresh(3, 5, 64)
    points = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    for point in points:
        score_and_update(state, 0, point, 0.001)
    expected = Counter(steps_of_point(state, point) for point in points)
    assert all(Counter(tree.points()) == expected for tree in trees_of(state, 0))


def test_positive_and_negative_zero_are_one_value() -> None:
    """A point of negative zeros equals one of zeros: the second scores as seen."""
    state = fresh(2, 10, 8)
    score_and_update(state, 0, np.array([0.0, -0.0], dtype=np.float32), 0.01)
    assert score_and_update(state, 0, np.array([-0.0, 0.0], dtype=np.float32), 0.01) == 0.5
    assert all(isinstance(tree, naive.Leaf) for tree in trees_of(state, 0))


def test_values_beyond_the_range_take_the_code_of_its_end() -> None:
    """Codes of two bytes are rounded to the nearest, and saturate."""
    values = [-1e9, -128.0, -1 / 512, 0.0, 1 / 512, 1 / 256, 127.99609375, 128.0, 3e38]
    codes = np.zeros(1, np.uint16)
    assert [encode(value, codes) for value in values] == [
        0,
        0,
        32768,
        32768,
        32769,
        32769,
        65535,
        65535,
        65535,
    ]


def test_codes_of_one_byte_are_the_nearest_of_a_small_floating_point_number() -> None:
    """Against all values there are: the nearest, monotone, symmetric, saturating; -0.0 is 0.0."""
    codes = np.zeros(1, np.uint8)
    table = np.array([decode(code, codes) for code in range(1, 256)])
    sizes = [m / 32 for m in range(32)] + [m * 2.0**e / 32 for e in range(1, 7) for m in range(16, 32)]
    assert table.tolist() == [-size for size in sizes[:0:-1]] + sizes
    values = np.concatenate([np.linspace(-70, 70, 9999), np.geomspace(1e-6, 1e30, 999), table, [-0.0, 1e300]])
    found = np.array([encode(value, codes) for value in values])
    errors = np.abs(table[np.newaxis, :] - np.clip(values, -62, 62)[:, np.newaxis])
    chosen = np.abs(table[found - 1] - np.clip(values, -62, 62))
    assert (chosen == errors.min(axis=1)).all()
    assert (np.diff(found[:9999]) >= 0).all()
    assert [encode(-value, codes) for value in values] == (256 - found).tolist()


@pytest.mark.parametrize("code_bytes", [1, 2])
def test_a_cut_has_on_its_left_what_has_no_more_steps(code_bytes: int) -> None:
    """For every number of steps there is: the code of the cut is the largest that does not exceed it."""
    codes = np.zeros(1, np.uint8 if code_bytes == 1 else np.uint16)
    steps = np.array([steps_of(code, codes) for code in range(1, 256)])
    for limit in range(steps[0], steps[-1] + 1):
        assert cut_at(limit, codes) == np.searchsorted(steps, limit, side="right")


@pytest.mark.parametrize("code_bytes", [1, 2])
def test_cuts_follow_the_law_of_the_naive_twin(code_bytes: int) -> None:
    """The root's cut falls on a column with probability proportional to its side, and uniformly along it."""
    rng = np.random.default_rng(5)
    points = (rng.normal(size=(40, 3)) * [1, 2, 5]).astype(np.float32)
    state = fresh(3, 1000, 16, seed=9, code_bytes=code_bytes)
    for point in points:
        score_and_update(state, 0, point, 0.02)
    share, left, own = np.zeros(3), [], np.zeros(3)
    for tree in trees_of(state, 0):
        assert isinstance(tree, naive.Node)
        lengths = np.array(naive.sides(tree.points()))
        share += lengths / lengths.sum()
        own[tree.column] += 1
        # The cut lies between two neighbours with the probability of their distance.
        values = np.unique([point[tree.column] for point in tree.points()])
        before = np.searchsorted(values, tree.cut, side="right") - 1
        left.append((values[before] + values[before + 1] - 2 * values[0]) / 2 / lengths[tree.column])
    assert np.abs(own - share).max() < 4 * np.sqrt(share.max())
    assert abs(np.mean(left) - 0.5) < 4 * np.sqrt(1 / 12 / 1000)


def test_scores_follow_the_naive_forest() -> None:
    """Over a stream with duplicates, mean and spread of scores are those of a forest built top-down."""
    rng = np.random.default_rng(8)
    points = rng.normal(size=(400, 3)).round(1).astype(np.float32)
    states = [fresh(3, 30, 32, seed) for seed in range(8)]
    ours = np.array([[score_and_update(state, 0, point, 0.01) for point in points] for state in states])
    twin = naive.Forest(30, 32, 0.01, random.Random(1))
    theirs = [twin.score_and_update(steps_of_point(states[0], point)) for point in points]
    late = ours[:, 64:]
    assert abs(late.mean() - np.mean(theirs[64:])) < 4 * late.mean(axis=1).std()
    tails = np.quantile(late, 0.95, axis=1)
    assert abs(tails.mean() - np.quantile(theirs[64:], 0.95)) < 4 * tails.std()
    assert np.corrcoef(late[0], theirs[64:])[0, 1] > 0.9


@settings(max_examples=30, deadline=None)
@given(
    n_trees=st.integers(8, 20),
    n_columns=st.sampled_from([1, 5, 8, 9, 24, 40]),
    sample_size=st.sampled_from([2, 3, 16, 256]),
    n_points=st.sampled_from([1, 2, 5, 400]),
    spread=st.sampled_from([0.0, 0.02, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_eight_trees_at_once_take_the_way_that_each_takes_alone(
    n_trees: int, n_columns: int, sample_size: int, n_points: int, spread: float, seed: int
) -> None:
    """Eight trees and more, leaves at any depth, groups of equal points, columns of one vector and of several."""
    state = fresh(n_columns, n_trees, sample_size, seed)
    rng = np.random.default_rng(seed)
    for point in rng.normal(0, spread, (n_points, n_columns)).astype(np.float32):
        update(state, 0, point, 0.01)
    abreast, alone = make_scratch(state), make_scratch(state)
    encode_point(rng.normal(0, spread, n_columns).astype(np.float32), abreast.query[0])
    alone.query[:] = abreast.query
    descend(state, 0, abreast)
    descend_alive(state, 0, start(state, 0, alone), alone)
    np.testing.assert_array_equal(abreast.depth, alone.depth)
    for tree, depth in enumerate(alone.depth.tolist()):
        np.testing.assert_array_equal(abreast.path[: depth + 1, tree], alone.path[: depth + 1, tree])
