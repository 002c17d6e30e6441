"""The first ten rows of a model: they wait, are completed, give the first scale, and are entered together.

Source: `InitialSegmentPreprocessor` and `ImputePreprocessor` of the AWS implementation.
"""

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.model.trcf.desk import Desk
from detector.model.trcf.deviation import MEAN, add, deviation
from detector.model.trcf.models import WARM_UP, TrcfModels, TrcfPlan
from detector.model.trcf.normalize import learn_value
from detector.model.trcf.resolution import refill, usual_gain
from detector.model.trcf.shingle import missed, take_step

MOST_FIRST_MISSED = 1000
"""A longer gap between two of the first rows is cut to this: nothing is known that could fill it."""


@inner
def _known_from(models: TrcfModels, model: int, row: int, feature: int) -> int:
    """Return the first waiting row from `row` on that has a value of the feature, 10 if there is none."""
    while row < WARM_UP and np.isnan(models.waiting[model, row, feature]):
        row += 1
    return row


@inner
def complete(models: TrcfModels, model: int, plan: TrcfPlan) -> None:
    """Put values in place of those missing among the first rows. Modified in place.

    The filler if there is one; else between two known values a straight line, and the nearest known value at either
    end; 0 for a feature that has no value at all.
    """
    for feature in range(models.waiting.shape[2]):
        before = -1
        for row in range(WARM_UP):
            if not np.isnan(models.waiting[model, row, feature]):
                before = row
                continue
            after = _known_from(models, model, row, feature)
            if not np.isnan(plan.filler[feature]):
                value = plan.filler[feature]
            elif before < 0 and after == WARM_UP:
                value = 0.0
            elif before < 0:
                value = models.waiting[model, after, feature]
            elif after == WARM_UP:
                value = models.waiting[model, before, feature]
            else:
                start, end = models.waiting[model, before, feature], models.waiting[model, after, feature]
                value = start + (end - start) * (row - before) / (after - before)
                models.waiting[model, row, feature] = value
                before = row
                continue
            models.waiting[model, row, feature] = value


@inner
def begin_stream(models: TrcfModels, model: int, plan: TrcfPlan, desk: Desk) -> None:
    """Enter the ten rows that waited, normalised with their own mean and deviation. Modified in place."""
    complete(models, model, plan)
    cell = desk.cell
    for feature in range(desk.row.shape[0]):
        cell[:] = 0.0
        for row in range(WARM_UP):
            add(cell, models.waiting[model, row, feature], plan.time_decay)
        desk.feature[feature]["shift"] = cell[MEAN]
        desk.feature[feature]["scale"] = deviation(cell) + 1.0
    for row in range(WARM_UP):
        enter_first(models, model, plan, row, desk)
    refill(models, model, usual_gain(models, model), plan.time_decay, desk)
    models.waiting_ms[model] = 0
    models.waiting[model] = 0.0


@inner
def enter_first(models: TrcfModels, model: int, plan: TrcfPlan, row: int, desk: Desk) -> None:
    """Enter one of the first rows, and a straight line over the steps missed before it. Modified in place."""
    n_features, width = desk.row.shape[0], desk.point.shape[0]
    last_ms = models.waiting_ms[model, max(row - 1, 0)]
    n_missed = min(missed(plan, models.waiting_ms[model, row] - last_ms), MOST_FIRST_MISSED)
    for step in range(n_missed):
        for feature in range(n_features):
            start, end = models.waiting[model, row - 1, feature], models.waiting[model, row, feature]
            desk.filled[feature] = start + (end - start) * (step + 1) / (n_missed + 1)
        take_step(models, model, plan, desk.filled, True, desk)
    for feature in range(n_features):
        previous = models.inputs[model, width - n_features + feature]
        value = models.waiting[model, row, feature]
        learn_value(models.statistics[model, feature], value, previous, True, plan.time_decay)
    take_step(models, model, plan, models.waiting[model, row], False, desk)
