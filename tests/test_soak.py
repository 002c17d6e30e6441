"""A model that has lived long behaves as a young one: the short form of `benchmarks/soak.py`."""

import numpy as np
import pytest

from benchmarks.soak import age, fresh_model, learn, points_of, taken


@pytest.mark.parametrize("seen", [10**7, 10**9, 10**11])
def test_an_old_model_samples_and_scores_as_a_young_one(seen: int) -> None:
    """Ten million, a billion and a hundred billion points later: scores, share of points taken, and no overflow."""
    young, old = fresh_model(1), fresh_model(1)
    for state in (young, old):
        learn(state, points_of(0, 3_000))
    age(old, seen)
    points = points_of(3_000, 3_000)
    before, after = learn(young, points), learn(old, points)
    assert old.seen[0] == seen + 6_000
    assert np.corrcoef(before, after)[0, 1] > 0.7
    assert after.mean() == pytest.approx(before.mean(), abs=0.02)
    points = points_of(6_000, 1_000)
    assert taken(old, points) == pytest.approx(taken(young, points), abs=0.01)
    assert (old.next_accept[0] >= old.seen[0]).all()
