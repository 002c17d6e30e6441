"""From scores to a grade: how far a score lies above what is usual for this entity. Knows scores only.

Threshold and grade follow `BasicThresholder` of the AWS implementation (4.3) with the plugin's settings: threshold
adjusted to the mean score, scores and changes of scores in equal parts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.trcf.deviation import MEAN, add, deviation
from detector.model.trcf.models import BELOW_MEAN, SCORE_CHANGES, SCORES

MIN_SCORES = 10
"""Scores before their deviation means anything; over as many more the threshold goes over to it."""

INITIAL_THRESHOLD = 1.5
ABSOLUTE_THRESHOLD = 0.8
"""No score below alarms, however calm the series; lower where scores are lower than `USUAL_MEAN` on average."""

USUAL_MEAN = 0.9
Z_FACTOR, MIN_Z_FACTOR = 3.0, 2.0
"""Deviations above the mean that an alarm takes; fewer where the mean score is low."""

CHANGE_SHARE = 0.5
"""Weight of the deviation of changes from score to score, against that of the scores."""

LARGEST_SCORE = 2.0
"""Scores above are learned as this, so that one anomaly does not hide the next."""

ANOMALY_RATE = 0.005
"""Discount of changes of scores."""


class Judgement(NamedTuple):
    """Threshold, and grade of 0 to 1 in steps of a sixteenth."""

    threshold: float
    grade: float


@inner
def factor(mean_score: float) -> float:
    """Return the deviations above the mean that an alarm takes."""
    return max(Z_FACTOR * min(mean_score / USUAL_MEAN, 1.0), MIN_Z_FACTOR)


@inner
def long_term(scores: NDArray[np.float64], shingle_size: int) -> float:
    """Return the deviation that sets the threshold: of scores, of changes where shingles overlap, of calm ones."""
    usual = deviation(scores[SCORES])
    calm = np.sqrt(2.0) * deviation(scores[BELOW_MEAN])
    if shingle_size == 1:
        return min(calm, usual)
    changes = deviation(scores[SCORE_CHANGES])
    return CHANGE_SHARE * changes + (1.0 - CHANGE_SHARE) * min(usual, max(changes, calm))


@inner
def grade_of(surprise: float) -> float:
    """Return the grade of a surprise: 0 below 0.05, 1 from 0.8, steps of a sixteenth between."""
    return min(np.floor(20.0 * np.float64(np.float32(surprise))) / 16.0, 1.0)


@inner
def judge(scores: NDArray[np.float64], n_scores: int, score: float, shingle_size: int) -> Judgement:
    """Return threshold and grade of a score that is not learned yet.

    Parameters
    ----------
    scores
        Statistics of scores, float64, shape (3, 3).
    n_scores
        Scores behind them.
    """
    mean = scores[SCORES, MEAN]
    ramp = min(max((n_scores - MIN_SCORES) / MIN_SCORES, 0.0), 1.0)
    sigma = (factor(mean) - 1.0) * long_term(scores, shingle_size) + deviation(scores[SCORES])
    lowest = ABSOLUTE_THRESHOLD
    if ramp == 1.0 and mean < USUAL_MEAN:
        lowest *= mean / USUAL_MEAN
    ready = n_scores >= MIN_SCORES
    if ready:
        threshold = max(lowest, ramp * (mean + sigma) + (1.0 - ramp) * INITIAL_THRESHOLD)
    else:
        threshold = max(lowest, INITIAL_THRESHOLD)
    if score < threshold:
        return Judgement(threshold, 0.0)
    if not ready:
        surprise = min((score - ABSOLUTE_THRESHOLD) / ABSOLUTE_THRESHOLD, 1.0)
    else:
        surprise = min((score - threshold) / sigma, 1.0) if sigma > 0.0 else 2.0
    grade = grade_of(surprise)
    return Judgement(threshold if grade > 0.0 else score, grade)


@inner
def learn_score(
    scores: NDArray[np.float64], score: float, corrected: float, last: float, decay: float
) -> None:
    """Enter a score, and the step to its corrected value from the last one. Modified in place."""
    value = min(score, LARGEST_SCORE)
    below = scores[SCORES, MEAN] - value
    if below > 0.0:
        add(scores[BELOW_MEAN], below, 0.5 * decay)
    add(scores[SCORES], value, decay)
    add(scores[SCORE_CHANGES], corrected - last, ANOMALY_RATE)
