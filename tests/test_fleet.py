"""The fleet: its contract, its twin, streams that are hard on arithmetic, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import naive_model
import numpy as np
import pytest
from checks import (
    Times,
    Values,
    check_blocks_do_not_matter,
    check_causal,
    check_repeatable,
    check_sane,
    check_save_and_load,
    fleet_of,
    observe,
    seeds_for,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.forest.kernels.update import reset, score_and_update
from detector.forest.state import allocate
from detector.model.attribution import NO_TRAIT, tell_traits
from detector.model.bars import bars_of
from detector.model.fleet import Fleet, ModelSettings
from detector.model.transform import LONG_MEAN, MEDIUM_MEAN, N_COLUMNS, RESIDUAL_MEAN, VALUE
from detector.model.verdicts import ScoredBlock
from detector.model.walk import FIRST_SCORED, MAX_WARM_UP

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
FIVE_MINUTES = ModelSettings(n_features=1, interval_ms=5 * MINUTE_MS, n_trees=5, sample_size=64)
TWO_METRICS = ModelSettings(n_features=2, interval_ms=HOUR_MS, n_trees=5, sample_size=64)
SHINGLE = ModelSettings(n_features=2, interval_ms=5 * MINUTE_MS, shingle_size=8, n_trees=5, sample_size=64)
KINDS = pytest.mark.parametrize("kind", [FIVE_MINUTES, TWO_METRICS, SHINGLE], ids=["five", "two", "shingle"])


def times_of(kind: ModelSettings, n_windows: int) -> Times:
    return np.arange(1, n_windows + 1, dtype=np.int64) * kind.interval_ms + 1_400_000_000_000


def daily(kind: ModelSettings, n_windows: int, n_models: int, seed: int = 0) -> tuple[Times, Values]:
    """Return a daily rhythm with noise."""
    rng = np.random.default_rng(seed)
    times = times_of(kind, n_windows)
    rhythm = np.sin(2 * np.pi * times / DAY_MS)[:, None, None]
    return times, 10 + rhythm + rng.normal(0, 0.1, (n_windows, n_models, kind.n_features))


@KINDS
def test_the_same_seed_gives_the_same_results(kind: ModelSettings) -> None:
    """Randomness comes from the seeds alone."""
    check_repeatable(kind, *daily(kind, 400, 2))


@KINDS
def test_results_do_not_depend_on_how_rows_come(kind: ModelSettings) -> None:
    """One window at a time, in pieces, entity by entity or in another order: equal bits."""
    times, values = daily(kind, 380, 3)
    values[100:110, 1] = np.nan
    check_blocks_do_not_matter(kind, times, values, cut=1)
    check_blocks_do_not_matter(kind, times, values, cut=77)


@KINDS
def test_a_longer_stream_begins_as_the_shorter_one(kind: ModelSettings) -> None:
    """Nothing looks ahead."""
    check_causal(kind, *daily(kind, 400, 2), end=250)


@KINDS
@pytest.mark.parametrize("cut", [1, FIRST_SCORED - 1, FIRST_SCORED, 200, 390])
def test_saved_models_go_on_bit_for_bit(kind: ModelSettings, cut: int) -> None:
    """In every phase: waiting, provisional scale, final scale."""
    check_save_and_load(kind, *daily(kind, 420, 2), cut=cut)


@KINDS
def test_a_planted_anomaly_scores_highest_and_alarms(kind: ModelSettings) -> None:
    """A value far outside, after days of calm, alarms at once and scores highest while the input holds it."""
    times, values = daily(kind, 1200, 2, seed=2)
    assert not (
        np.nan_to_num(observe(fleet_of(kind, seeds_for(values)), times, values).grade[1000:]) > 0
    ).any()
    values[1100, :, 0] += 8
    scored = observe(fleet_of(kind, seeds_for(values)), times, values)
    delay = np.argmax(scored.score[MAX_WARM_UP:], axis=0) + MAX_WARM_UP - 1100
    assert ((delay >= 0) & (delay < (kind.shingle_size or 1))).all()
    # Eight windows dilute one value.
    assert (scored.grade[1100] > (0.3 if kind.shingle_size else 0.4)).all()
    assert (scored.contribution[1100, :, 0] > 0.6).all()
    # Odd codes are high; a shingle has no columns of which one could be told, and a departure needs none.
    is_told = ~scored.departed[1100, :, 0].astype(bool) & (kind.shingle_size is None)
    np.testing.assert_array_equal(scored.trait[1100, :, 0] % 2, is_told)
    assert not scored.trait[np.isnan(scored.grade)].any()
    assert (scored.upper[1100, :, 0] < values[1100, :, 0]).all()
    check_sane(scored, values)


@pytest.mark.parametrize("skewed", [False, True])
def test_an_alarm_of_a_departure_says_so_and_names_the_metric(*, skewed: bool) -> None:
    """A job of the second metric that does not come; what is routine is told in units of the values."""
    random, window = np.random.default_rng(1), np.arange(4032)
    values = 100 + random.normal(size=(4032, 1, 2))
    if skewed:
        values[:, 0, 1] = 100 + np.exp(random.normal(size=4032))
    job = (window % 288 >= 100) & (window % 288 < 112) & ((window < 3460) | (window > 3460 + 288))
    values[job, 0, 1] += 400
    kind = ModelSettings(2, 5 * MINUTE_MS, n_trees=4, sample_size=64)
    fleet = fleet_of(kind, seeds_for(values))
    scored = observe(fleet, 5 * MINUTE_MS * (window + 1), values)
    told = np.flatnonzero(scored.departed[:, 0, 1])
    assert set(np.flatnonzero(scored.departed.any(axis=(1, 2)))) == set(told)
    assert 3556 <= told[-1] < 3580
    assert (scored.grade[told, 0] > 0).all()
    assert (scored.contribution[told, 0, 1] > 0.9).all()
    assert 300 < scored.routine[told[-1], 0, 1] < 520
    assert np.isnan(scored.routine[scored.departed == 0]).all()


def test_of_each_metric_the_column_with_most_of_the_score_is_told() -> None:
    """On the side that has two thirds of it; none where neither has."""
    columns = np.zeros((4, 3 * N_COLUMNS))
    high, low = columns[0], columns[1]
    high[MEDIUM_MEAN], high[VALUE], low[LONG_MEAN] = 0.5, 0.2, 0.3
    low[N_COLUMNS + RESIDUAL_MEAN], high[N_COLUMNS] = 0.4, 0.1
    high[2 * N_COLUMNS], low[2 * N_COLUMNS + 1] = 0.6, 0.4
    traits = np.full(3, 77, np.uint8)
    tell_traits(columns, traits)
    assert traits.tolist() == [1 + 2 * MEDIUM_MEAN, 2 + 2 * RESIDUAL_MEAN, NO_TRAIT]


def test_the_first_score_comes_at_the_fortieth_window() -> None:
    """As in the plugin; confidence is above 0 from there on and grows."""
    times, values = daily(FIVE_MINUTES, 400, 1)
    scored = observe(fleet_of(FIVE_MINUTES, seeds_for(values)), times, values)
    assert scored.status[:, 0].tolist() == [1] * (FIRST_SCORED - 1) + [2] * (401 - FIRST_SCORED)
    confidence = scored.confidence[FIRST_SCORED - 1 :, 0]
    assert confidence[0] > 0
    assert (np.diff(confidence) > 0).all()


def test_more_models_leave_those_there_are_alone() -> None:
    """The arena grows without a trace."""
    times, values = daily(FIVE_MINUTES, 300, 2)
    fleet, calm = (fleet_of(FIVE_MINUTES, seeds_for(values)) for _ in range(2))
    for one in (fleet, calm):
        observe(one, times[:100], values[:100])
    fleet.add(np.arange(500, dtype=np.uint64))
    assert fleet.n_models == 502
    after = observe(fleet, times[100:], values[100:])
    assert after.score.tobytes() == observe(calm, times[100:], values[100:]).score.tobytes()


# --- the twin ---


def twin_of(kind: ModelSettings, seed: int) -> naive_model.Model:
    """Return a twin with a forest of its own, of the product's kind."""
    state = allocate(kind.forest_shape, 1)
    decay = 1 / kind.recency_emphasis
    return naive_model.Model(
        seed=seed,
        n_metrics=kind.n_features,
        season=naive_model.Season(kind.interval_ms),
        decay=decay,
        score_and_update=lambda point: score_and_update(state, 0, np.array(point, np.float32), decay),
        forget=lambda: reset(state, 0, np.uint64(seed)),
        budget=kind.bars.weekly_budget,
    )


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    interval_ms=st.sampled_from(
        [MINUTE_MS, 5 * MINUTE_MS, 25 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 7 * HOUR_MS, DAY_MS, 2 * DAY_MS]
    ),
    n_features=st.integers(1, 3),
    missing=st.sampled_from([0.0, 0.2]),
    gaps=st.booleans(),
    budget=st.sampled_from([0.0, 0.5, 20.0]),
    skewed=st.sampled_from([0, 1, -1]),
)
def test_the_fleet_says_what_its_twin_says(
    seed: int, interval_ms: int, n_features: int, missing: float, *, gaps: bool, budget: float, skewed: int
) -> None:
    """Every number of every row, over intervals, metrics, missing values, gaps, budgets and tails, through replays."""
    kind = ModelSettings(n_features, interval_ms, n_trees=3, sample_size=32, bars=bars_of(0.5, budget))
    rng = np.random.default_rng(seed)
    steps = rng.choice([1, 1, 1, 2, 30], 330) if gaps else np.ones(330, np.int64)
    times = 1_400_000_000_000 + np.cumsum(steps) * interval_ms
    noise = rng.gamma(2, 1, (330, 1, n_features))
    if skewed:
        noise[:, :, 0] = skewed * np.exp(1.2 * rng.normal(size=(330, 1)))
    values = noise + np.sin(2 * np.pi * times / DAY_MS)[:, None, None]
    values[rng.random(values.shape) < missing] = np.nan
    values[rng.integers(0, 330, 3)] += 10
    scored = observe(fleet_of(kind, np.array([seed], np.uint64)), times, values)
    twin = twin_of(kind, seed)
    for window, (time_ms, row) in enumerate(zip(times.tolist(), values[:, 0].tolist(), strict=True)):
        said = twin.observe(time_ms, row)
        for name in ("score", "grade", "threshold", "confidence", "lasted_ms", "expected", "lower", "upper"):
            ours = getattr(scored, name)[window, 0]
            np.testing.assert_allclose(
                ours, getattr(said, name), rtol=1e-7, atol=1e-9, err_msg=f"{name} {window}"
            )


