"""The one kernel of the fleet: entity by entity, window by window, from values to verdicts.

A model is loaded into cache once for all the windows of a block. Nothing here depends on other models, on the
composition of a block or on the clock. Knows neither entities' names nor documents.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detector.forest.kernels.attribute import attribute
from detector.forest.kernels.kernel import kernel
from detector.forest.kernels.prepare import NO_SLOT, prepare
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.kernels.update import reset, score_prepared, update_prepared
from detector.forest.state import ForestState
from detector.model.expected import N_PREDICTORS, Expected, forecast, learn, predict, reset_expected
from detector.model.season import Rhythm, Season, open_slot, reset_season
from detector.model.threshold import confidence, judge, reset_alarm
from detector.model.transform import (
    Transform,
    clean,
    freeze_scale,
    push,
    repeat_missing,
    reset_scale,
    reset_transform,
    write_columns,
    write_shingle,
)

Function = TypeVar("Function", bound=Callable[..., Any])

ABSENT, WARMING_UP, SCORED = 0, 1, 2
"""Status of a row: not there or not newer than the model; there without a score; scored."""

FIRST_SCORED = 40
"""Windows before the first score, as in the plugin: the scale is frozen from these for the time being."""

MIN_WARM_UP, WARM_UP_SPREAD = 192, 128
"""The scale is frozen for good after 192 + (seed mod 128) windows:
half that measures worse, more does not measure better, and entities that start together must not all be
replayed in the same window."""

MAX_WARM_UP = MIN_WARM_UP + WARM_UP_SPREAD - 1

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


def inlined(function: Function) -> Function:
    """Compile a function into its callers, before any optimisation.

    Passing everything that models are, array by array, would cost more than most of what is done with it.
    """
    return cast("Function", njit(inline="always")(function))


class Models(NamedTuple):
    """Everything that models are, the leading axis of every array being the model.

    Attributes
    ----------
    course
        Records of `COURSE`, shape (n_models,).
    waiting_ms, waiting
        Rows since the first until the scale is frozen for good: window ends, int64, shape (n_models, 319),
        and values, float64, shape (n_models, 319, n_metrics).
    transform, season, alarms, expected, forest
        States of the parts, see there.
    """

    course: NDArray[np.void]
    waiting_ms: NDArray[np.int64]
    waiting: NDArray[np.float64]
    transform: Transform
    season: Season
    alarms: NDArray[np.void]
    expected: Expected
    forest: ForestState


class Plan(NamedTuple):
    """What all models of a fleet have in common.

    Attributes
    ----------
    rhythm
        Slots and season.
    time_decay
        Rate at which forest and statistics forget, per window.
    shingle_size
        Windows in the forest's input; 0 = the five columns a metric.
    """

    rhythm: Rhythm
    time_decay: float
    shingle_size: int


class Rows(NamedTuple):
    """Rows of a block to be observed: arrays as in `Fleet.observe`."""

    models: NDArray[np.int64]
    end_times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    present: NDArray[np.bool_]


class Columns(NamedTuple):
    """Where the verdicts go: arrays as in `ScoredBlock`, filled with NaN and `ABSENT` beforehand."""

    score: NDArray[np.float64]
    grade: NDArray[np.float64]
    confidence: NDArray[np.float64]
    threshold: NDArray[np.float64]
    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    contribution: NDArray[np.float64]
    status: NDArray[np.uint8]


class Desk(NamedTuple):
    """Working memory of one walk.

    Attributes
    ----------
    row
        Cleaned values of the row at hand, float64, shape (n_metrics,).
    panel
        What the predictors say, float64, shape (6,).
    point
        The forest's input, float32, shape (n_columns,).
    high, low
        Attribution per column, float64, shape (n_columns,).
    share
        Contribution per metric, float64, shape (n_metrics,); NaN unless the last row alarmed.
    scratch
        The forest's own.
    """

    row: NDArray[np.float64]
    panel: NDArray[np.float64]
    point: NDArray[np.float32]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    share: NDArray[np.float64]
    scratch: Scratch


@kernel
def make_desk(models: Models) -> Desk:
    """Return working memory for these models."""
    n_metrics, n_columns = models.waiting.shape[2], models.forest.points.shape[3]
    return Desk(
        np.empty(n_metrics),
        np.empty(N_PREDICTORS),
        np.empty(n_columns, np.float32),
        np.empty(n_columns),
        np.empty(n_columns),
        np.empty(n_metrics),
        make_scratch(models.forest),
    )


@kernel
def begin(models: Models, first: int, seeds: NDArray[np.uint64]) -> None:
    """Make the models from `first` on fresh ones with these seeds."""
    for offset in range(seeds.shape[0]):
        model = first + offset
        course = models.course[model]
        course["seed"] = seeds[offset]
        course["n_points"] = 0
        course["n_rows"] = 0
        course["last_ms"] = np.iinfo(np.int64).min
        course["quality"] = 0.0
        models.waiting_ms[model] = 0
        models.waiting[model] = 0.0
        reset_scale(models.transform, model)
        reset_expected(models.expected, model)
        _restart(models, model)


@inlined
def _restart(models: Models, model: int) -> None:
    """Forget what a replay brings back: everything but the scale, the expectation and the course."""
    reset_transform(models.transform, model)
    reset_season(models.season, model)
    reset_alarm(models.alarms, model)
    reset(models.forest, model, models.course[model]["seed"])


@kernel
def walk(models: Models, plan: Plan, rows: Rows, columns: Columns) -> None:
    """Observe a block and write the verdicts into `columns`."""
    desk = make_desk(models)
    for place in range(rows.models.shape[0]):
        for window in range(rows.end_times_ms.shape[0]):
            if rows.present[window, place]:
                _observe(models, plan, rows, window, place, columns, desk)


@inlined
def _observe(
    models: Models, plan: Plan, rows: Rows, window: int, place: int, columns: Columns, desk: Desk
) -> None:
    """Observe one row: say what is expected, learn what came, score it once the model is ready."""
    model, time_ms = rows.models[place], rows.end_times_ms[window]
    course = models.course[model]
    if time_ms <= course["last_ms"]:
        return
    course["last_ms"] = time_ms
    n_known = clean(rows.values[window, place], desk.row)
    _count(course, n_known / desk.row.shape[0], plan.time_decay)
    _expect(models, plan, model, time_ms, desk, window, place, columns)
    columns.status[window, place] = WARMING_UP
    if n_known == 0:
        return
    course["n_points"] += 1
    verdict = _point(models, plan, model, time_ms, _ahead(rows, window, place), desk)
    if course["n_points"] >= FIRST_SCORED:
        columns.status[window, place] = SCORED
        columns.score[window, place] = verdict[0]
        columns.grade[window, place] = verdict[1]
        columns.threshold[window, place] = verdict[2]
        columns.confidence[window, place] = confidence(course["n_points"], course["quality"], plan.time_decay)
        columns.contribution[window, place] = desk.share


@inlined
def _ahead(rows: Rows, window: int, place: int) -> int:
    """Return the model whose memory to ask for meanwhile: the next one, when this is the last row of this one."""
    is_last = window + 1 == rows.end_times_ms.shape[0]
    return rows.models[place + 1] if is_last and place + 1 < rows.models.shape[0] else NO_SLOT


@inlined
def _count(course: NDArray[np.void], known: float, time_decay: float) -> None:
    """Enter the share of known values of a row into the data quality."""
    weight = max(time_decay, 1.0 / float(course["n_rows"] + 1))
    course["quality"] += weight * (known - course["quality"])
    course["n_rows"] += 1


@inlined
def _expect(
    models: Models,
    plan: Plan,
    model: int,
    time_ms: int,
    desk: Desk,
    window: int,
    place: int,
    columns: Columns,
) -> None:
    """Write expectation and band of every metric, then let them learn from the values that are there."""
    for metric in range(desk.row.shape[0]):
        predict(models.expected, models.season, plan.rhythm, model, metric, time_ms, desk.panel)
        said = forecast(models.expected, model, metric, desk.panel)
        columns.expected[window, place, metric] = said.expected
        columns.lower[window, place, metric] = said.lower
        columns.upper[window, place, metric] = said.upper
        if not np.isnan(desk.row[metric]):
            learn(models.expected, model, metric, time_ms, desk.panel, said, desk.row[metric])


@inlined
def _point(
    models: Models, plan: Plan, model: int, time_ms: int, ahead: int, desk: Desk
) -> tuple[float, float, float]:
    """Take one row through the model's life: waiting for a scale, the two replays, and ever after.

    At the 40th row, and at the end of the warm-up, the scale is frozen and the model starts again with the
    rows that waited; the verdict on the last of them is the one on this row.
    """
    n_points = models.course[model]["n_points"]
    warm_up = MIN_WARM_UP + np.int64(models.course[model]["seed"] % np.uint64(WARM_UP_SPREAD))
    first = n_points - 1
    if n_points <= warm_up:
        models.waiting_ms[model, first] = time_ms
        models.waiting[model, first] = desk.row
    if n_points in (FIRST_SCORED, warm_up):
        freeze_scale(models.transform, model, models.waiting[model, :n_points])
        _restart(models, model)
        first = 0
    verdict = (np.nan, np.nan, np.nan)
    for index in range(first, n_points):
        if n_points <= warm_up:
            time_ms = models.waiting_ms[model, index]
            desk.row[:] = models.waiting[model, index]
        verdict = _step(models, plan, model, time_ms, ahead, desk, n_points >= FIRST_SCORED)
    if n_points == warm_up:
        models.waiting_ms[model] = 0
        models.waiting[model] = 0.0
    return verdict


@inlined
def _step(
    models: Models,
    plan: Plan,
    model: int,
    time_ms: int,
    ahead: int,
    desk: Desk,
    scaled: bool,  # noqa: FBT001 - kernels have no keywords
) -> tuple[float, float, float]:
    """Enter a row into transform and season and, once there is a scale, into the forest.

    Returns score, grade and threshold, NaN while there is no scale.
    """
    novel = push(models.transform, models.season, plan.rhythm, model, time_ms, desk.row)
    verdict = (np.nan, np.nan, np.nan)
    top_score = 0.0
    if scaled:
        verdict = _score(models, plan, model, time_ms, ahead, novel, desk)
        top_score = verdict[0]
    place = open_slot(models.season, plan.rhythm, model, time_ms)
    models.season.top_score[model, place] = max(models.season.top_score[model, place], top_score)
    for metric in range(desk.row.shape[0]):
        value = desk.row[metric]
        if not np.isnan(value):
            models.season.low[model, place, metric] = min(models.season.low[model, place, metric], value)
            models.season.high[model, place, metric] = max(models.season.high[model, place, metric], value)
    return verdict


@inlined
def _score(
    models: Models,
    plan: Plan,
    model: int,
    time_ms: int,
    ahead: int,
    novel: bool,  # noqa: FBT001 - kernels have no keywords
    desk: Desk,
) -> tuple[float, float, float]:
    """Score the row just entered, judge it, attribute an alarm, and show the point to the forest."""
    if plan.shingle_size > 0:
        repeat_missing(models.transform, model, desk.row)
        write_shingle(models.transform, model, desk.point)
    else:
        write_columns(models.transform, model, desk.point)
    prepare(models.forest, model, desk.point, desk.scratch)
    value = score_prepared(models.forest, model, desk.scratch, ahead)
    verdict = judge(models.alarms, models.season, plan.rhythm, model, time_ms, value, novel, plan.time_decay)
    desk.share[:] = np.nan
    if verdict.grade > 0.0:
        attribute(models.forest, model, desk.point, desk.high, desk.low)
        _share(desk)
    update_prepared(models.forest, model, desk.scratch, plan.time_decay)
    return value, verdict.grade, verdict.threshold


@inlined
def _share(desk: Desk) -> None:
    """Sum the attribution of a metric's columns and divide by the whole."""
    n_metrics = desk.share.shape[0]
    width = desk.point.shape[0] // n_metrics
    desk.share[:] = 0.0
    total = 0.0
    for column in range(desk.point.shape[0]):
        part = desk.high[column] + desk.low[column]
        desk.share[column // width] += part
        total += part
    for metric in range(n_metrics):
        desk.share[metric] = desk.share[metric] / total if total > 0.0 else 1.0 / n_metrics
