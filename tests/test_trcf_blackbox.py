"""The plugin-compatible profile from outside, with the figures of the reference's own tests and measurements.

Calibrated forecasts (the reference's caster) are not part of the product. Many trials of one kind are many models of
one fleet.
"""

from typing import Any

import numpy as np
import pytest
from checks import Values, fleet_of, observe, seeds_for
from numpy.typing import NDArray

from detector.model.fleet import Fleet, ModelSettings
from detector.model.plugin_settings import PLUGIN_TREES, TrcfSettings
from detector.model.verdicts import ScoredBlock

MINUTE_MS = 60_000
START_MS = 1_600_000_000_000


def kind_of(n_features: int, shingle_size: int, n_trees: int = PLUGIN_TREES, **more: Any) -> ModelSettings:
    return ModelSettings(n_features, MINUTE_MS, shingle_size, n_trees=n_trees, trcf=TrcfSettings(**more))


def minutes(n_windows: int) -> NDArray[np.int64]:
    return START_MS + np.arange(n_windows) * MINUTE_MS


def run(kind: ModelSettings, values: Values) -> ScoredBlock:
    return observe(fleet_of(kind, seeds_for(values)), minutes(len(values)), values)


def alarm_windows(fleet: Fleet, scored: ScoredBlock) -> list[set[int]]:
    """Windows with an alarm, one set a model."""
    return [set(np.flatnonzero(scored.grade[:, model] > 0).tolist()) for model in range(fleet.n_models)]


# 11


def test_a_constant_never_alarms_and_a_jump_does() -> None:
    """Of any number of trees, shingle and features: no alarm before, one at the jump, less than one after."""
    rng = np.random.default_rng(11)
    after = []
    for _ in range(12):
        n_features = int(rng.integers(1, 6))
        kind = kind_of(n_features, int(rng.integers(2, 17)), int(rng.integers(30, 50)))
        values = np.zeros((400, 3, n_features)) + rng.uniform(-50, 50, (1, 3, n_features))
        values[300:] += rng.uniform(6, 10, (1, 3, n_features)) * rng.choice([-1, 1], (1, 3, n_features))
        grade = np.nan_to_num(run(kind, values).grade)
        assert not grade[:300].any()
        assert (grade[300] > 0).all()
        after += (grade[301:] > 0).sum(axis=0).tolist()
    assert np.mean(after) < 1


# 12


def test_one_spike_in_a_cosine_is_found_once() -> None:
    """In four of five trials at its own step, with less than two alarms and a grade of less than 1.5 a trial."""
    rng = np.random.default_rng(12)
    n_trials, n_windows = 50, 1000
    phase, size = rng.integers(0, 50, n_trials), rng.uniform(100, 120, n_trials)
    values = size * np.cos(2 * np.pi * (np.arange(n_windows)[:, None] + phase) / 50)
    at = rng.integers(500, 900, n_trials)
    values[at, np.arange(n_trials)] += rng.choice([-100, 100], n_trials)
    kind = kind_of(1, 8)
    fleet = fleet_of(kind, seeds_for(values[:, :, None]))
    scored = observe(fleet, minutes(n_windows), np.ascontiguousarray(values[:, :, None]))
    grade = np.nan_to_num(scored.grade)
    last = fleet._models.course
    found = (grade > 0).any(axis=0) & (
        last["alarm_clock"][:n_trials] - 1 + last["alarm_block"][:n_trials] == at
    )
    assert found.mean() > 0.8
    assert (grade > 0).sum() < 2 * n_trials
    assert grade.sum() < 1.5 * n_trials


# 13


def test_two_spikes_within_a_shingle_are_one_alert() -> None:
    """The plugin alerts once a run: of 60 second spikes, one to six steps after the first, the Java library tells 5.

    None of those within the shingle; the reference's own figure, nine of ten, is for alerts without that setting.
    """
    rng = np.random.default_rng(13)
    n_trials = 60
    values = rng.uniform(0.4, 0.8, (600, n_trials, 1))
    gap = rng.integers(1, 7, n_trials)
    values[500, :, 0] += 10
    values[500 + gap, np.arange(n_trials), 0] += 10
    grade = np.nan_to_num(run(kind_of(1, 4), values).grade)
    assert (grade[500] > 0).all()
    told = np.array([(grade[500 + one : 500 + one + 4, trial] > 0).any() for trial, one in enumerate(gap)])
    assert not told[gap < 4].any()
    assert 1 <= told.sum() <= 15


# 14


@pytest.mark.parametrize("shingle_size", [1, 4, 8, 15])
@pytest.mark.parametrize("n_features", [1, 3, 5])
def test_ten_thousand_more_alarms_and_is_told_where_it_is(shingle_size: int, n_features: int) -> None:
    """The score reaches the threshold where the grade is above 0, and contributions sum to 1."""
    values = np.random.default_rng(14).normal(0, 1, (120, 4, n_features))
    values[82, :, 0] += 10_000
    scored = run(kind_of(n_features, shingle_size), values)
    alarms = scored.grade > 0
    assert alarms[82].all()
    assert (scored.score[alarms] >= scored.threshold[alarms]).all()
    np.testing.assert_allclose(scored.contribution[alarms].sum(axis=-1), 1.0, atol=1e-9)
    assert (scored.contribution[82, :, 0] > 0.9).all()


# 15


