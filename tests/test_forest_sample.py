"""Which points trees keep: the reference's sampling law, and its bookkeeping."""

import random

import naive
import numpy as np
import pytest

from detector.forest.kernels.many import update_many
from detector.forest.kernels.sample import accepted_key, codes_per_nat, filling_key, schedule
from detector.forest.kernels.update import reset, score_and_update, update
from detector.forest.state import ForestShape, ForestState, allocate


def trained(n_points: int, sample_size: int, n_trees: int, time_decay: float) -> ForestState:
    """Return a model whose points are their own index, modulo what a code can hold."""
    state = allocate(ForestShape(2, n_trees, sample_size, 2), 1)
    reset(state, 0, np.uint64(11))
    for index in range(n_points):
        update(state, 0, indexed(index), time_decay)
    return state


def indexed(index: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return a point that tells its index."""
    return np.array([index % 200, index // 200], dtype=np.float32) / 2


def indices(state: ForestState) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """Return the indices of the points of all trees, int64, shape (n_trees, sample_size)."""
    values = (state.points[0].astype(np.int64) - 32768) // 128
    return values[..., 1] * 200 + values[..., 0]


@pytest.mark.parametrize(("sample_size", "time_decay"), [(32, 1 / 320), (64, 0.0), (16, 1 / 16), (16, 0.5)])
def test_ages_of_kept_points_follow_the_naive_sampler(sample_size: int, time_decay: float) -> None:
    """Quantiles of the ages, over many trees, agree with keys kept as plain numbers."""
    n_points, n_trees = 40 * sample_size, 200
    ages = n_points - 1 - indices(trained(n_points, sample_size, n_trees, time_decay))
    twin_ages: list[int] = []
    for seed in range(n_trees):
        sampler = naive.Sampler(sample_size, time_decay, random.Random(seed))
        for index in range(n_points):
            sampler.offer(index)
        twin_ages += [n_points - 1 - index for _, index in sampler.kept]
    scale = np.mean(twin_ages)
    assert abs(ages.mean() - scale) < 0.03 * scale
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert abs(np.quantile(ages, share) - np.quantile(twin_ages, share)) < 0.06 * scale + 1


def acceptance(state: ForestState, n_points: int, time_decay: float) -> float:
    """Learn points and return the share of trees that took each, on average."""
    taken = 0
    point = np.zeros(state.points.shape[3], dtype=np.float32)
    for _ in range(n_points):
        due = state.next_accept[0] <= state.seen[0]
        taken += int(due.sum())
        update(state, 0, point, time_decay)
    return taken / n_points / state.keys.shape[1]


def test_a_full_tree_takes_about_a_tenth_of_the_points_at_the_usual_decay() -> None:
    """With decay times sample size 0.1 the steady state takes 1 - exp(-0.1026) = 9.75 % of them."""
    state = trained(2000, 64, 200, 1 / 640)
    assert acceptance(state, 3000, 1 / 640) == pytest.approx(0.0975, abs=0.002)


def test_the_law_holds_after_a_billion_points() -> None:
    """Keys are relative to nothing that grows: shifting a model in time changes neither rate nor keys."""
    time_decay = 1 / 640
    state = trained(2000, 64, 200, time_decay)
    far = np.int64(10**9)
    shift = np.int64(round(-time_decay * far * codes_per_nat(time_decay, 64)))
    state.seen[:] += far
    state.next_accept[:] += far
    state.top_key[:] += shift
    state.keys[:] = (state.keys.astype(np.int64) + shift) & 0xFF
    assert acceptance(state, 3000, time_decay) == pytest.approx(0.0975, abs=0.002)


def test_ten_million_points_go_through_one_model_without_drift() -> None:
    """The points kept in the end are as old as the law has it, neither older nor younger."""
    state = allocate(ForestShape(2, 4, 64, 2), 1)
    reset(state, 0, np.uint64(3))
    n_block = 20_000
    block = np.stack([indexed(index) for index in range(n_block)])
    slots = np.zeros(n_block, dtype=np.int64)
    for _ in range(500):
        update_many(state, slots, block, 1 / 640)
    ages = n_block - 1 - indices(state)
    expected = n_block - 1 - indices(trained(n_block, 64, 4, 1 / 640))
    assert state.seen[0] == 10_000_000
    assert ages.mean() == pytest.approx(expected.mean(), rel=0.25)
    assert 0 <= ages.min() < 100


def test_only_a_full_tree_refuses_points() -> None:
    """Until it is full a tree takes every point; then it takes some, at the indices it has drawn."""
    state = allocate(ForestShape(1, 50, 32, 2), 1)
    reset(state, 0, np.uint64(5))
    for index in range(400):
        before = state.points[0].copy()
        due = state.next_accept[0] <= index
        score_and_update(state, 0, np.array([index / 8], dtype=np.float32), 1 / 320)
        changed = (state.points[0] != before).any(axis=(1, 2))
        assert (changed == (due if index >= 32 else True)).all()


def test_the_point_with_the_largest_key_leaves_for_one_with_a_smaller_key() -> None:
    """What a full tree gives up is its largest key, and what it takes is not above it."""
    state = trained(64, 64, 1, 1 / 640)
    n_changes = 0
    for index in range(64, 1500):
        top = int(state.top_key[0, 0])
        before = dict(zip(indices(state)[0].tolist(), state.keys[0, 0].tolist(), strict=True))
        update(state, 0, indexed(index), 1 / 640)
        after = dict(zip(indices(state)[0].tolist(), state.keys[0, 0].tolist(), strict=True))
        gone = before.keys() - after.keys()
        assert len(gone) <= 1
        for old in gone:
            n_changes += 1
            assert before[old] == top & 0xFF
            assert (top - after[index]) & 0xFF < 255
            assert all(after[same] == before[same] for same in before.keys() - gone)
        assert int(state.top_key[0, 0]) <= top
    assert n_changes > 50


def test_keys_are_drawn_by_their_formula() -> None:
    """Mean and deviation of ln(-ln u) are -0.5772 and 1.2825; given that a key is below the top, it stays there."""
    state = trained(100, 32, 1, 0.003)
    scale = codes_per_nat(0.003, 32)
    keys = np.array([filling_key(state, 0, 0.003) / scale + 0.003 * 100 for _ in range(20_000)])
    assert keys.mean() == pytest.approx(-0.5772, abs=0.04)
    assert keys.std() == pytest.approx(1.2825, abs=0.04)
    taken = np.array([accepted_key(state, 0, 0, 0.003) for _ in range(2_000)])
    hazard = np.exp(state.top_key[0, 0] / scale + 0.003 * 100)
    draws = -np.log1p(-np.random.default_rng(0).random(20_000) * -np.expm1(-hazard))
    assert taken.max() <= state.top_key[0, 0]
    assert taken.mean() / scale + 0.3 == pytest.approx(np.log(draws).mean(), abs=0.12)


@pytest.mark.parametrize("time_decay", [0.0, 1e-9, 1 / 2560, 1.0])
def test_the_next_point_is_always_a_later_one(time_decay: float) -> None:
    """Whatever the decay, the index drawn lies ahead."""
    state = trained(40, 32, 20, time_decay)
    for _ in range(200):
        for tree in range(20):
            schedule(state, 0, tree, time_decay)
        assert (state.next_accept > state.seen[0]).all()
