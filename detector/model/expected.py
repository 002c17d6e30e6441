"""The value expected in a window, and a band that holds about 95 % of normal values.

Both are said before the value is seen. Of a small panel of predictors per metric, the one with the smallest
recent error speaks; the band's two sides follow the errors by adaptive conformal quantile tracking (Gibbs &
Candes 2021, section 2, with the step taken on the quantile). Knows no scores and no alarms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import Rhythm, Season, past_range

SPANS = np.array([1.0, 4.0, 16.0, 64.0])
"""Of the first predictors: the last value, and exponential means with the weights of means over so many."""

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

STEP = 0.1
"""Step of a band's side, in units of the scale: the side forgets in some 200 windows, its share
of misses varies by less than 1 %."""

START_REACH = 2.5
"""First distance of the sides, in mean absolute errors: 2.45 holds 95 % of normally distributed errors."""

BAND = np.dtype(
    [
        ("n_errors", np.int64),
        ("misses", np.int64),
        ("scale", np.float64),
        ("below", np.float64),
        ("above", np.float64),
        ("last", np.float64),
        ("last_ms", np.int64),
        ("far_share", np.float64),
    ],
    align=True,
)
"""Per model and metric: errors so far, misses in a row, mean absolute error, reach of the sides in units of it, the
last value and its window end, and discounted share of far values."""


class Expected(NamedTuple):
    """State of the expectation; the leading axis is the model.

    Attributes
    ----------
    band
        Records of `BAND`, shape (n_models, n_metrics).
    level
        The last value and the three means, float64, shape (n_models, n_metrics, 4); NaN at first.
    change
        Changes from value to value within the misses in a row, float64, shape (n_models, n_metrics, 7).
    error
        Discounted absolute error of each predictor, float64, shape (n_models, n_metrics, 6).
    n_known
        Errors behind it, int64, same shape: seasonal predictors begin later.
    """

    band: NDArray[np.void]
    level: NDArray[np.float64]
    change: NDArray[np.float64]
    error: NDArray[np.float64]
    n_known: NDArray[np.int64]


class Forecast(NamedTuple):
    """Expected value and band of one metric; NaN while it has had no value."""

    expected: float
    lower: float
    upper: float


def allocate_expected(n_models: int, n_metrics: int) -> Expected:
    """Return the state of `n_models` models; a model is usable after `reset_expected`."""
    return Expected(
        band=np.zeros((n_models, n_metrics), BAND),
        level=np.zeros((n_models, n_metrics, N_LEVELS)),
        change=np.zeros((n_models, n_metrics, MISSES_IN_A_ROW - 1)),
        error=np.zeros((n_models, n_metrics, N_PREDICTORS)),
        n_known=np.zeros((n_models, n_metrics, N_PREDICTORS), np.int64),
    )


@inner
def reset_expected(expected: Expected, model: int) -> None:
    """Forget the errors of a model."""
    for metric in range(expected.band.shape[1]):
        record = expected.band[model, metric]
        record["n_errors"] = 0
        record["misses"] = 0
        record["scale"] = 0.0
        record["below"] = START_REACH
        record["above"] = START_REACH
        record["last"] = np.nan
        record["last_ms"] = 0
        record["far_share"] = 0.0
    expected.level[model] = np.nan
    expected.change[model] = 0.0
    expected.error[model] = 0.0
    expected.n_known[model] = 0


@inner
def predict(
    expected: Expected,
    season: Season,
    rhythm: Rhythm,
    model: int,
    metric: int,
    time_ms: int,
    panel: NDArray[np.float64],
) -> None:
    """Write what each predictor says about the value at `time_ms`, NaN where it has no data yet."""
    for predictor in range(N_LEVELS):
        panel[predictor] = expected.level[model, metric, predictor]
    if np.isnan(panel[0]):
        panel[:] = np.nan
        return
    here = _season_middle(season, rhythm, model, metric, time_ms)
    there = _season_middle(season, rhythm, model, metric, expected.band[model, metric]["last_ms"])
    panel[SEASON_MIDDLE] = here
    panel[SEASON_STEP] = panel[0] + here - there


@inner
def _season_middle(season: Season, rhythm: Rhythm, model: int, metric: int, time_ms: int) -> float:
    low, high = past_range(season, rhythm, model, metric, time_ms, 0)
    return 0.5 * low + 0.5 * high if low <= high else np.nan


@inner
def forecast(expected: Expected, model: int, metric: int, panel: NDArray[np.float64]) -> Forecast:
    """Return the best predictor's value and the band around it."""
    value = panel[_best(expected.error[model, metric], expected.n_known[model, metric], panel)]
    record = expected.band[model, metric]
    return Forecast(
        value, value - record["below"] * record["scale"], value + record["above"] * record["scale"]
    )


