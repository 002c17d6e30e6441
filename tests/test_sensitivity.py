"""The sensitivity of a detector, and its budget, have a monotone effect on what its models flag."""

import numpy as np

from detector.configuration.sensitivity import SENSITIVITY
from detector.model.bars import SENSITIVITY as MEASURED_AT
from detector.model.bars import bars_of
from detector.model.budget import UNLIMITED
from detector.model.fleet import Fleet, ModelSettings

MINUTES_MS = 300_000
N_WINDOWS, N_MODELS = 2500, 12


def n_alarms(sensitivity: float, weekly_budget: float = UNLIMITED) -> int:
    """Return the alarms on noise with a wave in it that is now and then disturbed."""
    random = np.random.default_rng(3)
    wave = 3 * np.sin(2 * np.pi * np.arange(N_WINDOWS) / 288)
    values = random.normal(size=(N_WINDOWS, N_MODELS)) + wave[:, None]
    for first in range(600, N_WINDOWS, 250):
        values[first : first + 10] += random.uniform(0, 8, N_MODELS)
    fleet = Fleet(ModelSettings(1, MINUTES_MS, bars=bars_of(sensitivity, weekly_budget)))
    fleet.add(np.arange(N_MODELS, dtype=np.uint64))
    times_ms = MINUTES_MS * np.arange(1, N_WINDOWS + 1)
    present = np.ones((N_WINDOWS, N_MODELS), np.bool_)
    scored = fleet.observe(np.arange(N_MODELS), times_ms, values[:, :, None], present)
    return int((scored.grade > 0).sum())


def test_more_sensitive_is_more_alarms() -> None:
    """From 0 to 1 in four steps; each adds some."""
    counts = [n_alarms(sensitivity) for sensitivity in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert counts == sorted(set(counts))


def test_a_larger_budget_is_more_alarms() -> None:
    """From one in two months to one in six hours; the largest more than without a budget, the smallest fewer."""
    counts = [n_alarms(SENSITIVITY, budget) for budget in (0.1, 2.0, 28.0)]
    assert counts == sorted(set(counts))
    assert counts[0] < n_alarms(SENSITIVITY) < counts[-1]


def test_configuration_and_model_mean_the_same_default() -> None:
    """The configuration does not import the kernels."""
    assert SENSITIVITY == MEASURED_AT
