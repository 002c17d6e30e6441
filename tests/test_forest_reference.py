"""The reference's assertions that take more than scores: masking, depth, density, neighbours, attribution in detail.

Figures are those of its own functional tests. Streams of its tests whose deviation is a hundredth are scaled up: a
forest does not care about a common scale, and values are resolved to a fraction of a unit.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from test_forest_contract import mixture, trained

from detector.forest.forest import Attribution
from detector.forest.inspection import Density, InspectedForest
from detector.forest.state import ForestShape

Points = NDArray[np.float64]

NORMALIZER = np.log2(257)
"""The reference's tests see displacement and height after the score's normalisation."""

SCALE = 8.0


def inspected(
    points: Points, n_trees: int = 100, time_decay: float | None = None, seed: int = 1
) -> InspectedForest:
    """Return a forest of one model that has learned the points."""
    forest = InspectedForest(ForestShape(points.shape[1], n_trees, 256), 1, [seed], time_decay)
    learn(forest, points)
    return forest


def learn(forest: InspectedForest, points: Points) -> None:
    forest.update(np.zeros(len(points), dtype=np.int64), points)


def by_column(parts: Attribution) -> NDArray[np.float64]:
    """Return the share of each column, float64, shape (n_columns,), of the only point."""
    return (parts.high + parts.low)[0]


@pytest.fixture(scope="module")
def mixed() -> InspectedForest:
    """Return a forest over 10,000 points of the mixture in three columns."""
    return InspectedForest.load(trained(mixture(10_000, 3, seed=2, far=(5.0, 1.5))).save())


CENTRE, FAR = [[0.0, 0.0, 0.0]], [[8.0, 8.0, 8.0]]


def test_an_outlier_displaces_many_points_and_lies_high_in_the_trees(mixed: InspectedForest) -> None:
    """Item 3: displacement below 25 and above 100, height above 50 and below 30."""
    centre, far = mixed.depth([0], CENTRE), mixed.depth([0], FAR)
    assert NORMALIZER * centre.displacement[0] < 25
    assert NORMALIZER * far.displacement[0] > 100
    assert NORMALIZER * centre.height[0] > 50
    assert NORMALIZER * far.height[0] < 30


def test_masking_one_point_hardly_changes_what_is_not_masked(mixed: InspectedForest) -> None:
    """Item 3: ordinary stays ordinary, and far stays far."""
    assert mixed.masked_score([0], CENTRE).scores[0] < 1.2
    assert mixed.masked_score([0], FAR).scores[0] > 1


def test_an_approximate_score_is_near_the_score_and_saves_trees(mixed: InspectedForest) -> None:
    """Item 3: within 0.3 times the score and 0.1."""
    for point in (CENTRE, FAR):
        score = mixed.score([0], point)[0]
        found = mixed.approximate_score([0], point)
        assert abs(found.scores[0] - score) <= 0.3 * score + 0.1
        assert (found.scores[0] < 1) == (score < 1)
        assert found.n_trees[0] < 60


def test_no_question_changes_anything(mixed: InspectedForest) -> None:
    """Item 2: the same answers, bit for bit, after 10,000 queries of every kind that is cheap."""
    before = mixed.save()
    queries = np.random.default_rng(0).normal(size=(10_000, 3)) * 4
    slots = np.zeros(len(queries), dtype=np.int64)
    for ask in (mixed.score, mixed.attribution, mixed.masked_score, mixed.depth, mixed.density):
        ask(slots, queries)
    mixed.approximate_score(slots, queries)
    for query in queries[:100]:
        mixed.neighbours(0, query, 1.0)
    assert mixed.save() == before


def test_narrow_claims_about_attribution_mostly_hold(mixed: InspectedForest) -> None:
    """Item 4: sides and columns of six mirrored points always, and 15 of 20 narrower claims."""
    narrow = []
    n_causal = 0
    for column in range(3):
        for side in (6.0, -6.0):
            point = np.zeros((1, 3))
            point[0, column] = side
            parts, score = mixed.attribution([0], point), mixed.score([0], point)[0]
            right, wrong = (parts.high, parts.low) if side > 0 else (parts.low, parts.high)
            assert score > 1
            assert wrong[0, column] < 0.5
            assert right[0, column] > score / 3
            n_causal += right[0, column] > score / 2
            narrow += list(np.delete(by_column(parts), column) < 0.5)
    assert n_causal >= 5
    parts = mixed.attribution([0], [[-3.0, 0.0, 0.0]])
    assert parts.high[0, 0] < 0.5
    assert parts.low[0, 0] > mixed.score([0], [[-3.0, 0.0, 0.0]])[0] / 3
    narrow += list(by_column(parts)[1:] < 0.5)
    parts = mixed.attribution([0], [[-3.0, 6.0, 0.0]])
    assert max(parts.high[0, 0], parts.low[0, 1], by_column(parts)[2]) < 0.5 < parts.high[0, 1]
    assert parts.high[0, 1] + parts.low[0, 0] > 0.8 * mixed.score([0], [[-3.0, 6.0, 0.0]])[0]
    narrow += [parts.low[0, 0] > 0.5, parts.high[0, 1] > 0.9]
    parts = mixed.attribution([0], [[6.0, -3.0, 0.0]])
    assert max(parts.low[0, 0], parts.high[0, 1], by_column(parts)[2]) < 0.5 < parts.high[0, 0]
    assert parts.high[0, 0] + parts.low[0, 1] > 0.8 * mixed.score([0], [[6.0, -3.0, 0.0]])[0]
    narrow += [parts.high[0, 0] > 0.9, parts.low[0, 1] > 0.5]
    parts = mixed.attribution([0], [[20.0, -10.0, 0.0]])
    narrow += [parts.high[0, 0] > 1.8 * parts.low[0, 1], parts.low[0, 1] > parts.high[0, 0] / 2.2]
    assert len(narrow) == 20
    assert sum(narrow) >= 15


def test_masking_finds_the_cause_that_earlier_anomalies_hide() -> None:
    """Item 5: after five anomalies nearby the first column fades from the attribution, but not from the masked one."""
    rng = np.random.default_rng(3)
    points = rng.normal(0, 0.01, (2005, 30))
    points[:2000, 0] += rng.choice([-5.0, 5.0], 2000)
    forest = inspected(SCALE * points[:2000], time_decay=1e-5, seed=179)
    query = np.zeros((1, 30))
    query[0, 1] = SCALE
    parts = forest.attribution([0], query)
    assert forest.score([0], query)[0] > 3
    assert min(parts.high[0, 0], parts.low[0, 0]) > 0.75
    assert parts.high[0, 1] > 1
    assert by_column(parts)[0] > by_column(parts)[1]
    learn(forest, SCALE * points[2000:])
    parts, masked = forest.attribution([0], query), forest.masked_score([0], query)
    assert by_column(parts)[0] < parts.high[0, 1]
    assert masked.scores[0] > 3
    assert masked.attribution.high[0, 1] > 1
    assert by_column(masked.attribution)[0] > by_column(masked.attribution)[1]
    learn(forest, np.zeros((5, 30)))
    parts, masked = forest.attribution([0], query), forest.masked_score([0], query, ignored_mass=5)
    assert forest.score([0], query)[0] > 2.5
    assert 2.5 * by_column(parts)[0] < parts.high[0, 1]
    assert masked.scores[0] > 3
    assert by_column(masked.attribution)[0] > 0.8 * by_column(masked.attribution)[1]
    assert masked.attribution.high.sum() + masked.attribution.low.sum() == pytest.approx(
        masked.scores[0], abs=1e-10
    )


def test_the_reasons_for_a_point_stay_while_it_becomes_ordinary() -> None:
    """Item 6: five copies lower the score, 5,000 bring it below 1, and the shares of the columns stay."""
    forest = inspected(mixture(10_000, 3, seed=8, far=(5.0, 1.5)), time_decay=1e-5)
    point = np.array([[-8.0, -8.0, 0.0]])
    first, parts = forest.score([0], point)[0], forest.attribution([0], point)
    shares = np.concatenate([parts.high[0], parts.low[0]]) / first
    assert first > 2
    assert by_column(parts)[2] < 0.2
    last = first
    for copies in (5, 5000):
        learn(forest, np.repeat(point, copies, axis=0))
        score, parts = forest.score([0], point)[0], forest.attribution([0], point)
        assert score < last
        np.testing.assert_allclose(np.concatenate([parts.high[0], parts.low[0]]) / score, shares, atol=0.1)
        last = score
    assert last < 1


def test_density_falls_with_the_distance_from_the_centre(mixed: InspectedForest) -> None:
    """Item 7: the centre above 4 deviations above 6, on either side."""
    points = [[0.0, 0.0, 0.0], [6.0, 6.0, 0.0], [-4.0, -4.0, 0.0], [-6.0, -6.0, 0.0]]
    centre, above, near, below = mixed.density([0] * 4, points).density
    assert centre > above
    assert centre > near > below


def fan(degrees: float, rng: np.random.Generator) -> Points:
    """Draw three blades of 1,000 points, 120 degrees apart, the first straight up, turned clockwise."""
    blade = rng.normal(size=(3000, 2)) * [0.05, 0.2] + [0.0, 0.6]
    turn = np.deg2rad(degrees) + np.repeat(np.arange(3), 1000) * 2 * np.pi / 3
    cosine, sine = np.cos(turn), np.sin(turn)
    x, y = blade.T
    return SCALE * rng.permutation(np.stack([cosine * x + sine * y, cosine * y - sine * x], axis=1))


def check_directions(found: Density, angle: int) -> None:
    """Most of the density comes from where the blade is; one is at the query at 90 degrees."""
    left, below = found.high[0]
    right, above = found.low[0]
    slack = 0.1 * found.density[0]
    if 15 <= angle <= 45:
        assert left + slack > above + below + right
        assert above + below + slack > right
    if 60 <= angle <= 75:
        assert above + slack > max(left, right)
    if 75 <= angle <= 85:
        assert above + slack > max(below, right)
    if 95 <= angle <= 105:
        assert below + slack > max(above, right)
    if angle >= 105:
        assert below + slack > max(left, right)


def test_density_and_neighbours_follow_a_turning_fan() -> None:
    """Item 7: density by direction, and the nearest point, say where the blades are."""
    forest = InspectedForest(ForestShape(2, 50, 256), 1, [123], 1 / 800)
    rng = np.random.default_rng(1)
    query = [SCALE * 0.7, 0.0]
    for degrees in range(0, 360, 5):
        learn(forest, fan(degrees, rng))
        found = forest.density([0], [query], 2)
        density = SCALE**2 * found.density[0]
        nearest = forest.neighbours(0, query, SCALE)
        close = forest.neighbours(0, query, 0.1 * SCALE)
        angle = degrees % 120
        check_directions(found, angle)
        if angle <= 60:
            assert density < 0.8
        if 75 <= angle <= 105:
            assert density > 0.5
        if 15 < angle < 45:
            assert len(close.distances) == 0
            assert nearest.distances[0] > 0.3 * SCALE
        if 75 < angle < 105:
            assert close.distances[0] == nearest.distances[0]


def test_distance_between_two_clusters_is_half_of_theirs() -> None:
    """Item 8: within 0.3 of 5 in the column that separates the clusters, which has nearly all of the probability."""
    rng = np.random.default_rng(6)
    points = rng.normal(0, 0.1, (1000, 20))
    points[:, 0] += rng.choice([-5.0, 5.0], 1000)
    found = inspected(points).density([0], np.zeros((1, 20)))
    assert abs(found.distance[0, 0] - 5.0) < 0.3
    assert found.probability[0, 0] > 0.8 * found.probability.sum()


def test_a_few_points_between_two_clusters_score_as_published() -> None:
    """The example of the paper: 2.8 to 3.7 for them, a median of 0.72 for the rest, measured with the reference."""
    rng = np.random.default_rng(10)
    points = rng.normal(0, 0.01, (2010, 3))
    points[:, 0] += rng.choice([-5.0, 5.0], 2010)
    odd = np.sort(rng.choice(np.arange(500, 2010), 5, replace=False))
    points[odd, 0] = rng.normal(0, 0.01, 5)
    forest = InspectedForest(ForestShape(3, 100, 256), 1, [3])
    scores = forest.score_and_update(np.zeros(2010, dtype=np.int64), SCALE * points)
    usual = np.delete(scores, odd)[256:]
    assert scores[odd].min() > 2.3
    assert scores[odd].max() < 4.2
    assert np.median(usual) == pytest.approx(0.72, abs=0.06)
    assert usual.max() < scores[odd].min()


def test_a_forecast_follows_a_series_that_has_changed_its_shape() -> None:
    """Item 10: with a decay of 1/300, 300 points after a change of period the error is below twice the noise."""
    rng = np.random.default_rng(7)
    noise, unit = 2.0, 35.0
    before, after = np.arange(1330), np.arange(1330, 1630)
    waves = [np.cos(2 * np.pi * (before + 50) / 120), np.cos(2 * np.pi * (after - 50) / 240)]
    series = (50 * np.concatenate(waves) + noise * rng.random(1630)) / unit
    shingles = np.lib.stride_tricks.sliding_window_view(series, 20)
    forest = inspected(shingles, n_trees=50, time_decay=1 / 300)
    ahead = forest.forecast([0], shingles[-1:], 1, 200)
    truth = 50 * np.cos(2 * np.pi * (1630 + np.arange(200) - 50) / 240) / unit
    assert np.abs(ahead.expected[0, :, 0] - truth).mean() < 2 * noise / unit
    assert (ahead.lower <= ahead.expected).all()
    assert (ahead.expected <= ahead.upper).all()