@inner
def _best(error: NDArray[np.float64], n_known: NDArray[np.int64], panel: NDArray[np.float64]) -> int:
    """Return the predictor with the smallest error among those that speak; at first, the last value."""
    best = 0
    for predictor in range(1, N_PREDICTORS):
        proven = n_known[predictor] > 0 and not np.isnan(panel[predictor])
        if proven and error[predictor] < error[best]:
            best = predictor
    return best


@inner
def learn(
    expected: Expected,
    model: int,
    metric: int,
    time_ms: int,
    panel: NDArray[np.float64],
    said: Forecast,
    value: float,
) -> None:
    """Enter the value that came: levels and errors of the predictors, scale and sides of the band."""
    record = expected.band[model, metric]
    level = expected.level[model, metric]
    change = abs(value - record["last"])
    record["last"] = value
    record["last_ms"] = time_ms
    if np.isnan(said.expected):
        level[:] = value
        return
    below, above = value < said.lower, value > said.upper
    if below or above:
        if record["misses"] > 0:
            expected.change[model, metric, record["misses"] - 1] = change
        record["misses"] += 1
    else:
        record["misses"] = 0
    if record["misses"] == MISSES_IN_A_ROW:
        _start_again(expected, model, metric, panel, value)
        return
    if _is_far(record, said, value):
        return
    record["n_errors"] += 1
    weight = max(ERROR_WEIGHT, 1.0 / record["n_errors"])
    record["scale"] += weight * (abs(value - said.expected) - record["scale"])
    record["below"] = max(0.0, record["below"] + STEP * (below - MISS_RATE))
    record["above"] = max(0.0, record["above"] + STEP * (above - MISS_RATE))
    _learn_panel(expected.error[model, metric], expected.n_known[model, metric], panel, value)
    for predictor in range(N_LEVELS):
        weight = max(2.0 / (SPANS[predictor] + 1.0), 1.0 / (record["n_errors"] + 1.0))
        level[predictor] += weight * (value - level[predictor])


@inner
def _is_far(record: NDArray[np.void], said: Forecast, value: float) -> bool:
    """Return whether a value is to be taken for an anomaly, and enter it into the share of far ones."""
    reach = max(said.expected - said.lower, said.upper - said.expected)
    far = record["n_errors"] >= FAR_FROM and abs(value - said.expected) > FAR * reach
    record["far_share"] += ERROR_WEIGHT * (far - record["far_share"])
    return bool(far and record["far_share"] <= MAX_FAR_SHARE)


@inner
def _learn_panel(
    error: NDArray[np.float64], n_known: NDArray[np.int64], panel: NDArray[np.float64], value: float
) -> None:
    """Enter the errors of those predictors that spoke."""
    for predictor in range(N_PREDICTORS):
        if not np.isnan(panel[predictor]):
            n_known[predictor] += 1
            weight = max(ERROR_WEIGHT, 1.0 / n_known[predictor])
            error[predictor] += weight * (abs(value - panel[predictor]) - error[predictor])


@inner
def _start_again(
    expected: Expected, model: int, metric: int, panel: NDArray[np.float64], value: float
) -> None:
    """Take the values that fell outside in a row for normal: their level, and their changes for a scale."""
    record = expected.band[model, metric]
    record["scale"] = max(record["scale"], _middle(expected.change[model, metric]))
    record["misses"] = 0
    record["below"] = START_REACH
    record["above"] = START_REACH
    expected.level[model, metric] = value
    error = expected.error[model, metric]
    for predictor in range(N_LEVELS):
        error[predictor] = record["scale"]
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
