"""The plugin-compatible profile: against its twin, recordings of the Java library, and the contracts of every fleet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import naive_trcf
import numpy as np
import pytest
from checks import (
    check_blocks_do_not_matter,
    check_causal,
    check_equal,
    check_repeatable,
    check_save_and_load,
    fleet_of,
    observe,
    seeds_for,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector.forest.kernels.attribute import attribute
from detector.forest.kernels.impute import impute
from detector.forest.kernels.neighbours import reach
from detector.forest.kernels.update import reset, score, update
from detector.forest.state import allocate
from detector.model.fleet import ModelSettings
from detector.model.plugin_settings import TrcfSettings
from detector.model.trcf.deviation import add, add_repeated, deviation
from detector.model.trcf.normalize import noise_of, scale_of, shift_of
from detector.model.trcf.thresholder import judge, learn_score

MINUTE_MS = 60_000
JAVA = json.loads((Path(__file__).parent / "data" / "trcf_java.json").read_text())


def kind_of(n_features: int = 1, shingle_size: int = 4, **more: Any) -> ModelSettings:
    trcf = TrcfSettings(**more)
    return ModelSettings(n_features, MINUTE_MS, shingle_size, n_trees=5, sample_size=32, trcf=trcf)


ONE, TWO = kind_of(), kind_of(2)


def noise(n_windows: int, n_models: int, n_features: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(10, 2, (n_windows, n_models, n_features))


def minutes(n_windows: int) -> NDArray[np.int64]:
    return 1_600_000_000_000 + np.arange(n_windows) * MINUTE_MS


# --- the statistic ---


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), discount=st.floats(0, 0.5))
def test_a_deviation_is_that_of_all_values_with_their_weights(values: list[float], discount: float) -> None:
    """The centred recursion gives what the definition gives."""
    cell = np.zeros(3)
    for value in values:
        add(cell, value, discount)
    twin = naive_trcf.Statistic(discount, values)
    largest = max(map(abs, values))
    assert cell[1] == pytest.approx(twin.mean(), abs=1e-9 * largest + 1e-300)
    assert deviation(cell) == pytest.approx(twin.deviation(), abs=1e-6 * largest + 1e-300)


def test_a_value_entered_many_times_at_once_is_entered_one_by_one() -> None:
    """A long gap costs nothing and changes nothing."""
    one, other = np.array([3.0, 2.0, 5.0]), np.array([3.0, 2.0, 5.0])
    for _ in range(1000):
        add(one, 0.25, 1 / 2560)
    add_repeated(other, 0.25, 1 / 2560, 1000)
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_a_deviation_survives_a_mean_a_billion_times_as_large() -> None:
    """The reference's sum of squares would cancel."""
    cell = np.zeros(3)
    for index in range(2000):
        add(cell, 1.7e9 + index % 2, 1 / 2560)
    assert deviation(cell) == pytest.approx(0.5, rel=1e-6)


# --- recordings of the Java library ---


def test_the_threshold_is_the_java_librarys() -> None:
    """With its scores given, the threshold of every row and the grade of the spike at the end.

    One grade before that, the corrector takes away.
    """
    calm = JAVA["calm"]
    scores, n_scores, last = np.zeros((3, 3)), 0, 0.0
    for value, threshold, grade in zip(calm["score"], calm["threshold"], calm["grade"], strict=True):
        if value == 0:
            continue
        said = judge(scores, n_scores, value, 8)
        assert said.threshold == pytest.approx(threshold, abs=1e-12)
        assert said.grade >= grade
        learn_score(scores, value, value, last, 1 / 2560)
        n_scores, last = n_scores + 1, value
    assert n_scores == 125
    assert said.grade == calm["grade"][-1] > 0


def test_scale_shingle_and_confidence_are_the_java_librarys() -> None:
    """Through missing values, missed windows and the first ten rows, whatever the forest's random numbers.

    The library miscounts imputed steps after a gap, which lifts its confidence above what its own definition says; so
    confidence is compared up to the first one behind the first ten rows.
    """
    gaps = JAVA["gaps"]
    times = np.array(gaps["times_ms"], np.int64)
    values = np.array(gaps["values"], float)[:, None, :]
    fleet = fleet_of(kind_of(2, fills=True), np.array([3], np.uint64))
    models = fleet._models
    first_gap = 10 + int(np.argmax(np.diff(times[10:]) > MINUTE_MS)) + 1
    compared = 0
    for window in range(len(times)):
        if window >= 10:
            cells = models.statistics[0]
            for name, function in (("shift", shift_of), ("scale", scale_of), ("noise", noise_of)):
                ours = [function(cell) for cell in cells]
                np.testing.assert_allclose(ours, gaps[name][window], rtol=1e-9, err_msg=f"{name} {window}")
        said = observe(fleet, times[window : window + 1], values[window : window + 1])
        assert (said.status[0, 0] == 2) == gaps["scored"][window]
        if window >= 10:
            np.testing.assert_allclose(models.shingle[0, -2:], gaps["point"][window], rtol=2e-6)
        if gaps["scored"][window] and window <= first_gap:
            assert said.confidence[0, 0] == pytest.approx(gaps["confidence"][window], abs=1e-12)
            compared += 1
    assert compared > 10


