"""The shingle: the last steps of a model, with fillers for windows that had no row.

A gap is noticed by the next row; the steps between get the filler, and shingles that are half imputed or more do not
enter the forest. Source: `ImputePreprocessor` of the AWS implementation; its plain `Preprocessor` for a shingle of one.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.model.trcf.desk import Desk
from detector.model.trcf.deviation import add, add_repeated
from detector.model.trcf.models import RECENT, TrcfModels, TrcfPlan
from detector.model.trcf.normalize import normalized
from detector.model.trcf.query import learn_query, to_query
from detector.model.trcf.resolution import RANGE, is_time_to_look, look_again

GAP = 1.5
"""A row that comes later than this many intervals leaves a gap."""

MOST_MISSED = 1e9
"""More missed steps are counted as these, so that a count never overflows."""

MOST_IMPUTED = 0.5
"""A shingle with this share of imputed steps, or more, does not enter the forest."""


@inner
def missed(plan: TrcfPlan, passed_ms: int) -> int:
    """Return the steps without a row in the time since the last one.

    The reference estimates the usual distance of rows and rounds up, which makes two of one missed step once there
    has been a gap; here the interval is known.
    """
    if plan.shingle_size == 1 or passed_ms < GAP * plan.interval_ms:
        return 0
    return int(min(np.round(passed_ms / plan.interval_ms), MOST_MISSED)) - 1


@inner
def filler_of(plan: TrcfPlan, feature: int, previous: float) -> float:
    """Return what stands in for a missing value."""
    return previous if np.isnan(plan.filler[feature]) else float(plan.filler[feature])


@inner
def write_point(models: TrcfModels, model: int, plan: TrcfPlan, n_missed: int, desk: Desk) -> None:
    """Write the shingle that ends with `desk.filled`, after so many missed steps, to `desk.point`.

    Modified in place.
    """
    n_features, width = desk.row.shape[0], desk.point.shape[0]
    last = width - n_features
    for column in range(width):
        feature, source = column % n_features, column + (n_missed + 1) * n_features
        if column >= last:
            value = desk.filled[feature]
        elif source < width:
            desk.point[column] = models.shingle[model, source]
            continue
        else:
            value = filler_of(plan, feature, models.inputs[model, last + feature])
        desk.point[column] = normalized(value, desk.feature[feature]["shift"], desk.feature[feature]["scale"])


@inner
def push(models: TrcfModels, model: int, values: NDArray[np.float64], desk: Desk) -> None:
    """Move the shingle on by a step with these values, normalised as `desk` says. Modified in place."""
    n_features, width = desk.row.shape[0], desk.point.shape[0]
    last = width - n_features
    place = models.course[model]["clock"] % RECENT
    for column in range(last):
        models.inputs[model, column] = models.inputs[model, column + n_features]
        models.shingle[model, column] = models.shingle[model, column + n_features]
    for feature in range(n_features):
        value = normalized(values[feature], desk.feature[feature]["shift"], desk.feature[feature]["scale"])
        models.inputs[model, last + feature] = values[feature]
        models.shingle[model, last + feature] = value
        models.recent[model, place, feature] = value


@inner
def mark(models: TrcfModels, model: int, imputed: bool) -> None:
    """Count a step, and note whether it was imputed. Modified in place."""
    models.course[model]["clock"] += 1
    flags = models.imputed[model]
    for index in range(flags.shape[0] - 1):
        flags[index] = flags[index + 1]
    flags[flags.shape[0] - 1] = imputed


@inner
def imputed_share(models: TrcfModels, model: int) -> float:
    """Return the share of the shingle's steps that were imputed or were not there yet."""
    count = 0
    for index in range(models.imputed.shape[1]):
        count += models.imputed[model, index]
    return count / models.imputed.shape[1]


@kernel
def take_step(
    models: TrcfModels,
    model: int,
    plan: TrcfPlan,
    values: NDArray[np.float64],
    imputed: bool,
    desk: Desk,
) -> None:
    """Enter a step: shingle, data quality and, unless it is half imputed, the forest. Modified in place."""
    course = models.course[model]
    push(models, model, values, desk)
    step = course["clock"] % RECENT
    mark(models, model, imputed)
    share = imputed_share(models, model)
    add(models.quality[model], 1.0 - share, plan.time_decay)
    taken = (share < MOST_IMPUTED or plan.shingle_size == 1) and course["clock"] >= plan.shingle_size
    models.recent_taken[model, step] = taken
    largest = 0.0
    first = desk.point.shape[0] - desk.row.shape[0]
    for column in range(first, desk.point.shape[0]):
        largest = max(largest, abs(np.float64(models.shingle[model, column])))
    course["n_learned"] += np.int64(taken)
    out_of_range = largest * course["gain"] > RANGE
    if taken and not out_of_range:
        to_query(models.shingle[model], course["gain"], desk.query)
        learn_query(models.forest, model, plan.time_decay, desk)
    if out_of_range or is_time_to_look(course["clock"]):
        look_again(models, model, largest, plan.time_decay, desk)


@inner
def fill_gap(models: TrcfModels, model: int, plan: TrcfPlan, n_missed: int, desk: Desk) -> None:
    """Enter the steps that had no row; of a long gap those beyond two shingles, all alike, at once.

    Modified in place.
    """
    n_features, width = desk.row.shape[0], desk.point.shape[0]
    for feature in range(n_features):
        desk.filler[feature] = filler_of(plan, feature, models.inputs[model, width - n_features + feature])
    single = n_missed if n_missed <= 2 * RECENT else 2 * plan.shingle_size
    for _ in range(single):
        take_step(models, model, plan, desk.filler, True, desk)
    rest = n_missed - single
    if rest > 0:
        course = models.course[model]
        add_repeated(models.quality[model], 1.0 - imputed_share(models, model), plan.time_decay, rest)
        course["clock"] += rest
        models.recent_taken[model] = False
        for feature in range(n_features):
            models.recent[model, :, feature] = models.shingle[model, width - n_features + feature]
