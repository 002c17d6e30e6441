"""The value expected in a window, and a band that holds about 95 % of normal values.

Both are said before the value is seen. Of a small panel of predictors per metric, the one with the smallest
recent error speaks; the band's two sides follow the errors by adaptive conformal quantile tracking (Gibbs &
Candes 2021, section 2, with the step taken on the quantile). Knows no scores and no alarms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import Record

LEVEL_SPANS = (1.0, 4.0, 16.0, 64.0)
"""Of the first predictors: the last value, and exponential means with the weights of means over so many."""

LEVEL_WEIGHTS = tuple(2.0 / (span + 1.0) for span in LEVEL_SPANS)
"""Weight of the newest value in each, once there are as many."""

N_LEVELS = 4
SEASON_MIDDLE, SEASON_STEP = 4, 5
N_PREDICTORS = 6
"""The others: the middle of last season's range at this time, and the last value moved as last season moved from
there to here."""

MISS_RATE = 0.02
"""Share of values to fall outside on each side; with the few far ones, which are not counted, 5 % in all."""

FAR = 2.0
"""A value this many times as far out as the band reaches is taken for an anomaly: it is not learnt, so that it
neither widens the band nor drags the expectation along."""

FAR_FROM = 16
"""Errors before which nothing is far: the band of the first few may be far too narrow."""

MAX_FAR_SHARE = 0.125
"""Where more than one value of eight is far, far values are normal, and learnt."""

MISSES_IN_A_ROW = 8
"""So many misses in a row are no anomaly but a new way of being normal: the expectation starts again from there."""

ERROR_WEIGHT = 1.0 / 64.0
"""Weight of the newest error: a predictor that has become better takes over
within hours, not on one lucky value."""

SETTLED = 64
"""Errors after which every weight is what it stays; nothing need be counted further."""

STEP = 0.1
"""Step of a band's side, in units of the scale: the side forgets in some 200 windows, its share
of misses varies by less than 1 %."""

START_REACH = 2.5
"""First distance of the sides, in mean absolute errors: 2.45 holds 95 % of normally distributed errors."""

BAND = np.dtype(
    [
        ("scale", np.float64),
        ("below", np.float64),
        ("above", np.float64),
        ("last", np.float64),
        ("past_middle", np.float64),
        ("far_share", np.float64),
        ("level", np.float64, (N_LEVELS,)),
        ("error", np.float64, (N_PREDICTORS,)),
        ("n_errors", np.int32),
        ("misses", np.int32),
        ("n_middle", np.int32),
        ("n_step", np.int32),
        ("change", np.float64, (MISSES_IN_A_ROW - 1,)),
        ("was_negative", np.bool_),
    ],
    align=True,
)
"""Per model and metric: mean absolute error, reach of the sides in units of it, the last value, the middle of the range
a season before it, and the discounted share of far values; the four levels, NaN at first, and the discounted absolute
error of each predictor; errors so far of the levels, misses in a row, and errors so far of the two seasonal predictors,
all but the second counted up to 64; changes from value to value within the misses in a row; whether a value was ever
negative."""


class Forecast(NamedTuple):
    """Expected value and band of a metric, NaN while it has had no value; 1 + the predictor that spoke, 0 = none."""

    expected: float
    lower: float
    upper: float
    basis: int


@inner
def reset_band(band: Record) -> None:
    """Forget the values and errors of a metric."""
    band["scale"] = 0.0
    band["below"] = START_REACH
    band["above"] = START_REACH
    band["last"] = np.nan
    band["past_middle"] = np.nan
    band["far_share"] = 0.0
    band["level"][:] = np.nan
    band["error"][:] = 0.0
    band["n_errors"] = 0
    band["misses"] = 0
    band["n_middle"] = 0
    band["n_step"] = 0
    band["change"][:] = 0.0
    band["was_negative"] = False


@inner
def predict(band: Record, past_middle: float, panel: NDArray[np.float64]) -> None:
    """Write what each predictor says, float64, shape (6,), NaN where it has no data yet.

    `past_middle` is the middle of the range a season before the window to come, NaN where there was none.
    """
    level = band["level"]
    for predictor in range(N_LEVELS):
        panel[predictor] = level[predictor]
    if np.isnan(panel[0]):
        panel[SEASON_MIDDLE] = np.nan
    else:
        panel[SEASON_MIDDLE] = past_middle
    panel[SEASON_STEP] = panel[0] + past_middle - band["past_middle"]


@inner
def forecast(band: Record, panel: NDArray[np.float64]) -> Forecast:
    """Return what the best predictor says, and the band around it."""
    error = band["error"]
    best, least = 0, error[0]
    for predictor in range(1, N_LEVELS):
        if band["n_errors"] > 0 and error[predictor] < least:
            best, least = predictor, error[predictor]
    for predictor, n_known in ((SEASON_MIDDLE, band["n_middle"]), (SEASON_STEP, band["n_step"])):
        if n_known > 0 and error[predictor] < least and not np.isnan(panel[predictor]):
            best, least = predictor, error[predictor]
    value, scale = panel[best], band["scale"]
    basis = 0 if np.isnan(value) else best + 1
    return Forecast(value, value - band["below"] * scale, value + band["above"] * scale, basis)


@inner
def without_nonsense(band: Record, said: Forecast) -> Forecast:
    """Return a forecast as it is told: without negative numbers where there never was one."""
    if band["was_negative"] or np.isnan(said.expected):
        return said
    return Forecast(max(said.expected, 0.0), max(said.lower, 0.0), max(said.upper, 0.0), said.basis)


@inner
def learn(band: Record, past_middle: float, panel: NDArray[np.float64], said: Forecast, value: float) -> None:
    """Enter the value that came: levels and errors of the predictors, scale and sides of the band."""
    change = abs(value - band["last"])
    band["last"] = value
    band["was_negative"] |= value < 0.0
    band["past_middle"] = past_middle
    if np.isnan(said.expected):
        band["level"][:] = value
        return
    below, above = value < said.lower, value > said.upper
    if below or above:
        if _note_miss(band, change) == MISSES_IN_A_ROW:
            _start_again(band, panel, value)
            return
    else:
        band["misses"] = 0
    if not _is_far(band, said, value):
        _learn_band(band, below, above, abs(value - said.expected))
        _learn_panel(band, panel, value)


@inner
def _note_miss(band: Record, change: float) -> int:
    """Count a miss, and keep the change that led to it; return how many there were in a row."""
    misses = band["misses"]
    if misses > 0:
        band["change"][misses - 1] = change
    band["misses"] = misses + 1
    return int(misses + 1)


@inner
def _is_far(band: Record, said: Forecast, value: float) -> bool:
    """Return whether a value is to be taken for an anomaly, and enter it into the share of far ones."""
    reach = max(said.expected - said.lower, said.upper - said.expected)
    far = band["n_errors"] >= FAR_FROM and abs(value - said.expected) > FAR * reach
    band["far_share"] += ERROR_WEIGHT * (far - band["far_share"])
    return bool(far and band["far_share"] <= MAX_FAR_SHARE)


@inner
def _learn_band(
    band: Record,
    below: bool,  # noqa: FBT001 - kernels have no keywords
    above: bool,  # noqa: FBT001
    error: float,
) -> None:
    """Enter an error into the scale, and the side on which it fell into the reach of both."""
    band["n_errors"] = min(band["n_errors"] + 1, SETTLED)
    band["scale"] += _weight(band["n_errors"]) * (error - band["scale"])
    band["below"] = max(0.0, band["below"] + STEP * (below - MISS_RATE))
    band["above"] = max(0.0, band["above"] + STEP * (above - MISS_RATE))


@inner
def _weight(n_errors: int) -> float:
    """Return the weight of the newest of so many errors."""
    return ERROR_WEIGHT if n_errors >= SETTLED else 1.0 / n_errors


@inner
def _learn_panel(band: Record, panel: NDArray[np.float64], value: float) -> None:
    """Enter the value into the errors of those predictors that spoke, and into the levels."""
    error, level, n_errors = band["error"], band["level"], band["n_errors"]
    weight = _weight(n_errors)
    for predictor in range(N_LEVELS):
        error[predictor] += weight * (abs(value - panel[predictor]) - error[predictor])
        newest = LEVEL_WEIGHTS[predictor]
        if n_errors < SETTLED:
            newest = max(newest, 1.0 / (n_errors + 1.0))
        level[predictor] += newest * (value - level[predictor])
    if not np.isnan(panel[SEASON_MIDDLE]):
        band["n_middle"] = min(band["n_middle"] + 1, SETTLED)
        weight = _weight(band["n_middle"])
        error[SEASON_MIDDLE] += weight * (abs(value - panel[SEASON_MIDDLE]) - error[SEASON_MIDDLE])
    if not np.isnan(panel[SEASON_STEP]):
        band["n_step"] = min(band["n_step"] + 1, SETTLED)
        weight = _weight(band["n_step"])
        error[SEASON_STEP] += weight * (abs(value - panel[SEASON_STEP]) - error[SEASON_STEP])


@inner
def _start_again(band: Record, panel: NDArray[np.float64], value: float) -> None:
    """Take the values that fell outside in a row for normal: their level, and their changes for a scale."""
    band["scale"] = max(band["scale"], _middle(band["change"]))
    band["misses"] = 0
    band["below"] = START_REACH
    band["above"] = START_REACH
    band["level"][:] = value
    error = band["error"]
    for predictor in range(N_LEVELS):
        error[predictor] = band["scale"]
    for predictor in range(N_LEVELS, N_PREDICTORS):
        if not np.isnan(panel[predictor]):
            error[predictor] = max(error[predictor], abs(value - panel[predictor]))


@inner
def _middle(values: NDArray[np.float64]) -> float:
    """Return the median of an odd number of values."""
    for value in values:
        n_below = n_equal = 0
        for other in values:
            n_below += other < value
            n_equal += other == value
        if n_below <= values.shape[0] // 2 < n_below + n_equal:
            return float(value)
    return 0.0
