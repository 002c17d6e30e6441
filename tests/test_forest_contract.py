"""The reference's own black-box assertions, with its figures, asked of our forest through its facade."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.forest.forest import RandomCutForest
from detector.forest.state import ForestShape

Points = NDArray[np.float64]


def mixture(n_points: int, n_columns: int, seed: int, far: tuple[float, float] = (4.0, 2.0)) -> Points:
    """Rows of N(0, 1), or of N(far) after a switch: entered with probability 0.01, left with 0.3."""
    rng = np.random.default_rng(seed)
    is_far = np.zeros((n_points, 1), dtype=bool)
    for row in range(1, n_points):
        toss = rng.random()
        is_far[row] = toss > 0.3 if is_far[row - 1] else toss < 0.01
    shape = (n_points, n_columns)
    return np.where(is_far, rng.normal(*far, shape), rng.normal(0, 1, shape))


def trained(
    points: Points, n_trees: int = 100, sample_size: int = 256, seed: int = 1, code_bytes: int = 2
) -> RandomCutForest:
    """Return a forest of one model that has learned the points."""
    forest = RandomCutForest(ForestShape(points.shape[1], n_trees, sample_size, code_bytes), 1, [seed])
    forest.update(np.zeros(len(points), dtype=np.int64), points)
    return forest


def score_of(forest: RandomCutForest, *point: float) -> float:
    return float(forest.score([0], [point])[0])


@pytest.fixture(scope="module")
def mixed() -> RandomCutForest:
    """Return a forest over 10,000 points of the mixture in three columns."""
    return trained(mixture(10_000, 3, seed=2, far=(5.0, 1.5)), code_bytes=1)


def test_the_centre_scores_below_one_and_a_far_point_above(mixed: RandomCutForest) -> None:
    """Item 3: score(0, 0, 0) < 1 < score(8, 8, 8)."""
    assert score_of(mixed, 0, 0, 0) < 1 < score_of(mixed, 8, 8, 8)


def test_asking_changes_nothing(mixed: RandomCutForest) -> None:
    """Item 2: the same answers after a thousand queries."""
    before = mixed.save()
    queries = np.random.default_rng(0).normal(size=(1000, 3)) * 4
    slots = np.zeros(1000, dtype=np.int64)
    mixed.score(slots, queries)
    mixed.attribution(slots, queries)
    mixed.impute(slots[:50], queries[:50], np.tile([True, False, False], (50, 1)))
    assert mixed.save() == before


def test_attribution_sums_to_the_score(mixed: RandomCutForest) -> None:
    """Item 2: to 1e-10, near and far."""
    queries = np.random.default_rng(1).normal(size=(500, 3)) * 5
    slots = np.zeros(500, dtype=np.int64)
    parts = mixed.attribution(slots, queries)
    total = parts.high.sum(axis=1) + parts.low.sum(axis=1)
    np.testing.assert_allclose(total, mixed.score(slots, queries), atol=1e-10)


def test_attribution_names_the_column_and_the_side(mixed: RandomCutForest) -> None:
    """Item 4: at (6, 0, 0) the first column, above; the mirrored points on their sides."""
    high, low = mixed.attribution([0], [[6.0, 0.0, 0.0]])
    value = score_of(mixed, 6, 0, 0)
    assert low[0, 0] < 0.2
    assert high[0, 0] > value / 3
    assert high[0, 1:].sum() + low[0, 1:].sum() < 1
    corners = np.array([[6, 0, 0], [0, 6, 0], [0, 0, 6], [-6, 0, 0], [0, -6, 0], [0, 0, -6]], dtype=float)
    parts = mixed.attribution(np.zeros(6, dtype=np.int64), corners)
    right = np.concatenate([np.diag(parts.high[:3]), np.diag(parts.low[3:])])
    scores = mixed.score(np.zeros(6, dtype=np.int64), corners)
    assert (right > scores / 2).sum() >= 5
    high, low = mixed.attribution([0], [[20.0, -10.0, 0.0]])
    assert high[0, 0] + low[0, 1] > 0.8 * score_of(mixed, 20, -10, 0)


def clusters(n_points: int, n_columns: int, spread: float, seed: int) -> Points:
    """Two clusters at -5 and +5 on the first column."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, spread, (n_points, n_columns))
    points[:, 0] += rng.choice([-5.0, 5.0], n_points)
    return points


