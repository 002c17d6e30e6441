"""The kernel of the profile: entity by entity, window by window, from values to verdicts.

Same contract as the default profile's walk: nothing depends on other models, on the composition of a block or on
the clock. Knows neither entities' names nor documents.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.model.trcf.beginning import begin_stream
from detector.model.trcf.corrector import NONE, Correction, correct
from detector.model.trcf.desk import Desk, copy_into, make_desk
from detector.model.trcf.deviation import MEAN
from detector.model.trcf.models import WARM_UP, TrcfModels, TrcfPlan
from detector.model.trcf.normalize import learn_value, noise_of, scale_of, shift_of
from detector.model.trcf.outlook import expected_of, learn_outlook, reach_of
from detector.model.trcf.query import score_point
from detector.model.trcf.shingle import fill_gap, filler_of, missed, take_step, write_point
from detector.model.trcf.thresholder import judge
from detector.model.trcf.verdict import Verdict, conclude, is_untold
from detector.model.verdicts import ScoredBlock
from detector.model.walk import ABSENT, SCORED, WARMING_UP

MAX_VALUE = 1e150
"""Larger values are taken for this one, so that their squares stay finite."""

SURE = 20.0
"""From so many forest memories on, confidence is the data quality."""


class TrcfRows(NamedTuple):
    """Rows of a block to be observed: arrays as in `Fleet.observe`."""

    models: NDArray[np.int64]
    end_times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    present: NDArray[np.bool_]


@kernel
def walk_trcf(models: TrcfModels, plan: TrcfPlan, rows: TrcfRows, scored: ScoredBlock) -> None:
    """Observe a block and write the verdicts into `scored`, every element of them.

    One kernel for a row: what it calls is compiled into it, but for the forest, the corrector and the steps.
    """
    desk = make_desk(models)
    for place in range(rows.models.shape[0]):
        for window in range(rows.end_times_ms.shape[0]):
            _leave_open(scored, window, place)
            model, time_ms = rows.models[place], rows.end_times_ms[window]
            course = models.course[model]
            if not rows.present[window, place] or time_ms <= course["last_ms"]:
                continue
            n_known = _clean(rows.values[window, place], desk.row)
            _expect(models, model, desk, window, place, scored)
            scored.status[window, place] = WARMING_UP
            if course["n_seen"] < WARM_UP:
                _wait(models, model, plan, time_ms, desk)
                continue
            n_missed = _read(models, model, plan, time_ms, desk)
            sureness = confidence_of(models, model, plan)
            verdict = Verdict(0.0, 0.0, 0.0, 0, False)
            if course["clock"] >= plan.output_after and course["n_learned"] > 0:
                clock = course["clock"] + n_missed + 1
                score = score_point(models.forest, model, course["gain"], desk.point, desk)
                judged = judge(models.scores[model], course["n_scores"], score, plan.shingle_size)
                left = Correction(0.0, score, 0, False, NONE)
                if judged.grade > 0.0:
                    left = correct(models, model, plan, clock - course["alarm_clock"], score, judged, desk)
                verdict = conclude(models, model, plan, clock, score, judged, left, desk)
            _learn(models, model, plan, time_ms, n_missed, n_known, verdict.grade, desk)
            if verdict.score > 0.0 and (n_known > 0 or plan.fills):
                _tell(plan, verdict, sureness, desk, window, place, scored)


@inner
def _leave_open(scored: ScoredBlock, window: int, place: int) -> None:
    """Write that nothing is said. Modified in place."""
    scored.status[window, place] = ABSENT
    scored.score[window, place] = np.nan
    scored.grade[window, place] = np.nan
    scored.threshold[window, place] = np.nan
    scored.confidence[window, place] = np.nan
    for feature in range(scored.expected.shape[2]):
        scored.expected[window, place, feature] = np.nan
        scored.lower[window, place, feature] = np.nan
        scored.upper[window, place, feature] = np.nan
        scored.contribution[window, place, feature] = np.nan


@inner
def _clean(values: NDArray[np.float64], row: NDArray[np.float64]) -> int:
    """Copy a row, infinite values as missing and huge ones cut; return how many are not missing."""
    n_known = 0
    for feature in range(row.shape[0]):
        value = values[feature]
        row[feature] = min(max(value, -MAX_VALUE), MAX_VALUE) if np.isfinite(value) else np.nan
        n_known += int(np.isfinite(value))
    return n_known


@inner
def _wait(models: TrcfModels, model: int, plan: TrcfPlan, time_ms: int, desk: Desk) -> None:
    """Put one of the first rows aside; with the tenth, enter all of them. Modified in place."""
    course = models.course[model]
    course["last_ms"] = time_ms
    models.waiting_ms[model, course["n_seen"]] = time_ms
    copy_into(models.waiting[model, course["n_seen"]], desk.row)
    course["n_seen"] += 1
    if course["n_seen"] == WARM_UP:
        begin_stream(models, model, plan, desk)


@inner
def confidence_of(models: TrcfModels, model: int, plan: TrcfPlan) -> float:
    """Return 0 until the first score, near the data quality once the forest has turned over."""
    n_seen, quality = models.course[model]["n_seen"], models.quality[model, MEAN]
    age = plan.time_decay * n_seen
    if age >= SURE:
        return min(quality, 1.0)
    young = np.exp(plan.time_decay * min(n_seen, plan.output_after))
    return max(quality * (np.exp(age) - young) / (np.exp(age) - 1.0), 0.0)


@inner
def _expect(models: TrcfModels, model: int, desk: Desk, window: int, place: int, scored: ScoredBlock) -> None:
    """Write expectation and band of every feature, then let them learn from the values that are there."""
    for feature in range(desk.row.shape[0]):
        outlook = models.outlook[model, feature]
        expected, reach = expected_of(outlook), reach_of(outlook)
        scored.expected[window, place, feature] = expected
        scored.lower[window, place, feature] = expected - reach
        scored.upper[window, place, feature] = expected + reach
        if not np.isnan(desk.row[feature]):
            learn_outlook(outlook, desk.row[feature])


@inner
def _read(models: TrcfModels, model: int, plan: TrcfPlan, time_ms: int, desk: Desk) -> int:
    """Set scale, previous values, filled row and shingle on the desk; return the steps missed before the row.

    Modified in place: `desk`.
    """
    n_features, width = desk.row.shape[0], desk.point.shape[0]
    for feature in range(n_features):
        about, statistics = desk.feature[feature], models.statistics[model, feature]
        about["shift"] = shift_of(statistics)
        about["scale"] = scale_of(statistics)
        about["noise"] = noise_of(statistics)
        about["previous"] = models.inputs[model, width - n_features + feature]
        desk.filled[feature] = desk.row[feature]
        if np.isnan(desk.row[feature]):
            desk.filled[feature] = filler_of(plan, feature, about["previous"])
    n_missed = missed(plan, time_ms - models.course[model]["last_ms"])
    write_point(models, model, plan, n_missed, desk)
    return n_missed


@inner
def _learn(
    models: TrcfModels,
    model: int,
    plan: TrcfPlan,
    time_ms: int,
    n_missed: int,
    n_known: int,
    grade: float,
    desk: Desk,
) -> None:
    """Enter a row, and the steps missed before it. Modified in place."""
    course = models.course[model]
    course["last_ms"] = time_ms
    fill_gap(models, model, plan, n_missed, desk)
    take_step(models, model, plan, desk.filled, n_known == 0, desk)
    course["n_seen"] += np.int64(n_known > 0)
    for feature in range(desk.row.shape[0]):
        about, statistics = desk.feature[feature], models.statistics[model, feature]
        known = not np.isnan(desk.row[feature])
        learn_value(statistics, desk.filled[feature], about["previous"], known, plan.time_decay)
        if grade > 0.0:
            models.alarm_shift[model, feature] = shift_of(statistics) - about["shift"]


@inner
def _tell(
    plan: TrcfPlan,
    verdict: Verdict,
    sureness: float,
    desk: Desk,
    window: int,
    place: int,
    scored: ScoredBlock,
) -> None:
    """Write a verdict."""
    scored.status[window, place] = SCORED
    scored.score[window, place] = verdict.score
    scored.threshold[window, place] = verdict.threshold
    scored.confidence[window, place] = sureness
    scored.grade[window, place] = verdict.grade
    if verdict.grade > 0.0:
        _tell_alarm(plan, verdict, desk, window, place, scored)


@inner
def _tell_alarm(
    plan: TrcfPlan, verdict: Verdict, desk: Desk, window: int, place: int, scored: ScoredBlock
) -> None:
    """Write what an alarm comes from and, unless it is late, what was expected instead of it."""
    if is_untold(plan.direction, verdict, desk):
        scored.grade[window, place] = 0.0
        return
    for feature in range(desk.row.shape[0]):
        about = desk.feature[feature]
        scored.contribution[window, place, feature] = about["share"]
        if verdict.expects and verdict.block == 0:
            scored.expected[window, place, feature] = about["expected"]
            scored.lower[window, place, feature] = about["lower"]
            scored.upper[window, place, feature] = about["upper"]
