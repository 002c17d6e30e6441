"""What the models of the profile are: arrays, one slot a model, and the settings that all of them share."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.update import reset
from detector.forest.state import ForestShape, ForestState, allocate
from detector.model.plugin_settings import TrcfSettings
from detector.model.trcf.deviation import CELL

WARM_UP = 10
"""Inputs that wait until mean and deviation are known well enough to normalise with."""

OUTPUT_AFTER = 32
"""Steps before the first score, or the shingle size if that is more; the steps that fill the first shingle are taken
off, as in the reference."""

RECENT = 512
"""Normalised inputs kept to fill the forest again when their resolution in it changes."""

VALUE, CHANGE, SPREAD, DRIFT, NOISE = range(5)
"""Statistics of a feature: of its values, of the changes from one to the next, of the values' deviation, of the mean
change, of the changes' deviation."""

SCORES, SCORE_CHANGES, BELOW_MEAN = range(3)
"""Statistics of scores: themselves, from one corrected score to the last, and how far they lie below their mean."""

ACTUAL, WANTED = range(2)
"""Statistics of a run: what came, and what was expected."""

COURSE = np.dtype(
    [
        ("seed", np.uint64),
        ("n_seen", np.int64),
        ("clock", np.int64),
        ("n_learned", np.int64),
        ("last_ms", np.int64),
        ("gain", np.float64),
        ("n_scores", np.int64),
        ("last_score", np.float64),
        ("last_threshold", np.float64),
        ("run", np.int64),
        ("is_after_alarm", np.int64),
        ("alarm_clock", np.int64),
        ("alarm_block", np.int64),
        ("alarm_score", np.float64),
        ("alarm_expects", np.int64),
        ("shifts", np.int64),
    ],
    align=True,
)
"""Per model: seed; rows with a value so far (of the first ten, all); steps so far, imputed ones included; shingles that
the forest took; end of the last row; units of the forest a normalised unit; scores so far, the last one and its
threshold; alarms and suppressed alarms in a row; whether the last scored row was an alarm with an expected point; step
of the last alarm, step that it comes from (0 the same, -1 the one before), its score, whether it had an expected point,
and whether its effect on the mean is known."""


class TrcfModels(NamedTuple):
    """State of the models; the leading axis of every array is the model, `D` = shingle size x features.

    Attributes
    ----------
    course
        Records of `COURSE`, shape (n_models,).
    waiting_ms, waiting
        The first rows: window ends, int64, shape (n_models, 10), and values, float64, shape (n_models, 10,
        n_features), NaN = missing.
    imputed
        Which steps of the shingle were imputed, or were not there yet, bool, shape (n_models, shingle_size).
    inputs
        Values of the shingle, float64, shape (n_models, D), oldest first.
    shingle
        The same normalised, float32, shape (n_models, D).
    statistics
        Statistics of each feature, float64, shape (n_models, n_features, 5, 3).
    quality
        Statistic of the share of steps that were not imputed, float64, shape (n_models, 3).
    scores
        Statistics of scores, float64, shape (n_models, 3, 3).
    runs
        Statistics of a run of high scores, float64, shape (n_models, n_features, 2, 3).
    alarm_expected
        Shingle expected in place of the last alarm, float32, shape (n_models, D).
    alarm_shift
        What the last alarm moved the means by, float64, shape (n_models, n_features).
    recent, recent_taken
        Ring of the last steps, float32, shape (n_models, 512, n_features), and whether the forest took the
        shingle that ended there, bool.
    outlook
        Expectation of each feature, float64, shape (n_models, n_features, 4): a short mean of its values, and the
        statistic of the distances from it.
    forest
        The forest.
    """

    course: NDArray[np.void]
    waiting_ms: NDArray[np.int64]
    waiting: NDArray[np.float64]
    imputed: NDArray[np.bool_]
    inputs: NDArray[np.float64]
    shingle: NDArray[np.float32]
    statistics: NDArray[np.float64]
    quality: NDArray[np.float64]
    scores: NDArray[np.float64]
    runs: NDArray[np.float64]
    alarm_expected: NDArray[np.float32]
    alarm_shift: NDArray[np.float64]
    recent: NDArray[np.float32]
    recent_taken: NDArray[np.bool_]
    outlook: NDArray[np.float64]
    forest: ForestState