# --- the twin ---


class OurForest:
    """One model of the product's forest, as the twin asks it."""

    def __init__(self, kind: ModelSettings, seed: int) -> None:
        self.state, self.seed = allocate(kind.forest_shape, 1), np.uint64(seed)
        self.decay = 1 / kind.recency_emphasis
        self.forget()

    def forget(self) -> None:
        reset(self.state, 0, self.seed)

    def score(self, point: list[float]) -> float:
        return float(score(self.state, 0, np.array(point, np.float32)))

    def learn(self, point: list[float]) -> None:
        update(self.state, 0, np.array(point, np.float32), self.decay)

    def attribute(self, point: list[float]) -> tuple[list[float], list[float]]:
        high, low = np.empty(len(point)), np.empty(len(point))
        attribute(self.state, 0, np.array(point, np.float32), high, low)
        return high.tolist(), low.tolist()

    def impute(self, point: list[float], missing: Sequence[int]) -> list[float]:
        marks, out = np.zeros(len(point), np.bool_), np.empty(len(point), np.float32)
        marks[list(missing)] = True
        impute(self.state, 0, np.array(point, np.float32), marks, out)
        return [float(value) for value in out]

    def reach(self, point: list[float]) -> list[list[float]]:
        n_trees = self.state.points.shape[1]
        reached, distances = np.empty((n_trees, len(point)), np.float32), np.empty(n_trees)
        reach(self.state, 0, np.array(point, np.float32), reached, distances)
        return reached.astype(float).tolist()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_features=st.integers(1, 3),
    shingle_size=st.sampled_from([1, 2, 4, 8]),
    size=st.sampled_from([0.01, 1.0, 1e4]),
    missing=st.sampled_from([0.0, 0.15]),
    gaps=st.booleans(),
)
def test_the_models_say_what_their_twin_says(
    seed: int, n_features: int, shingle_size: int, size: float, missing: float, *, gaps: bool
) -> None:
    """Every number of every row: calm and wild series, spikes and level shifts, missing values and missed windows."""
    rng = np.random.default_rng(seed)
    n_windows = 160
    margin = tuple(tuple(row) for row in rng.choice([0.0, 0.0, 0.05], (4, n_features)).tolist())
    kind = kind_of(n_features, shingle_size, margin=margin, fills=True)
    steps = rng.choice([1, 1, 1, 1, 2, 12], n_windows) if gaps else np.ones(n_windows, np.int64)
    times = 1_600_000_000_000 + np.cumsum(steps) * MINUTE_MS
    values = size * (3 + rng.normal(0, 0.3, (n_windows, 1, n_features)))
    values[rng.integers(40, n_windows, 6)] += size * rng.choice([-8, 3, 10], (6, 1, n_features))
    values[120:] += size * 4
    values[rng.random(values.shape) < missing] = np.nan
    scored = observe(fleet_of(kind, np.array([seed], np.uint64)), times, values)
    twin = naive_trcf.Model(n_features, shingle_size, 1 / 2560, MINUTE_MS, OurForest(kind, seed), margin)
    for window, (time_ms, row) in enumerate(zip(times.tolist(), values[:, 0].tolist(), strict=True)):
        said = twin.observe(time_ms, row)
        for name in ("score", "grade", "threshold", "confidence"):
            ours = getattr(scored, name)[window, 0]
            np.testing.assert_allclose(
                ours, getattr(said, name), rtol=1e-5, atol=1e-6, err_msg=f"{name} {window}"
            )
        if said.expected is not None:
            np.testing.assert_allclose(scored.expected[window, 0], said.expected, rtol=1e-4, atol=1e-4 * size)
            np.testing.assert_allclose(scored.contribution[window, 0], said.share, rtol=1e-4)
    assert np.isfinite(scored.score).any()


# --- the contracts of every fleet ---


@pytest.mark.parametrize("kind", [ONE, TWO], ids=["one feature", "two features"])
def test_the_fleets_contracts_hold(kind: ModelSettings) -> None:
    """Repeatable, causal, the same whatever the blocks, and saved models go on bit for bit."""
    times, values = minutes(260), noise(260, 3, kind.n_features)
    values[200] += 40
    check_repeatable(kind, times, values)
    check_blocks_do_not_matter(kind, times, values, 37)
    check_causal(kind, times, values, 150)
    for cut in (3, 10, 40, 205):
        check_save_and_load(kind, times, values, cut)