@pytest.mark.parametrize("shingle_size", [4, 8, 16])
@pytest.mark.parametrize("filler", [None, (0.0,), (1.0,)], ids=["previous", "zero", "fixed"])
def test_confidence_falls_in_a_gap_and_rises_after_it(shingle_size: int, filler: tuple[float] | None) -> None:
    """25 missing values in a row: the last value raises no alarm, a made-up one does at once."""
    values = np.random.default_rng(15).uniform(200, 240, (420, 5, 1))
    values[300:325] = np.nan
    scored = run(kind_of(1, shingle_size, fills=True, filler=filler), values)
    confidence = scored.confidence
    assert (np.diff(confidence[301:326], axis=0) < 0).all()
    assert (np.diff(confidence[325 + shingle_size :], axis=0) > 0).all()
    assert (np.diff(confidence[100:300], axis=0) > 0).all()
    alarms = scored.grade[300:325] > 0
    assert alarms[0].all() if filler else not alarms.any()


# 16


def test_a_gap_counts_its_steps_and_time_never_goes_back() -> None:
    """Ten missed windows are ten more steps; a row that is not newer is not there."""
    values = np.random.default_rng(16).normal(0, 1, (200, 1, 1))
    times = minutes(200)
    times[150:] += 10 * MINUTE_MS
    fleet = fleet_of(kind_of(1, 8), seeds_for(values))
    observe(fleet, times[:150], values[:150])
    before = int(fleet._models.course["clock"][0])
    observe(fleet, times[150:151], values[150:151])
    assert fleet._models.course["clock"][0] == before + 11
    assert observe(fleet, times[100:101], values[100:101]).status[0, 0] == 0
    assert fleet._models.course["clock"][0] == before + 11


# 17


def test_what_is_near_the_expected_value_is_ignored_and_a_jump_is_not() -> None:
    """Ten percent both ways: bumps of five percent pass, jumps of ten percent after level changes are still found."""
    rng = np.random.default_rng(17)
    n_trials = 40
    values = rng.uniform(99, 101, (700, n_trials, 1))
    values[300:] *= 1.02
    values[500] *= 1.05
    values[600] *= 1.25
    share = ((0.0,), (0.0,), (0.1,), (0.1,))
    quiet = np.nan_to_num(run(kind_of(1, 8, margin=share), values).grade)
    plain = np.nan_to_num(run(kind_of(1, 8), values).grade)
    assert (plain[500] > 0).mean() > 0.8
    assert not quiet[500].any()
    assert (quiet[600] > 0).mean() > 0.9


def test_a_direction_that_is_not_told_raises_no_alarm_and_changes_no_model() -> None:
    """Rules about a direction act after the model."""
    values = np.random.default_rng(18).normal(100, 1, (500, 10, 1))
    values[400] += 50
    values[450] -= 50
    told = run(kind_of(1, 8), values)
    muted = run(kind_of(1, 8, direction=((False,), (True,))), values)
    assert (told.grade[400] > 0).all()
    assert (muted.grade[400] == 0).all()
    assert (muted.grade[450] > 0).all()
    np.testing.assert_array_equal(told.score, muted.score)
    np.testing.assert_array_equal(told.threshold, muted.threshold)


# the table of the reference's generator


def cosines(n_windows: int, n_features: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Noisy cosines with flagged steps: period 50, amplitude 100 to 120, noise 5, about 0.3 % of steps a feature."""
    rng = np.random.default_rng(seed)
    phase, size = rng.integers(0, 50, n_features), 100 * (1 + 0.2 * rng.random(n_features))
    clean = size * np.cos(2 * np.pi * (np.arange(n_windows)[:, None] + phase) / 50)
    noise = rng.uniform(-5, 5, (n_windows, n_features))
    flagged = (rng.random((n_windows, 1)) < 0.01) & (rng.random((n_windows, n_features)) < 0.3)
    jump = rng.choice([-1, 1], noise.shape) * 5 * (1 + rng.random(noise.shape)) * 5
    return clean + np.where(flagged, jump, noise), flagged.any(axis=1)


@pytest.mark.parametrize(("n_features", "precision", "recall"), [(1, 1.00, 0.83), (3, 1.00, 0.67)])
def test_the_cosine_table_is_met(n_features: int, precision: float, recall: float) -> None:
    """Precision and recall that the Java library reaches with the plugin's settings, over five series.

    An alarm counts for the step it comes from. On these very series the library has 1.00 / 0.90 and 1.00 / 0.69.
    """
    n_windows = 10_000
    made = [cosines(n_windows, n_features, seed) for seed in range(5)]
    values = np.stack([one for one, _ in made], axis=1)
    fleet = fleet_of(kind_of(n_features, 8), seeds_for(values))
    times, found, alarms = minutes(n_windows), [set() for _ in made], [set() for _ in made]
    for window in range(n_windows):
        scored = observe(fleet, times[window : window + 1], values[window : window + 1])
        for model in np.flatnonzero(scored.grade[0] > 0) if window >= 300 else ():
            at = window + int(fleet._models.course["alarm_block"][model])
            alarms[model].add(window)
            if made[model][1][at]:
                found[model].add(at)
    truth = sum(flags[300:].sum() for _, flags in made)
    hits = sum(map(len, found))
    assert hits / sum(map(len, alarms)) >= precision - 0.02
    assert hits / truth >= recall - 0.05
