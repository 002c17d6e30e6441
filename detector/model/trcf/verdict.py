"""One scored row: score, threshold, what is left of the grade, and what an alarm is about.

Everything the model remembers of scores and alarms is written here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.trcf.blocks import part
from detector.model.trcf.corrector import Correction, continues_run, end_run, settle_run
from detector.model.trcf.desk import Desk, copy_into
from detector.model.trcf.models import TrcfModels, TrcfPlan
from detector.model.trcf.thresholder import Judgement, learn_score


class Verdict(NamedTuple):
    """What is said about a row; a score of 0 is none.

    Attributes
    ----------
    score, grade, threshold
        As in `ScoredBlock`.
    block
        Step that an alarm comes from: 0 this one, -1 the one before.
    expects
        Whether the desk holds expected values of that step.
    """

    score: float
    grade: float
    threshold: float
    block: int
    expects: bool


@inner
def conclude(
    models: TrcfModels,
    model: int,
    plan: TrcfPlan,
    clock: int,
    score: float,
    judged: Judgement,
    left: Correction,
    desk: Desk,
) -> Verdict:
    """Learn a score, of the step number `clock`, and what was left of its grade. Modified in place."""
    course, scores = models.course[model], models.scores[model]
    said = left
    if judged.grade > 0.0:
        candidate = continues_run(course, score, judged.threshold, plan.shingle_size)
        said = settle_run(models, model, plan, clock - course["alarm_clock"], left, candidate, desk)
    else:
        end_run(models, model)
    last = course["last_score"] if plan.shingle_size > 1 else 0.0
    learn_score(scores, score, said.corrected_score, last, plan.time_decay)
    course["n_scores"] += 1
    course["last_score"] = score
    course["last_threshold"] = judged.threshold
    course["is_after_alarm"] = np.int64(said.grade > 0.0 and said.expects)
    if said.grade > 0.0:
        _remember(models, model, clock, score, said, desk)
    return Verdict(score, said.grade, judged.threshold, said.block, said.expects)


@inner
def _remember(models: TrcfModels, model: int, clock: int, score: float, said: Correction, desk: Desk) -> None:
    """Keep an alarm for the correction of the next ones, and write what it is about to the desk. Modified in place."""
    course = models.course[model]
    course["alarm_clock"] = clock
    course["alarm_block"] = said.block
    course["alarm_score"] = score
    course["alarm_expects"] = np.int64(said.expects)
    course["shifts"] = 1
    start = desk.point.shape[0] + (said.block - 1) * desk.row.shape[0]
    _share(desk, start)
    if said.expects:
        copy_into(models.alarm_expected[model], desk.wanted)
        _invert(desk, start)


@inner
def _share(desk: Desk, start: int) -> None:
    """Write each feature's share of the attribution in the block at `start`. Modified in place: `desk`."""
    n_features = desk.row.shape[0]
    total = 0.0
    for feature in range(n_features):
        desk.feature[feature]["share"] = part(desk.parts, start + feature)
        total += desk.feature[feature]["share"]
    for feature in range(n_features):
        desk.feature[feature]["share"] = (
            desk.feature[feature]["share"] / total if total > 0.0 else 1.0 / n_features
        )


@inner
def _invert(desk: Desk, start: int) -> None:
    """Write the expected values of the block at `start`, and the tolerance around them, in units of the features.

    A feature that was not imputed is expected as it is. Modified in place: `desk`.
    """
    for feature in range(desk.row.shape[0]):
        value = desk.filled[feature]
        if desk.wanted[start + feature] != desk.point[start + feature]:
            value = (
                desk.wanted[start + feature] * desk.feature[feature]["scale"] + desk.feature[feature]["shift"]
            )
        desk.feature[feature]["expected"] = value
        desk.feature[feature]["lower"] = value - desk.feature[feature]["below"]
        desk.feature[feature]["upper"] = value + desk.feature[feature]["above"]


@inner
def is_untold(direction: NDArray[np.bool_], verdict: Verdict, desk: Desk) -> bool:
    """Whether the feature that contributes most lies in a direction that the user does not want to hear of."""
    if not verdict.expects:
        return False
    top = 0.0
    for feature in range(desk.row.shape[0]):
        top = max(top, np.round(desk.feature[feature]["share"], 2))
    first = desk.point.shape[0] + (verdict.block - 1) * desk.row.shape[0]
    for feature in range(desk.row.shape[0]):
        if np.round(desk.feature[feature]["share"], 2) == top:
            above = desk.point[first + feature] > desk.wanted[first + feature]
            below = desk.point[first + feature] < desk.wanted[first + feature]
            if (above and not direction[0, feature]) or (below and not direction[1, feature]):
                return True
    return False