def test_an_absent_window_is_filled_by_the_next_row_and_says_nothing() -> None:
    """Rows that are not there have no verdict; the model counts their steps when the next row comes."""
    times, values = minutes(100), noise(100, 1, 1)
    present = np.ones((100, 1), np.bool_)
    present[60:70] = False
    fleet = fleet_of(ONE, seeds_for(values))
    scored = observe(fleet, times, values, present)
    assert (scored.status[60:70] == 0).all()
    assert (scored.status[70:] == 2).all()
    assert fleet._models.course["clock"][0] == 100
    gone = fleet_of(ONE, seeds_for(values))
    check_equal(
        type(scored)(*(column[present[:, 0]] for column in scored)),
        observe(gone, times[present[:, 0]], values[present[:, 0]]),
    )


def test_a_row_without_values_is_scored_only_where_it_is_to_be_filled() -> None:
    """Nothing is made up unless the detector says so; the confidence falls in either case."""
    times, values = minutes(80), noise(80, 1, 1)
    values[70] = np.nan
    plain = observe(fleet_of(ONE, seeds_for(values)), times, values)
    filled = observe(fleet_of(kind_of(fills=True), seeds_for(values)), times, values)
    assert plain.status[70, 0] == 1
    assert filled.status[70, 0] == 2
    assert plain.confidence[71, 0] == filled.confidence[71, 0] < filled.confidence[70, 0]


def test_a_month_without_rows_is_passed_at_once() -> None:
    """Time and memory of a gap do not depend on its length, and the model goes on."""
    times, values = minutes(200), noise(200, 1, 1)
    times[100:] += 30 * 24 * 60 * MINUTE_MS
    fleet = fleet_of(ONE, seeds_for(values))
    scored = observe(fleet, times, values)
    assert (scored.status[100:] == 2).all()
    assert fleet._models.course["clock"][0] == 200 + 30 * 24 * 60
    assert scored.confidence[100, 0] > scored.confidence[101, 0] > 0


HARD = {
    "one value ever": lambda n: np.full(n, 42.0),
    "zeros": np.zeros,
    "huge": lambda n: np.where(np.arange(n) % 7 == 0, 1e300, -1e300),
    "one huge among small": lambda n: np.where(np.arange(n) == n // 2, 1e300, np.arange(n) % 5),
    "tiny": lambda n: np.where(np.arange(n) % 3 == 0, 1e-300, -1e-300),
    "alternating": lambda n: np.where(np.arange(n) % 2 == 0, 1.0, -1.0),
    "infinities": lambda n: np.where(np.arange(n) % 11 == 3, np.inf, np.arange(n) % 4),
    "a counter": lambda n: 1.7e9 + np.arange(n) * 3.0,
    "nothing known": lambda n: np.full(n, np.nan),
    "calm, then wild": lambda n: np.where(np.arange(n) < 100, 1e-3, 1e3) * np.sin(np.arange(n)),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_streams_leave_no_hole(name: str) -> None:
    """Whatever the values, a scored row has finite numbers, and grades and confidence from 0 to 1."""
    values = np.asarray(HARD[name](300), float)[:, None, None]
    scored = observe(fleet_of(ONE, seeds_for(values)), minutes(300), values)
    ready = scored.status == 2
    assert ready.any() == (name != "nothing known")
    for column in (scored.score, scored.grade, scored.threshold, scored.confidence):
        assert np.isfinite(column[ready]).all()
    for column in (scored.grade, scored.confidence):
        assert ((column[ready] >= 0) & (column[ready] <= 1)).all()


def test_a_calm_series_is_seen_as_finely_as_a_wild_one() -> None:
    """The forest's fixed steps do not blur a series of ratios: a spike of one of a thousand stands out."""
    values = 0.001 * np.random.default_rng(1).normal(0, 1, (400, 4, 1)) + 0.5
    values[350] += 0.05
    scored = observe(fleet_of(ONE, seeds_for(values)), minutes(400), values)
    assert (scored.score[350] > 2 * np.nanmean(scored.score[300:350], axis=0)).all()


def test_settings_of_another_number_of_features_are_refused() -> None:
    """Each setting is one number a feature."""
    with pytest.raises(ValueError, match=r"`filler` must hold 1 x 2 values, got \(1\.0,\)"):
        kind_of(2, filler=(1.0,))
    with pytest.raises(ValueError, match="`margin` must hold 4 x 1 values"):
        kind_of(1, margin=((1.0, 2.0),) * 4)
    with pytest.raises(ValueError, match="`margin` must not be negative"):
        kind_of(1, margin=((-1.0,),) * 4)
