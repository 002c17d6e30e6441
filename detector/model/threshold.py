"""From a forest's score to an alarm, its grade and the confidence in it.

A score is discounted by what was usual and by what was seen a season ago at this time; an alarm must also
stand out from the alarms before it. Knows scores and times, neither values nor the forest.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import HOUR_MS, Rhythm, Season, past_top_score

THETA = 0.55
"""Discounted score that makes an alarm. Normal scores lie within about 0.3 of their mean, a
clear outlier of five columns gains 1 and more; 0.5 to 0.6 measure alike on labelled series."""

MEANT_AFTER = 32
"""Scores of a forest before one can be an alarm: those of a nearly empty forest mean nothing, and an alarm among them
would keep the rule from those that matter."""

ECHO_DECAY_MS = 36 * HOUR_MS
"""How fast the last alarm's surplus is forgotten: its aftermath, and its like
on the next day, must exceed it."""

FATIGUE_STEP = 0.1
FATIGUE_DECAY_MS = 14 * 24 * HOUR_MS
"""Each alarm raises the bar a little for two weeks, so that a series that is always noisy grows quiet."""

GRADE_FLOOR = 0.1
"""An alarm that barely passes gets the grade 1 - exp(-0.1)."""

CONFIDENCE_OUTPUT_AFTER = 32
"""Windows before confidence leaves 0, as in the plugin's forest."""

CERTAIN_AFTER = 20.0
"""Expected number of forgettings of the whole sample, after which confidence is data quality alone."""

NEVER_MS = np.iinfo(np.int64).min

ALARM = np.dtype(
    [
        ("n_scores", np.int64),
        ("mean_score", np.float64),
        ("last_ms", np.int64),
        ("last_alarm_ms", np.int64),
        ("echo", np.float64),
        ("fatigue", np.float64),
    ],
    align=True,
)
"""Per model: scores so far and their discounted mean, end of the last scored window, and what alarms have
left."""


class Verdict(NamedTuple):
    """What one score means: grade in 0..1 (0 = no alarm) and the score that an alarm would have taken."""

    grade: float
    threshold: float


@inner
def reset_alarm(alarms: NDArray[np.void], model: int) -> None:
    """Forget the scores and alarms of a model."""
    record = alarms[model]
    record["n_scores"] = 0
    record["mean_score"] = 0.0
    record["last_ms"] = NEVER_MS
    record["last_alarm_ms"] = NEVER_MS
    record["echo"] = 0.0
    record["fatigue"] = 0.0


@inner
def judge(
    alarms: NDArray[np.void],
    season: Season,
    rhythm: Rhythm,
    model: int,
    time_ms: int,
    score: float,
    novel: bool,  # noqa: FBT001 - kernels have no keywords
    time_decay: float,
) -> Verdict:
    """Return what a score means, and enter it into the memory of scores and alarms.

    `novel` says that a value left everything seen so far: yesterday's scores do not excuse it. `time_decay`
    is the forest's: the mean score forgets as the sample does. The season's slots do not hold this score
    yet.
    """
    record = alarms[model]
    _fade(record, time_ms)
    usual = record["mean_score"] if record["n_scores"] > 0 else score
    if not novel:
        usual = max(usual, past_top_score(season, rhythm, model, time_ms))
    surplus = score - usual - THETA
    needed = record["echo"] + record["fatigue"]
    rested = record["last_alarm_ms"] == NEVER_MS or time_ms - record["last_alarm_ms"] > rhythm.rest_ms
    grade = 0.0
    if rested and record["n_scores"] >= MEANT_AFTER and surplus >= needed:
        grade = 1.0 - np.exp(-surplus - GRADE_FLOOR)
        record["echo"] = max(record["echo"], surplus)
        record["fatigue"] += FATIGUE_STEP
        record["last_alarm_ms"] = time_ms
    weight = max(time_decay, 1.0 / (record["n_scores"] + 2.0))
    record["mean_score"] += (score - record["mean_score"]) * (weight if record["n_scores"] > 0 else 1.0)
    record["n_scores"] += 1
    return Verdict(grade, usual + THETA + needed)


@inner
def _fade(record: NDArray[np.void], time_ms: int) -> None:
    """Let what alarms have left decay to `time_ms`."""
    if record["last_ms"] != NEVER_MS:
        elapsed_ms = float(time_ms - record["last_ms"])
        record["echo"] *= np.exp(-elapsed_ms / ECHO_DECAY_MS)
        record["fatigue"] *= np.exp(-elapsed_ms / FATIGUE_DECAY_MS)
    record["last_ms"] = time_ms


@inner
def confidence(n_points: int, quality: float, time_decay: float) -> float:
    """Return how far the forest is trained, 0..1, times the share of values that were there.

    Source: the `confidence` of AWS RCF, with `time_decay * n_points` as the expected number of forgettings.
    """
    forgettings = time_decay * n_points
    if n_points <= CONFIDENCE_OUTPUT_AFTER:
        return 0.0
    if forgettings >= CERTAIN_AFTER:
        return quality
    untrained = np.exp(time_decay * CONFIDENCE_OUTPUT_AFTER) - 1.0
    return float(quality * (1.0 - untrained / (np.exp(forgettings) - 1.0)))