def test_a_point_between_two_clusters_is_explained_by_both() -> None:
    """Item 5: score above 3, high, low and the odd column each above 1; after five such points the odd one leads."""
    forest = trained(clusters(2000, 30, 0.01, seed=3))
    query = np.zeros((1, 30))
    query[0, 1] = 1.0
    high, low = forest.attribution([0], query)
    assert forest.score([0], query)[0] > 3
    assert min(high[0, 0], low[0, 0], high[0, 1]) > 1
    near = np.random.default_rng(4).normal(0, 0.01, (5, 30))
    forest.update(np.zeros(5, dtype=np.int64), near)
    high, low = forest.attribution([0], query)
    assert max(high[0, 0], low[0, 0]) < 1
    assert high[0, 1] > max(high[0, 0], low[0, 0])


def test_an_outlier_that_repeats_becomes_ordinary() -> None:
    """Item 6: five times lowers its score, 5,000 times brings it below 1."""
    forest = trained(np.random.default_rng(5).normal(size=(2000, 3)), n_trees=50)
    outlier = (6.0, 6.0, 6.0)
    first = score_of(forest, *outlier)
    forest.update(np.zeros(5, dtype=np.int64), np.tile(outlier, (5, 1)))
    fifth = score_of(forest, *outlier)
    forest.update(np.zeros(5000, dtype=np.int64), np.tile(outlier, (5000, 1)))
    assert first > fifth > score_of(forest, *outlier)
    assert score_of(forest, *outlier) < 1 < first


def test_the_score_hardly_depends_on_the_sample_size() -> None:
    """Item 8: twice the samples change an outlier by less than a tenth and an inlier by less than 0.1."""
    points = clusters(1000, 20, 0.1, seed=6)
    small, large = trained(points, sample_size=256), trained(points, sample_size=512)
    origin, inlier = np.zeros((1, 20)), np.zeros((1, 20))
    inlier[0, 0] = 5.0
    far, twice = small.score([0], origin)[0], large.score([0], origin)[0]
    assert far > 1.5
    assert abs(far - twice) < 0.1 * far
    assert abs(small.score([0], inlier)[0] - large.score([0], inlier)[0]) < 0.1
    assert small.score([0], inlier)[0] < 0.8
    high, low = small.attribution([0], origin)
    assert (high[0, 1:] + low[0, 1:]).max() < 0.1


def test_a_missing_column_is_filled_with_what_is_usual(mixed: RandomCutForest) -> None:
    """Item 9: near zero, and the known columns stay."""
    filled = mixed.impute([0], [[99.0, 0.02, 0.01]], [[True, False, False]])
    assert abs(filled[0, 0]) < 0.5
    np.testing.assert_allclose(filled[0, 1:], [0.02, 0.01], atol=1e-5)


def flat_and_fast(n_points: int, seed: int) -> Points:
    """Cosine of amplitude 50 and period 120 with uniform noise of 2, in units of its deviation."""
    rng = np.random.default_rng(seed)
    return (50 * np.cos(2 * np.pi * np.arange(n_points) / 120) + rng.uniform(-2, 2, n_points)) / 35


def test_a_forecast_follows_the_series() -> None:
    """Item 10: over 200 steps the mean absolute error stays below four times the noise, inside its bounds."""
    series = flat_and_fast(3000, seed=7)
    shingles = np.lib.stride_tricks.sliding_window_view(series, 10)
    forest = trained(shingles)
    ahead = forest.forecast([0], shingles[-1:], 1, 200)
    truth = 50 * np.cos(2 * np.pi * (3000 + np.arange(200)) / 120) / 35
    assert np.abs(ahead.expected[0, :, 0] - truth).mean() < 4 * 2 / 35
    assert (ahead.lower <= ahead.expected).all()
    assert (ahead.expected <= ahead.upper).all()
    again = forest.forecast([0], shingles[-1:], 1, 200)
    assert (again.expected == ahead.expected).all()


@pytest.mark.parametrize("code_bytes", [1, 2])
def test_a_value_far_beyond_the_range_of_codes_still_alarms(code_bytes: int) -> None:
    """A step of a thousand units, and a drift out of the range, both score far above what is usual."""
    forest = trained(np.random.default_rng(9).normal(size=(3000, 5)), n_trees=25, code_bytes=code_bytes)
    usual = forest.score([0], [[0.0] * 5])[0]
    for value in (130.0, 1000.0, 1e12, 1e39):
        assert forest.score([0], [[value, 0.0, 0.0, 0.0, 0.0]])[0] > 3.5
    assert usual < 0.9
    drift = np.zeros((400, 5))
    drift[:, 0] = np.linspace(0, 1000, 400)
    scores = forest.score_and_update(np.zeros(400, dtype=np.int64), drift)
    assert scores[:60].max() > 2
