"""How far a value falls outside its band, against how far this entity's values are used to fall.

Knows the band's ends and values, neither scores nor alarms.
"""

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.model.expected import Forecast
from detector.model.season import Record

MOST_EXCESS = 3.0
"""Excess of a value twenty times as far out as the band reaches; beyond, all are alike."""

USUAL_EXCESS = 0.2
"""Mean excess to begin with: of normally distributed errors it is 0.15, of heavy-tailed ones 0.3 to 0.4."""

N_BEGUN = 8
"""Peaks that the beginning counts for."""

N_PEAKS = 64
"""Peaks after which the oldest are forgotten."""

MOST_TIMES_USUAL = 6.0
"""A peak enters the mean as at most so many times the mean: an anomaly must not hide the next one."""

SURPRISE = np.dtype(
    [("n_peaks", np.float64), ("usual", np.float64), ("peak", np.float64)],
    align=True,
)
"""Per model: peaks behind the mean excess, that mean, and the highest excess of the run of windows at hand, 0 inside
the band."""


@inner
def reset_surprise(surprise: Record) -> None:
    """Forget how far values fell outside."""
    surprise["n_peaks"] = N_BEGUN
    surprise["usual"] = USUAL_EXCESS
    surprise["peak"] = 0.0


@inner
def excess_of(said: Forecast, value: float) -> float:
    """Return the logarithm of how many times as far out as its side of the band a value lies; 0 inside it."""
    error = value - said.expected
    reach = said.upper - said.expected
    if error < 0.0:
        error, reach = -error, said.expected - said.lower
    if not error > reach:
        return 0.0
    # In this order nothing is divided by 0 or overflows.
    if error >= reach * np.exp(MOST_EXCESS):
        return MOST_EXCESS
    return float(np.log(error / reach))


@inner
def rarity_of(surprise: Record, excess: float) -> float:
    """Return an excess in units of the mean excess, and enter it into that mean.

    Where tails fall as a power, the excess has an exponential distribution, its mean is Hill's (1975) estimate of the
    inverse power, and of all values outside the band a share exp(-rarity) is rarer. Peaks of runs are counted, not
    windows (peaks over threshold).
    """
    if excess > 0.0:
        usual = surprise["usual"]
        surprise["peak"] = max(surprise["peak"], min(excess, MOST_TIMES_USUAL * usual))
        return float(excess / usual)
    if surprise["peak"] > 0.0:
        surprise["n_peaks"] = min(surprise["n_peaks"] + 1.0, float(N_PEAKS))
        surprise["usual"] += (surprise["peak"] - surprise["usual"]) / surprise["n_peaks"]
        surprise["peak"] = 0.0
    return 0.0
