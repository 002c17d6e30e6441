"""Scores, attributions and imputations of given trees against the naive twin, and vector code against plain code."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import VALUES, streams, wide_streams
from test_forest_structure import fresh, steps_of_point
from trees import trees_of

from detector.forest.kernels.attribute import attribute
from detector.forest.kernels.impute import impute
from detector.forest.kernels.update import score, score_and_update
from detector.forest.state import ForestState

EXACT = 1e-12


def grown(points: NDArray[np.float32], n_trees: int = 3, sample_size: int = 16) -> ForestState:
    """Return a model that has learned the points."""
    state = fresh(points.shape[1], n_trees, sample_size)
    for point in points:
        score_and_update(state, 0, point, 0.05)
    return state


def check_query(state: ForestState, query: NDArray[np.float32]) -> None:
    """Compare everything that is asked of a forest for one query with the twin."""
    trees = trees_of(state, 0)
    codes = steps_of_point(state, query)
    value = score(state, 0, query)
    assert value == pytest.approx(naive.score(trees, codes), abs=EXACT)
    high, low = np.empty(len(query)), np.empty(len(query))
    attribute(state, 0, query, high, low)
    twin_high, twin_low = naive.attribution(trees, codes)
    np.testing.assert_allclose(high, twin_high, atol=EXACT)
    np.testing.assert_allclose(low, twin_low, atol=EXACT)
    assert high.sum() + low.sum() == pytest.approx(value, abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(points=streams(), data=st.data())
def test_scores_and_attributions_are_those_of_the_twin(
    points: NDArray[np.float32], data: st.DataObject
) -> None:
    """For points that were seen and for others, on hard streams."""
    state = grown(points)
    other = data.draw(st.lists(VALUES, min_size=points.shape[1], max_size=points.shape[1]))
    for query in (points[0], points[-1], np.array(other, dtype=np.float32)):
        check_query(state, query)


@settings(max_examples=15, deadline=None)
@given(points=wide_streams(), shift=st.sampled_from([0.0, 0.3, 50.0, 1e9]))
def test_scores_and_attributions_are_those_of_the_twin_for_any_number_of_columns(
    points: NDArray[np.float32], shift: float
) -> None:
    """From one column to 200, near the data and far outside the range of codes."""
    state = grown(points[:-1])
    check_query(state, points[-1] + np.float32(shift))


@settings(max_examples=40, deadline=None)
@given(points=streams(max_columns=5), data=st.data())
def test_imputed_values_are_those_of_the_twin(points: NDArray[np.float32], data: st.DataObject) -> None:
    """Known columns stay, missing ones are the median of what the trees propose."""
    state = grown(points, n_trees=4)
    n_columns = points.shape[1]
    missing = np.array(data.draw(st.lists(st.booleans(), min_size=n_columns, max_size=n_columns)))
    query = np.array(data.draw(st.lists(VALUES, min_size=n_columns, max_size=n_columns)), dtype=np.float32)
    out = np.empty(n_columns, dtype=np.float32)
    impute(state, 0, query, missing, out)
    twin = naive.impute(trees_of(state, 0), steps_of_point(state, query), set(np.flatnonzero(missing)))
    assert (out[~missing] == query[~missing]).all()
    assert [steps_of_point(state, out)[column] for column in np.flatnonzero(missing)] == [
        twin[column] for column in np.flatnonzero(missing)
    ]


def test_a_forest_that_has_seen_nothing_scores_zero_and_imputes_zero() -> None:
    """Before its first point a model has nothing to say."""
    state = fresh(2, 3, 8)
    point = np.array([5.0, 7.0], dtype=np.float32)
    high, low, out = np.ones(2), np.ones(2), np.ones(2, dtype=np.float32)
    attribute(state, 0, point, high, low)
    impute(state, 0, point, np.array([False, True]), out)
    assert score(state, 0, point) == 0.0
    assert (high.sum(), low.sum()) == (0.0, 0.0)
    assert out.tolist() == [5.0, 0.0]


def test_a_constant_stream_scores_one_half_and_its_first_break_the_maximum() -> None:
    """One leaf holds everything; a new value is separated at the root with certainty."""
    state = fresh(1, 5, 256)
    for _ in range(600):
        value = score_and_update(state, 0, np.zeros(1, dtype=np.float32), 1 / 2560)
    assert value == 0.5
    assert score(state, 0, np.array([0.02], dtype=np.float32)) == pytest.approx(np.log2(257), abs=1e-12)
