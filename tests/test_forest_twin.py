"""One update at a time against the naive twin: what it does to a tree, by which law, at every size and kind of data."""

import random
from collections import Counter

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import streams, wide_streams
from test_forest_structure import fresh
from trees import check_model, decoded, decoded_trees_of

from detector.forest.kernels.update import score, score_and_update
from detector.forest.state import ForestState, allocate, arrays_of, shape_of


def victim(before: naive.Tree, point: naive.Point, after: naive.Tree) -> naive.Point | None:
    """Return the point that an update took out of a tree, if it changed the tree."""
    gone = Counter([*before.points(), point]) - Counter(after.points())
    assert gone.total() == 1
    return next(iter(gone))


def check_update(before: naive.Tree, point: naive.Point, after: naive.Tree) -> None:
    """Take the new point out again: what is left is the old tree without the victim, and nothing else was touched."""
    old = victim(before, point, after)
    if old is None or before == after:
        return
    assert naive.delete(after, point) == naive.delete(before, old)


@settings(max_examples=20, deadline=None)
@given(points=streams(max_points=60), sample_size=st.sampled_from([2, 3, 8, 16]))
def test_an_update_puts_one_leaf_in_and_takes_one_out(points: NDArray[np.float32], sample_size: int) -> None:
    """Insertion and deletion are those of the twin, but for the place that chance decides."""
    state = fresh(points.shape[1], 2, sample_size)
    n_replaced = 0
    for index, point in enumerate(points):
        before = decoded_trees_of(state, 0) if index else []
        score_and_update(state, 0, point, 0.3)
        after = decoded_trees_of(state, 0)
        for old, new in zip(before, after, strict=bool(before)):
            own = decoded(state, point)
            if index < sample_size:
                assert Counter(new.points()) == Counter([*old.points(), own])
                assert naive.delete(new, own) == old
            else:
                check_update(old, own, new)
                n_replaced += new != old
    assert n_replaced > 0 or len(points) < 4 * sample_size or len(np.unique(points, axis=0)) < sample_size


def copies(state: ForestState, n_copies: int) -> ForestState:
    """Return a state of that many copies of a model, each with random numbers of its own."""
    many = allocate(shape_of(state), n_copies)
    for own, array in zip(arrays_of(state), arrays_of(many), strict=True):
        array[:] = own[:1]
    many.random[:] = np.random.default_rng(4).integers(0, 2**63, n_copies).astype(np.uint64)
    return many


def place_of(tree: naive.Tree, point: naive.Point) -> tuple[int, int, bool]:
    """Return the depth of a point's leaf, the column of the cut above it, and whether it lies left of it."""
    depth, parent = 0, tree
    while isinstance(tree, naive.Node):
        depth, parent, tree = depth + 1, tree, tree.child(point)
    assert isinstance(parent, naive.Node)
    return depth, parent.column, point[parent.column] <= parent.cut


@pytest.mark.parametrize("query", [(0.5, 0.25), (4.0, -3.0), (1.0, 9.0)])
def test_a_new_leaf_comes_to_lie_where_the_twin_puts_it(query: tuple[float, float]) -> None:
    """Inside the box of all points, near it and far from it: depth, column and side are equally frequent."""
    state = fresh(2, 1, 64)
    for point in np.random.default_rng(2).normal(size=(12, 2)).round(1).astype(np.float32):
        score_and_update(state, 0, point, 0.01)
    before = decoded_trees_of(state, 0)[0]
    n_copies = 3000
    many = copies(state, n_copies)
    point = np.array(query, dtype=np.float32)
    for slot in range(n_copies):
        score_and_update(many, slot, point, 0.01)
    own = decoded(state, point)
    ours = Counter(place_of(decoded_trees_of(many, slot)[0], own) for slot in range(n_copies))
    rng = random.Random(6)
    twin = Counter(place_of(naive.insert(before, own, rng), own) for _ in range(n_copies))
    assert len(twin) > 3
    for place in ours | twin:
        expected = (ours[place] + twin[place]) / 2
        assert abs(ours[place] - twin[place]) < 5 * np.sqrt(2 * expected) + 3, place


KINDS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "duplicates": lambda rng, shape: rng.integers(0, 2, shape) / 4,
    "constant": lambda _, shape: np.full(shape, 3.0),
    "neighbours": lambda rng, shape: np.nextafter(1.0, rng.choice([0.0, 2.0], shape)),
    "denormals": lambda rng, shape: rng.choice([0.0, 1e-45, -1e-45, 1e-39], shape),
    "counters": lambda rng, shape: 1e9 + rng.integers(0, 1000, shape).cumsum(axis=0),
    "one wide column": lambda rng, shape: rng.normal(size=shape) * np.r_[1e4, np.ones(shape[1] - 1)],
    "chain": lambda rng, shape: 2.0 ** rng.integers(-8, 7, shape),
}


@settings(max_examples=10, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    n_columns=st.sampled_from([1, 2, 5, 8, 9, 17, 33, 200]),
    sample_size=st.sampled_from([16, 64, 255, 256, 257, 1024]),
    seed=st.integers(0, 2**32),
)
def test_trees_hold_and_score_right_at_every_size_and_kind(
    kind: str, n_columns: int, sample_size: int, seed: int
) -> None:
    """From 1 to 200 columns and 16 to 1,024 samples: structure, and the score from boxes computed from scratch."""
    rng = np.random.default_rng(seed)
    points = np.asarray(KINDS[kind](rng, (sample_size + 40, n_columns)), dtype=np.float32)
    state = fresh(n_columns, 1, sample_size, seed)
    checked = {sample_size // 2, sample_size, len(points) - 1}
    for index, point in enumerate(points):
        value = score_and_update(state, 0, point, 0.3 / sample_size)
        assert 0.0 <= value <= np.log2(sample_size + 1)
        if index in checked:
            check_model(state, 0)
            query = points[(index * 7) % len(points)]
            expected = naive.score(decoded_trees_of(state, 0), decoded(state, query))
            assert score(state, 0, query) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(points=wide_streams())
def test_the_order_of_columns_does_not_matter_for_the_score_of_a_tree(points: NDArray[np.float32]) -> None:
    """A tree whose points and cuts are permuted scores a permuted query the same."""
    state = fresh(points.shape[1], 1, 16)
    for point in points:
        score_and_update(state, 0, point, 0.02)
    order = np.random.default_rng(1).permutation(points.shape[1])
    tree = decoded_trees_of(state, 0)[0]
    query = decoded(state, points[0] + np.float32(0.3))

    def permuted(tree: naive.Tree) -> naive.Tree:
        if isinstance(tree, naive.Leaf):
            return naive.Leaf(tuple(tree.point[column] for column in order), tree.mass)
        place = int(np.flatnonzero(order == tree.column)[0])
        return naive.Node(place, tree.cut, permuted(tree.left), permuted(tree.right))

    value = score(state, 0, points[0] + np.float32(0.3))
    assert naive.score([permuted(tree)], tuple(query[column] for column in order)) == pytest.approx(value)
