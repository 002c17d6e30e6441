"""Everything that models are: a record a model, a record a metric, and a few arrays beside them.

What every point needs stands together, so that a model that has long left the caches comes back with few lines; what
only some points need (ring, waiting rows) stands apart. Knows what there is, not what is done with it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.update import reset
from detector.forest.state import ForestShape, ForestState, allocate
from detector.model.expected import BAND, reset_band
from detector.model.routine import ROUTINE, Shape, allocate_shape, reset_routine
from detector.model.season import MOMENT, RANGE, Rhythm, Ring, allocate_ring, reset_season
from detector.model.shingle import Shingle, allocate_shingle, reset_shingle
from detector.model.surprise import SURPRISE, reset_surprise
from detector.model.threshold import ALARM, reset_alarm
from detector.model.transform import COLUMNS, reset_columns, reset_scale
from detector.model.week import HOUR, WEEK, Week, allocate_week, reset_week

COURSE = np.dtype(
    [
        ("seed", np.uint64),
        ("n_points", np.int64),
        ("n_rows", np.int64),
        ("last_ms", np.int64),
        ("quality", np.float64),
    ],
    align=True,
)
"""Per model: its seed, rows with a value so far, rows so far, end of the last row, and discounted share
of values that were not missing."""

MODEL = np.dtype(
    [("course", COURSE), ("season", MOMENT), ("week", HOUR), ("surprise", SURPRISE), ("alarm", ALARM)],
    align=True,
)
"""What a model has once."""

METRIC = np.dtype(
    [("season", RANGE), ("week", WEEK), ("expected", BAND), ("routine", ROUTINE), ("transform", COLUMNS)],
    align=True,
)
"""What a model has for every metric."""


class Waiting(NamedTuple):
    """Rows since the first until the scale is frozen for good.

    Attributes
    ----------
    times_ms, slots
        Window ends and slots of the season, int64, shape (n_models, most rows).
    values
        Float64, shape (n_models, most rows, n_metrics).
    """

    times_ms: NDArray[np.int64]
    slots: NDArray[np.int64]
    values: NDArray[np.float64]


class Models(NamedTuple):
    """State of models; the leading axis of every array is the model.

    Attributes
    ----------
    model
        Records of `MODEL`, shape (n_models,).
    metric
        Records of `METRIC`, shape (n_models, n_metrics).
    ring, week, shape, shingle, waiting, forest
        See there.
    """

    model: NDArray[np.void]
    metric: NDArray[np.void]
    ring: Ring
    week: Week
    shape: Shape
    shingle: Shingle
    waiting: Waiting
    forest: ForestState


def allocate_models(
    n_models: int, n_metrics: int, rhythm: Rhythm, shingle_size: int, n_waiting: int, shape: ForestShape
) -> Models:
    """Return the state of `n_models` models; a model is usable after `begin`."""
    return Models(
        model=np.zeros(n_models, MODEL),
        metric=np.zeros((n_models, n_metrics), METRIC),
        ring=allocate_ring(n_models, n_metrics, rhythm),
        week=allocate_week(n_models, n_metrics, rhythm),
        shape=allocate_shape(n_models, n_metrics, rhythm),
        shingle=allocate_shingle(n_models, n_metrics, shingle_size),
        waiting=Waiting(
            times_ms=np.zeros((n_models, n_waiting), np.int64),
            slots=np.zeros((n_models, n_waiting), np.int64),
            values=np.zeros((n_models, n_waiting, n_metrics)),
        ),
        forest=allocate(shape, n_models),
    )


@kernel
def begin(models: Models, first: int, seeds: NDArray[np.uint64]) -> None:
    """Make the models from `first` on fresh ones with these seeds."""
    for offset in range(seeds.shape[0]):
        model = first + offset
        course = models.model[model]["course"]
        course["seed"] = seeds[offset]
        course["n_points"] = 0
        course["n_rows"] = 0
        course["last_ms"] = np.iinfo(np.int64).min
        course["quality"] = 0.0
        for metric in range(models.metric.shape[1]):
            reset_scale(models.metric[model, metric]["transform"])
            reset_band(models.metric[model, metric]["expected"])
            reset_routine(models.shape, model, metric, models.metric[model, metric]["routine"])
        reset_surprise(models.model[model]["surprise"])
        forget_waiting(models.waiting, model)
        restart(models, model)


@inner
def restart(models: Models, model: int) -> None:
    """Forget what a replay brings back: all but scale, expectation, routine, surprise, course and waiting rows."""
    for metric in range(models.metric.shape[1]):
        reset_columns(models.metric[model, metric]["transform"])
    reset_shingle(models.shingle, model)
    reset_season(models.ring, model, models.model[model]["season"], models.metric[model])
    reset_week(models.week, model, models.model[model]["week"], models.metric[model])
    reset_alarm(models.model[model]["alarm"])
    reset(models.forest, model, models.model[model]["course"]["seed"])


@inner
def forget_waiting(waiting: Waiting, model: int) -> None:
    """Clear the rows that waited: zeros take no room in a checkpoint."""
    waiting.times_ms[model] = 0
    waiting.slots[model] = 0
    waiting.values[model] = 0.0
