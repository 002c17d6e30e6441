"""What a forest can be asked besides its score, against the naive twins, on hard streams; and what it refuses."""

import naive_inspection as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import VALUES, streams, wide_streams
from trees import decoded, decoded_trees_of

from detector.forest.inspection import InspectedForest
from detector.forest.state import ForestShape

EXACT = 1e-10


def learned(points: NDArray[np.float32], n_trees: int = 4, sample_size: int = 16) -> InspectedForest:
    """Return a forest of one model that has learned the points."""
    forest = InspectedForest(ForestShape(points.shape[1], n_trees, sample_size), 1, [7], 0.05)
    forest.update(np.zeros(len(points), dtype=np.int64), points)
    return forest


def check_query(forest: InspectedForest, point: NDArray[np.float32]) -> None:
    """Compare every answer about one query with its twin."""
    trees, query = decoded_trees_of(forest._state, 0), decoded(forest._state, point)
    n_columns = len(query)
    depth = forest.depth([0], [point])
    assert depth.displacement[0] == pytest.approx(naive.displacement(trees, query), rel=EXACT)
    assert depth.height[0] == pytest.approx(naive.height(trees, query), abs=EXACT)
    for ignored in (1, 3):
        masked = forest.masked_score([0], [point], ignored)
        score, high, low = naive.masked(trees, query, ignored)
        assert masked.scores[0] == pytest.approx(score, rel=EXACT)
        np.testing.assert_allclose(masked.attribution.high[0], high, atol=EXACT)
        np.testing.assert_allclose(masked.attribution.low[0], low, atol=EXACT)
        assert masked.attribution.high.sum() + masked.attribution.low.sum() == pytest.approx(score, rel=EXACT)
    around = forest.density([0], [point], 2)
    assert around.density[0] == pytest.approx(naive.density(trees, query, 2), rel=1e-9)
    assert around.high.sum() + around.low.sum() == pytest.approx(around.density[0], rel=1e-9)
    probability, mass, _ = naive.around(trees, query)
    chances = np.add(probability[:n_columns], probability[n_columns:])
    np.testing.assert_allclose(around.probability[0], chances, atol=EXACT)
    np.testing.assert_allclose(
        np.concatenate([around.high[0], around.low[0]]) * sum(mass),
        np.array(mass) * around.density[0],
        rtol=1e-9,
    )
    near = forest.neighbours(0, point, 3.0)
    twin = naive.neighbours(trees, query, 3.0)
    np.testing.assert_allclose(near.distances, [distance for distance, _, _ in twin], rtol=EXACT)
    assert {tuple(row.tolist()): count for row, count in zip(near.points, near.n_trees, strict=True)} == {
        row: count for _, row, count in twin
    }


@settings(max_examples=15, deadline=None)
@given(points=streams(), data=st.data())
def test_answers_are_those_of_the_twin(points: NDArray[np.float32], data: st.DataObject) -> None:
    """For points that were seen and for others."""
    forest = learned(points)
    before = forest.save()
    other = data.draw(st.lists(VALUES, min_size=points.shape[1], max_size=points.shape[1]))
    for query in (points[0], points[-1], np.array(other, dtype=np.float32)):
        check_query(forest, query)
    assert forest.save() == before


@settings(max_examples=6, deadline=None)
@given(points=wide_streams(), shift=st.sampled_from([0.0, 0.3, 50.0]))
def test_answers_are_those_of_the_twin_for_any_number_of_columns(
    points: NDArray[np.float32], shift: float
) -> None:
    """From one column to 200."""
    check_query(learned(points[:-1], n_trees=2), points[-1] + np.float32(shift))


@settings(max_examples=15, deadline=None)
@given(points=streams(), precision=st.sampled_from([1.0, 0.5, 0.25, 0.1, 1e-9]), data=st.data())
def test_an_approximate_score_asks_the_trees_that_the_twin_asks(
    points: NDArray[np.float32], precision: float, data: st.DataObject
) -> None:
    """And is their mean; with a precision that no forest can reach it is the score."""
    forest = learned(points, n_trees=30)
    other = data.draw(st.lists(VALUES, min_size=points.shape[1], max_size=points.shape[1]))
    for query in (points[-1], np.array(other, dtype=np.float32)):
        found = forest.approximate_score([0], [query], precision)
        trees = decoded_trees_of(forest._state, 0)
        score, used = naive.approximate(trees, decoded(forest._state, query), int(np.ceil(1 / precision)))
        assert found.n_trees[0] == used
        assert found.scores[0] == pytest.approx(score, rel=EXACT)
        if precision < 0.01:
            assert found.scores[0] == pytest.approx(forest.score([0], [query])[0], rel=EXACT)


def test_a_forest_that_has_seen_nothing_has_no_answers() -> None:
    """Zeros, and no neighbours."""
    forest = InspectedForest(ForestShape(2, 3, 8), 1, [1])
    point = [[1.0, 2.0]]
    assert forest.approximate_score([0], point).scores.tolist() == [0.0]
    assert forest.masked_score([0], point).scores.tolist() == [0.0]
    assert forest.masked_score([0], point).attribution.high.sum() == 0.0
    assert [column.tolist() for column in forest.depth([0], point)] == [[0.0], [0.0]]
    assert forest.density([0], point).density.tolist() == [0.0]
    assert forest.neighbours(0, point[0], 10.0).points.shape == (0, 2)


def test_bad_questions_are_refused() -> None:
    """With the argument, its limits and what was given; arrays as everywhere else."""
    forest = learned(np.zeros((3, 2), dtype=np.float32))
    point = [[0.0, 0.0]]
    with pytest.raises(ValueError, match="`precision` must be above 0 and at most 1, got 0"):
        forest.approximate_score([0], point, 0)
    with pytest.raises(ValueError, match="`ignored_mass` must be at least 1, got 0"):
        forest.masked_score([0], point, 0)
    with pytest.raises(ValueError, match="`n_dimensions` must be at least 1, got 0"):
        forest.density([0], point, 0)
    with pytest.raises(ValueError, match="`distance` must be above 0, got nan"):
        forest.neighbours(0, [0.0, 0.0], float("nan"))
    with pytest.raises(ValueError, match=r"`slots` must be in 0..0, got 1..1"):
        forest.neighbours(1, [0.0, 0.0], 1.0)
    for ask in (forest.approximate_score, forest.masked_score, forest.depth, forest.density):
        with pytest.raises(ValueError, match=r"`points` must be finite, got inf at \[0, 1\]"):
            ask([0], [[0.0, float("inf")]])
        with pytest.raises(ValueError, match=r"`points` must be real numbers of shape \(1, 2\), got float64"):
            ask([0], [[0.0]])
