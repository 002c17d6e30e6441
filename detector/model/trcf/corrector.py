"""Turns a grade into few alarms: after-effects of the last alarm, rounding, what history or a forecast explains.

Scores are never changed; a row whose grade is taken away says nothing. The order of the tests is that of
`PredictorCorrector` of the AWS implementation (4.3) with the plugin's settings: automatic adjustment, one alert a run.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.model.trcf.blocks import adds_enough, largest_block, mark_missing
from detector.model.trcf.desk import Desk, copy_into
from detector.model.trcf.deviation import MEAN, WEIGHT, add, deviation
from detector.model.trcf.models import ACTUAL, WANTED, TrcfModels, TrcfPlan
from detector.model.trcf.query import attribute_point, impute_point, reach_point
from detector.model.trcf.thresholder import Judgement
from detector.model.trcf.tolerance import is_explained, is_rounding, is_within, set_tolerance

NONE, ROUNDING, IN_SHINGLE, EXPLAINED, FORECAST, DRIFT, ONCE = range(7)
"""Why a grade was taken away: not at all; nothing but rounding; the last alarm is still in the shingle; history has
such values; the forecast was as good; a run of alarms is the new normal; one alert a run."""

LEAST_DISCOUNT = 0.2
RUN_SLOWNESS = 10
"""A high score continues a run while it falls by less than a fifth, or by more the longer the run is."""

RUN_ALLOWED = 2
"""Alarms in a row before a run can be the new normal."""

MOST_CORRECTION = 1e6
"""Corrections of a normalised value are bounded by this, so that they fit 32 bits."""


class Correction(NamedTuple):
    """What is left of an alarm: its grade, the score without it, block and whether `desk.wanted` is filled in."""

    grade: float
    corrected_score: float
    block: int
    expects: bool
    reason: int


@inner
def continues_run(course: NDArray[np.void], score: float, threshold: float, shingle_size: int) -> bool:
    """Whether a high score is one of a run: it rises, or falls by less than the run allows."""
    if course["n_scores"] == 0:
        return False
    if score > course["last_score"]:
        return True
    allowed = max(LEAST_DISCOUNT, float(course["run"]) / (2.0 * max(RUN_SLOWNESS, shingle_size)))
    last_score, last_threshold = float(course["last_score"]), float(course["last_threshold"])
    return last_score - last_threshold > score - max(threshold, last_threshold) * (1.0 + allowed)


@inner
def undo_last_alarm(models: TrcfModels, model: int, plan: TrcfPlan, gap: int, desk: Desk) -> bool:
    """Write the point to `desk.corrected` as if the last alarm had not been; true if that changes it.

    What overlaps with the alarm's shingle becomes what was expected there; later values lose the alarm's effect on
    the mean. Modified in place.
    """
    course = models.course[model]
    n_features, width = desk.row.shape[0], desk.point.shape[0]
    copy_into(desk.corrected, desk.point)
    if course["alarm_expects"] == 1 and gap < plan.shingle_size:
        for column in range(width - gap * n_features):
            desk.corrected[column] = models.alarm_expected[model, gap * n_features + column]
    if course["shifts"] == 1 and course["is_after_alarm"] == 0 and gap < 2 * plan.shingle_size:
        left = np.exp(-gap * plan.time_decay)
        for column in range(width - min(gap, plan.shingle_size) * n_features, width):
            feature = column % n_features
            change = models.alarm_shift[model, feature] * left / desk.feature[feature]["scale"]
            desk.corrected[column] += min(max(change, -MOST_CORRECTION), MOST_CORRECTION)
    changed = False
    for column in range(width):
        changed = changed or desk.corrected[column] != desk.point[column]
    return changed


@kernel
def correct(
    models: TrcfModels,
    model: int,
    plan: TrcfPlan,
    gap: int,
    score: float,
    judged: Judgement,
    desk: Desk,
) -> Correction:
    """Return what is left of a grade above 0, `gap` steps after the last alarm. Modified in place: `desk`."""
    course, forest = models.course[model], models.forest
    threshold, grade = judged.threshold, judged.grade
    gain, n_features, width = course["gain"], desk.row.shape[0], desk.point.shape[0]
    overlaps = gap * n_features < width
    changed = undo_last_alarm(models, model, plan, gap, desk)
    if is_rounding(desk):
        return Correction(0.0, score, 0, False, ROUNDING)
    corrected_score = attribute_point(forest, model, gain, desk.corrected, desk, desk.parts)
    oldest = min(gap, plan.shingle_size)
    block = largest_block(desk.parts, n_features, oldest)
    start = width + (block - 1) * n_features
    ideal, enough = score, True
    can_expect = mark_missing(desk.parts, start, n_features, desk.missing)
    if can_expect:
        impute_point(forest, model, gain, desk.corrected, desk)
    if overlaps and can_expect:
        ideal = attribute_point(forest, model, gain, desk.wanted, desk, desk.other)
        enough = adds_enough(desk.parts, desk.other, gap * n_features, course["alarm_score"], threshold)
        if changed and corrected_score > threshold and not enough:
            return Correction(0.0, score, block, False, IN_SHINGLE)
    set_tolerance(desk, plan.margin, start)
    reach_point(forest, model, gain, desk.corrected, desk)
    if is_explained(desk, start):
        return Correction(0.0, score, block, False, EXPLAINED)
    if not can_expect:
        return Correction(grade, corrected_score if changed else score, block, False, NONE)
    reason = NONE if enough else IN_SHINGLE
    if enough and is_within(desk, desk.wanted, start):
        reason = FORECAST
    if reason != NONE:
        return Correction(0.0, score, block, True, reason)
    return Correction(grade, ideal if overlaps else score, block, True, NONE)


@inner
def is_new_normal(models: TrcfModels, model: int, expects: bool, desk: Desk) -> bool:
    """Whether value and forecast both stay where the run has been: a drift, not an anomaly."""
    first = desk.point.shape[0] - desk.row.shape[0]
    for feature in range(desk.row.shape[0]):
        actual, wanted = models.runs[model, feature, ACTUAL], models.runs[model, feature, WANTED]
        wide = max(2.0 * deviation(actual), desk.feature[feature]["noise"] / desk.feature[feature]["scale"])
        if not abs(actual[MEAN] - desk.point[first + feature]) < wide:
            return False
        if expects:
            wide = 2.0 * max(deviation(wanted), deviation(actual)) + 0.1 * abs(actual[MEAN] - wanted[MEAN])
            if not abs(wanted[MEAN] - desk.wanted[first + feature]) < wide:
                return False
    return True


@inner
def settle_run(
    models: TrcfModels,
    model: int,
    plan: TrcfPlan,
    gap: int,
    said: Correction,
    candidate: bool,
    desk: Desk,
) -> Correction:
    """Enter a high score into the run, and take its grade away if the run explains it. Modified in place."""
    course = models.course[model]
    grade, reason = said.grade, said.reason
    if candidate:
        first = desk.point.shape[0] - desk.row.shape[0]
        for feature in range(desk.row.shape[0]):
            add(models.runs[model, feature, ACTUAL], np.float64(desk.point[first + feature]), plan.time_decay)
            if said.expects:
                wanted = np.float64(desk.wanted[first + feature])
                add(models.runs[model, feature, WANTED], wanted, plan.time_decay)
        if course["run"] > RUN_ALLOWED and grade > 0.0 and is_new_normal(models, model, said.expects, desk):
            grade, reason = 0.0, DRIFT
        if grade > 0.0 and course["run"] > 0 and gap < plan.shingle_size:
            grade, reason = 0.0, ONCE
    if grade > 0.0 or (reason != NONE and course["run"] > 0):
        course["run"] += 1
    elif reason == NONE:
        end_run(models, model)
    return Correction(grade, said.corrected_score, said.block, said.expects, reason)


@inner
def end_run(models: TrcfModels, model: int) -> None:
    """Forget the run of high scores. Modified in place."""
    models.course[model]["run"] = 0
    if models.runs[model, 0, ACTUAL, WEIGHT] > 0.0:
        models.runs[model] = 0.0