# --- streams that are hard on arithmetic ---

HARD = {
    "one value ever": lambda n: np.full(n, 42.0),
    "zeros": np.zeros,
    "a step after a constant": lambda n: np.where(np.arange(n) < n - 50, 7.0, 9.0),
    "huge": lambda n: np.where(np.arange(n) % 7 == 0, 1e300, -1e300),
    "the largest floats": lambda n: np.where(np.arange(n) % 5 == 0, 1.7e308, -1.7e308),
    "tiny": lambda n: np.where(np.arange(n) % 3 == 0, 1e-300, -1e-300),
    "denormal": lambda n: np.where(np.arange(n) % 3 == 0, 5e-324, 0.0),
    "alternating": lambda n: np.where(np.arange(n) % 2 == 0, 1.0, -1.0),
    "one huge among small": lambda n: np.where(np.arange(n) == n // 2, 1e300, np.arange(n) % 5),
    "infinities": lambda n: np.where(np.arange(n) % 11 == 3, np.inf, np.arange(n) % 4),
    "a counter": lambda n: 1.7e9 + np.arange(n) * 3.0,
    "nothing known": lambda n: np.full(n, np.nan),
    "known late": lambda n: np.where(np.arange(n) < n - 60, np.nan, np.arange(n) % 9),
}


@pytest.mark.parametrize("name", HARD)
@KINDS
def test_hard_streams_leave_no_hole(name: str, kind: ModelSettings) -> None:
    """No warning and no NaN in a scored row, alone or beside an ordinary metric."""
    times, values = daily(kind, 420, 2)
    values[:, :, 0] = HARD[name](420)[:, None]
    scored = observe(fleet_of(kind, seeds_for(values)), times, values)
    check_sane(scored, values)
    assert (scored.status > 0).all()


@pytest.mark.parametrize("kind", [FIVE_MINUTES, SHINGLE], ids=["five", "shingle"])
def test_a_jump_after_a_constant_alarms(kind: ModelSettings) -> None:
    """Also when it is tiny against the level."""
    times, values = daily(kind, 500, 1)
    values[:] = 1e6
    values[450:] += 1e-3
    scored = observe(fleet_of(kind, seeds_for(values)), times, values)
    assert scored.grade[450, 0] > 0.9


def test_a_constant_never_alarms() -> None:
    """Not even its beginning, where every score is the first of its kind."""
    times, values = daily(FIVE_MINUTES, 3000, 1)
    values[:] = 3.25
    scored = observe(fleet_of(FIVE_MINUTES, seeds_for(values)), times, values)
    assert np.nanmax(scored.grade) == 0
    assert (scored.lower[1:] == 3.25).all()
    assert (scored.upper[1:] == 3.25).all()


def test_a_gap_of_a_month_is_stepped_over() -> None:
    """The model goes on; what it remembers of alarms has faded."""
    times, values = daily(FIVE_MINUTES, 800, 1)
    values[500] += 9
    times[600:] += 30 * DAY_MS
    scored = observe(fleet_of(FIVE_MINUTES, seeds_for(values)), times, values)
    check_sane(scored, values)
    assert scored.grade[500, 0] > 0
    assert (scored.status == np.where(np.arange(800) < FIRST_SCORED - 1, 1, 2)[:, None]).all()


@pytest.mark.parametrize("interval_ms", [1_000, 7 * DAY_MS, 30 * DAY_MS])
def test_intervals_from_a_second_to_beyond_every_season(interval_ms: int) -> None:
    """A day in slots of many windows, or no season at all: scored alike, and a jump alarms."""
    kind = ModelSettings(n_features=1, interval_ms=interval_ms, n_trees=5, sample_size=64)
    values = np.random.default_rng(4).normal(100, 1, (600, 1, 1))
    values[500] += 60
    scored = observe(fleet_of(kind, seeds_for(values)), times_of(kind, 600), values)
    check_sane(scored, values)
    assert scored.grade[500, 0] > 0


def test_rows_not_newer_than_the_model_are_left_out() -> None:
    """A model never learns a window twice."""
    times, values = daily(FIVE_MINUTES, 300, 1)
    fleet = fleet_of(FIVE_MINUTES, seeds_for(values))
    observe(fleet, times[:200], values[:200])
    again = observe(fleet, times[100:], values[100:])
    assert again.status[:100].tolist() == [[0]] * 100
    straight = observe(fleet_of(FIVE_MINUTES, seeds_for(values)), times, values)
    assert again.score[100:].tobytes() == straight.score[200:].tobytes()


def test_absent_rows_say_nothing_and_change_nothing() -> None:
    """An entity without data in a window has no row."""
    times, values = daily(FIVE_MINUTES, 300, 1)
    present = np.arange(300)[:, None] % 3 > 0
    scored = observe(fleet_of(FIVE_MINUTES, seeds_for(values)), times, values, present)
    kept = present[:, 0]
    dense = observe(fleet_of(FIVE_MINUTES, seeds_for(values)), times[kept], values[kept])
    assert scored.score[kept].tobytes() == dense.score.tobytes()
    assert (scored.status[~kept] == 0).all()
    assert np.isnan(scored.expected[~kept]).all()


def test_confidence_falls_while_values_are_missing() -> None:
    """Rows without any value have an expectation and no score; quality recovers after."""
    times, values = daily(TWO_METRICS, 600, 1)
    values[300:325] = np.nan
    scored = observe(fleet_of(TWO_METRICS, seeds_for(values)), times, values)
    assert (scored.status[300:325] == 3).all()
    assert np.isfinite(scored.expected[300:325]).all()
    assert scored.confidence[325, 0] < scored.confidence[299, 0]
    assert (np.diff(scored.confidence[325:, 0]) > 0).all()


# --- refusals ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": np.array([0, 0])}, "names a model twice"),
        ({"slots": np.array([0, 5])}, r"must be in 0\.\.1, got 0\.\.5"),
        ({"slots": np.array([0, 1], np.int32)}, "`slots` must be int64"),
        ({"end_times_ms": np.array([2, 1])}, "must ascend"),
        ({"values": np.zeros((2, 2, 3))}, r"`values` must be float64 of shape \(2, 2, 1\)"),
        ({"values": np.zeros((2, 2, 1), np.float32)}, "got float32"),
        ({"present": np.ones((2, 3), np.bool_)}, "`present` must be bool"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    """Before a model has changed, with what was wanted and what came."""
    fleet = fleet_of(FIVE_MINUTES, np.arange(2, dtype=np.uint64))
    block = {
        "slots": np.arange(2),
        "end_times_ms": np.array([1, 2]),
        "values": np.zeros((2, 2, 1)),
        "present": np.ones((2, 2), np.bool_),
    } | change
    with pytest.raises(ValueError, match=message):
        fleet.observe(**block)


def test_saved_models_of_other_settings_are_refused() -> None:
    """Also a truncated array, a missing one, one of another type, and too few slots."""
    saved = fleet_of(TWO_METRICS, np.arange(3, dtype=np.uint64)).save(0, 3)
    with pytest.raises(ValueError, match=r"`.+` must be \S+ of shape .+, got"):
        fleet_of(FIVE_MINUTES, np.arange(3, dtype=np.uint64)).load(0, saved)
    fleet = fleet_of(TWO_METRICS, np.arange(3, dtype=np.uint64))
    with pytest.raises(ValueError, match="missing arrays"):
        fleet.load(0, {name: array for name, array in saved.items() if name != "model.course.seed"})
    with pytest.raises(ValueError, match=r"`forest\.keys`"):
        fleet.load(0, saved | {"forest.keys": saved["forest.keys"][:2]})
    with pytest.raises(ValueError, match=r"`model\.course\.last_ms`"):
        fleet.load(0, saved | {"model.course.last_ms": saved["model.course.last_ms"].astype(np.float64)})
    with pytest.raises(ValueError, match=r"slots 1\.\.4 are not among the 3 models"):
        fleet.load(1, saved)
    with pytest.raises(ValueError, match=r"slots 2\.\.9"):
        fleet.save(2, 9)


@pytest.mark.parametrize("name", ["n_features", "interval_ms", "shingle_size", "recency_emphasis", "n_trees"])
def test_settings_below_one_are_refused(name: str) -> None:
    """By name."""
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        Fleet(ModelSettings(**({"n_features": 1, "interval_ms": 1} | {name: 0})))


def test_model_bytes_is_what_a_model_takes() -> None:
    """The figure that memory budgets are made with."""
    fleet = fleet_of(FIVE_MINUTES, np.arange(3, dtype=np.uint64))
    assert fleet.model_bytes == sum(array.nbytes for array in fleet.save(0, 1).values())


# --- without the JIT ---

PLAIN = """
import numpy as np, sys
from detector.model.fleet import Fleet, ModelSettings
fleet = Fleet(ModelSettings(2, 3_600_000, n_trees=2, sample_size=16))
fleet.add(np.array([128, 7], np.uint64))
rng = np.random.default_rng(1)
values = rng.normal(size=(210, 2, 2))
values[60, 0] = np.nan
values[199] += 9
times = np.arange(1, 211) * 3_600_000
scored = fleet.observe(np.arange(2), times, values, np.ones((210, 2), bool))
np.savez(sys.argv[1], *scored)
"""


def test_results_are_the_same_without_the_jit(tmp_path: Path) -> None:
    """The kernels are ordinary Python: they run, without a warning, and say the same."""
    for name, switch in (("plain", "1"), ("compiled", "0")):
        subprocess.run(
            [sys.executable, "-W", "error", "-c", PLAIN, str(tmp_path / f"{name}.npz")],
            env=os.environ | {"NUMBA_DISABLE_JIT": switch},
            check=True,
            timeout=300,
        )
    plain, compiled = (np.load(tmp_path / f"{name}.npz") for name in ("plain", "compiled"))
    assert len(plain.files) == len(ScoredBlock._fields)
    for name in plain.files:
        np.testing.assert_allclose(plain[name], compiled[name], rtol=1e-9, atol=1e-12)
    assert plain["arr_1"][199].max() > 0