class TrcfPlan(NamedTuple):
    """What all models of a fleet have in common.

    Attributes
    ----------
    time_decay
        Rate at which forest and statistics forget, per step.
    interval_ms
        Nominal distance of two windows in milliseconds.
    shingle_size
        Steps in a point of the forest.
    output_after
        Steps before the first score.
    fills
        Whether a row without values is scored, with the filler in place of them.
    filler
        What stands in for a missing value, float64, shape (n_features,); NaN = the last value.
    margin
        Tolerance around the expected value, float64, shape (4, n_features): above and below in units of the feature,
        above and below as a share of the value.
    direction
        Whether an alarm is told, bool, shape (2, n_features): of a value above, and below, the expected one.
    """

    time_decay: float
    interval_ms: int
    shingle_size: int
    output_after: int
    fills: bool
    filler: NDArray[np.float64]
    margin: NDArray[np.float64]
    direction: NDArray[np.bool_]


def plan_of(
    settings: TrcfSettings, n_features: int, interval_ms: int, shingle_size: int, time_decay: float
) -> TrcfPlan:
    """Return the plan of models with these settings."""
    margin = settings.margin or ((0.0,) * n_features,) * 4
    direction = settings.direction or ((True,) * n_features,) * 2
    return TrcfPlan(
        time_decay=time_decay,
        interval_ms=interval_ms,
        shingle_size=shingle_size,
        output_after=max(OUTPUT_AFTER, shingle_size) - shingle_size + 1,
        fills=settings.fills,
        filler=np.array(settings.filler or (np.nan,) * n_features),
        margin=np.array(margin),
        direction=np.array(direction),
    )


def allocate_models(shape: ForestShape, n_features: int, n_models: int) -> TrcfModels:
    """Return the arrays of `n_models` models; a model is usable after `begin`."""
    width = shape.n_columns
    return TrcfModels(
        course=np.zeros(n_models, COURSE),
        waiting_ms=np.zeros((n_models, WARM_UP), np.int64),
        waiting=np.zeros((n_models, WARM_UP, n_features)),
        imputed=np.zeros((n_models, width // n_features), np.bool_),
        inputs=np.zeros((n_models, width)),
        shingle=np.zeros((n_models, width), np.float32),
        statistics=np.zeros((n_models, n_features, 5, CELL)),
        quality=np.zeros((n_models, CELL)),
        scores=np.zeros((n_models, 3, CELL)),
        runs=np.zeros((n_models, n_features, 2, CELL)),
        alarm_expected=np.zeros((n_models, width), np.float32),
        alarm_shift=np.zeros((n_models, n_features)),
        recent=np.zeros((n_models, RECENT, n_features), np.float32),
        recent_taken=np.zeros((n_models, RECENT), np.bool_),
        outlook=np.zeros((n_models, n_features, 1 + CELL)),
        forest=allocate(shape, n_models),
    )


@inner
def _clear(models: TrcfModels, model: int) -> None:
    """Set every array of a model but the forest's and the expectation's to zero. Modified in place."""
    models.waiting_ms[model] = 0
    models.waiting[model] = 0.0
    models.imputed[model] = True
    models.inputs[model] = 0.0
    models.shingle[model] = 0.0
    models.statistics[model] = 0.0
    models.quality[model] = 0.0
    models.scores[model] = 0.0
    models.runs[model] = 0.0
    models.alarm_expected[model] = 0.0
    models.alarm_shift[model] = 0.0
    models.recent[model] = 0.0
    models.recent_taken[model] = False


@kernel
def begin_models(models: TrcfModels, first: int, seeds: NDArray[np.uint64]) -> None:
    """Make the models from `first` on fresh ones with these seeds. Modified in place."""
    for offset in range(seeds.shape[0]):
        model = first + offset
        course = models.course[model]
        course["seed"] = seeds[offset]
        course["n_seen"] = 0
        course["clock"] = 0
        course["n_learned"] = 0
        course["last_ms"] = np.iinfo(np.int64).min
        course["gain"] = 1.0
        course["n_scores"] = 0
        course["last_score"] = 0.0
        course["last_threshold"] = 0.0
        course["run"] = 0
        course["is_after_alarm"] = 0
        course["alarm_clock"] = 0
        course["alarm_block"] = 0
        course["alarm_score"] = 0.0
        course["alarm_expects"] = 0
        course["shifts"] = 0
        _clear(models, model)
        models.outlook[model] = 0.0
        models.outlook[model, :, 0] = np.nan
        reset(models.forest, model, seeds[offset])
