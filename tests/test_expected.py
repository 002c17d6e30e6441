"""Expected value and band: which predictor speaks, how much the band holds, and what does not move it."""

from collections.abc import Callable

import numpy as np
import pytest
from checks import fleet_of, observe, seeds_for
from numpy.typing import NDArray

from detector.model.fleet import ModelSettings
from detector.model.verdicts import ScoredBlock

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
KIND = ModelSettings(n_features=1, interval_ms=15 * MINUTE_MS, n_trees=2, sample_size=16)
WEEK = 7 * DAY_MS // KIND.interval_ms
TIMES = 1_400_000_000_000 + np.arange(1, 4 * WEEK + 1) * KIND.interval_ms
RHYTHM = 10 * np.sin(2 * np.pi * TIMES / DAY_MS)
N_MODELS = 8


def run(values: NDArray[np.float64]) -> ScoredBlock:
    """Run models over four weeks of values, float64, shape (n_windows, n_models)."""
    values = np.ascontiguousarray(values[:, :, None])
    return observe(fleet_of(KIND, seeds_for(values)), TIMES, values)


def coverage(values: NDArray[np.float64], scored: ScoredBlock) -> float:
    inside = (values >= scored.lower[:, :, 0]) & (values <= scored.upper[:, :, 0])
    return float(inside[WEEK:].mean())


def noise(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    shape = (len(TIMES), N_MODELS)
    if kind == "autoregressive":
        values = rng.normal(size=shape)
        for window in range(1, len(TIMES)):
            values[window] += 0.8 * values[window - 1]
        return values
    draws: dict[str, Callable[[], NDArray[np.float64]]] = {
        "normal": lambda: rng.normal(size=shape),
        "log-normal": lambda: rng.lognormal(size=shape),
        "Poisson": lambda: rng.poisson(5, shape).astype(np.float64),
        "heavy tails": lambda: rng.standard_t(2.5, shape),
    }
    return draws[kind]()


@pytest.mark.parametrize("kind", ["normal", "autoregressive", "log-normal", "Poisson", "heavy tails"])
@pytest.mark.parametrize("rhythm", [False, True], ids=["flat", "daily"])
def test_the_band_holds_nineteen_values_of_twenty(kind: str, *, rhythm: bool) -> None:
    """Of whatever distribution, with and without a daily rhythm; counts repeat values, so theirs holds more."""
    values = noise(kind, np.random.default_rng(7)) + (RHYTHM[:, None] if rhythm else 0)
    scored = run(values)
    assert 0.93 <= coverage(values, scored) <= (0.985 if kind == "Poisson" else 0.97)
    assert (scored.lower[WEEK:] < scored.upper[WEEK:]).all()


def test_the_band_of_a_rhythm_is_far_narrower_than_the_rhythm() -> None:
    """The expectation follows the day instead of its mean."""
    values = RHYTHM[:, None] + np.random.default_rng(3).normal(0, 0.3, (len(TIMES), N_MODELS))
    scored = run(values)
    error = np.abs(values - scored.expected[:, :, 0])[WEEK:].mean()
    assert error < 0.1 * np.abs(RHYTHM).mean()


def test_nothing_negative_is_expected_of_what_never_was() -> None:
    """Counts of a night near zero; from the first negative value on the band has both its sides."""
    rng = np.random.default_rng(2)
    values = rng.poisson(np.maximum(0.0, RHYTHM)[:, None], (len(TIMES), N_MODELS)).astype(np.float64)
    scored = run(values)
    assert (scored.expected[1:] >= 0).all()
    assert (scored.lower[1:] >= 0).all()
    assert 0.93 <= coverage(values, scored) <= 1
    values[2 * WEEK] = -1.0
    scored = run(values)
    assert (scored.lower[1 : 2 * WEEK + 1] >= 0).all()
    assert (scored.lower[2 * WEEK + 1 :] < 0).any(axis=0).all()


def test_anomalies_do_not_widen_the_band() -> None:
    """An hour far outside, ten times a week: the band is the one it would be without."""
    values = np.random.default_rng(5).normal(size=(len(TIMES), N_MODELS))
    spoiled = values.copy()
    for start in range(50, len(TIMES), 67):
        spoiled[start : start + 4] += 1e6
    calm, torn = run(values), run(spoiled)
    width = (torn.upper - torn.lower)[WEEK:] / (calm.upper - calm.lower)[WEEK:]
    assert np.median(width) < 1.3
    assert np.quantile(width, 0.99) < 3


def test_a_level_that_stays_is_expected_within_hours() -> None:
    """The band is there again long before the forest has forgotten."""
    values = np.random.default_rng(2).normal(size=(len(TIMES), N_MODELS))
    values[2 * WEEK :] += 100
    scored = run(values)
    after = slice(2 * WEEK + 32, 2 * WEEK + 96)
    assert np.abs(scored.expected[after] - 100).mean() < 3
    assert ((scored.upper - scored.lower)[after] < 20).mean() > 0.8


def test_noise_after_a_constant_is_covered_soon() -> None:
    """From errors of nothing the scale finds its size again, whatever it is."""
    for size in (1e-6, 1e6):
        values = np.zeros((len(TIMES), N_MODELS))
        values[WEEK:] = np.random.default_rng(1).normal(0, size, (len(TIMES) - WEEK, N_MODELS))
        scored = run(values)
        inside = (values >= scored.lower[:, :, 0]) & (values <= scored.upper[:, :, 0])
        assert inside[WEEK + 96 : WEEK + 192].mean() > 0.85


def test_nothing_is_expected_before_the_first_value() -> None:
    """Then, at once, something is."""
    values = np.full((len(TIMES), N_MODELS), np.nan)
    values[5:] = 1.0
    scored = run(values)
    assert np.isnan(scored.expected[:6]).all()
    assert (scored.expected[6:] == 1).all()
    assert ((scored.basis > 0) == np.isfinite(scored.expected)).all()
