"""The value expected in a window, and a band that holds about 95 % of normal values.

Both are said before the value is seen. Of a small panel of predictors per metric, the one with the smallest
recent error speaks; the band's two sides follow the errors by adaptive conformal quantile tracking (Gibbs &
Candes 2021, section 2, with the step taken on the quantile). Knows no scores and no alarms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.season import Rhythm, Season, past_range
from detector.transform import LONG_MEAN, MEDIUM_MEAN, SHORT_MEAN, VALUE, Transform

N_PREDICTORS = 6
SEASON_MIDDLE, SEASON_STEP = 4, 5
"""Predictors: the last value, the means of 4, 16 and 64,
the middle of last season's range at this time, and the last value moved as last season moved from there to
here."""

MISS_RATE = 0.025
"""Share of normal values to fall outside on each side."""

ERROR_WEIGHT = 1.0 / 64.0
"""Weight of the newest error: a predictor that has become better takes over
within hours, not on one lucky value."""

STEP = 0.1
"""Step of a band's side, in units of the scale: the side forgets in some 200 windows, its share
of misses varies by less than 1 %."""

START_REACH = 2.5
"""First distance of the sides, in mean absolute errors: 2.45 holds 95 % of normally distributed errors."""

CUT = 5.0
"""Errors beyond so many mean absolute errors are cut before they are learnt: an anomaly does not
widen the band."""

CUT_FROM = 16
"""Errors before which none is cut: the scale of the first few may be far too small."""

MISSES_IN_A_ROW = 8
"""From so many misses in a row on, errors are learnt uncut: this is no anomaly but a
new way of being normal."""

BAND = np.dtype(
    [
        ("n_errors", np.int64),
        ("misses", np.int64),
        ("scale", np.float64),
        ("below", np.float64),
        ("above", np.float64),
    ],
    align=True,
)
"""Per model and metric: errors so far, misses in a row, mean absolute error, and reach of the sides in
units of it."""


class Expected(NamedTuple):
    """State of the expectation; the leading axis is the model.

    Attributes
    ----------
    band
        Records of `BAND`, shape (n_models, n_metrics).
    error
        Discounted absolute error of each predictor, float64, shape (n_models, n_metrics, 6).
    n_known
        Errors behind it, int64, same shape: seasonal predictors begin later.
    """

    band: NDArray[np.void]
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
    expected.error[model] = 0.0
    expected.n_known[model] = 0


@inner
def predict(
    transform: Transform,
    season: Season,
    rhythm: Rhythm,
    model: int,
    metric: int,
    time_ms: int,
    panel: NDArray[np.float64],
) -> None:
    """Write what each predictor says about the value at `time_ms`, NaN where it has no data yet."""
    record = transform.metric[model, metric]
    if record["pushed"] == 0:
        panel[:] = np.nan
        return
    feature = transform.feature[model, metric]
    panel[0] = feature[VALUE]
    panel[1] = feature[SHORT_MEAN]
    panel[2] = feature[MEDIUM_MEAN]
    panel[3] = feature[LONG_MEAN]
    here = _season_middle(season, rhythm, model, metric, time_ms)
    panel[SEASON_MIDDLE] = here
    panel[SEASON_STEP] = (
        feature[VALUE] + here - _season_middle(season, rhythm, model, metric, record["last_ms"])
    )


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
    expected: Expected, model: int, metric: int, panel: NDArray[np.float64], said: Forecast, value: float
) -> None:
    """Enter the value that came: errors of the predictors, scale and sides of the band."""
    if np.isnan(said.expected):
        return
    record = expected.band[model, metric]
    below, above = value < said.lower, value > said.upper
    record["misses"] = record["misses"] + 1 if below or above else 0
    if record["n_errors"] >= CUT_FROM and record["scale"] > 0.0 and record["misses"] < MISSES_IN_A_ROW:
        reach = CUT * record["scale"]
        value = min(max(value, said.expected - reach), said.expected + reach)
    weight = max(ERROR_WEIGHT, 1.0 / (record["n_errors"] + 1.0))
    record["scale"] += weight * (abs(value - said.expected) - record["scale"])
    record["below"] = max(0.0, record["below"] + STEP * (below - MISS_RATE))
    record["above"] = max(0.0, record["above"] + STEP * (above - MISS_RATE))
    record["n_errors"] += 1
    error, n_known = expected.error[model, metric], expected.n_known[model, metric]
    for predictor in range(N_PREDICTORS):
        if not np.isnan(panel[predictor]):
            weight = max(ERROR_WEIGHT, 1.0 / (n_known[predictor] + 1.0))
            error[predictor] += weight * (abs(value - panel[predictor]) - error[predictor])
            n_known[predictor] += 1
