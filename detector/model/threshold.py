"""From a forest's score to an alarm, its grade and the confidence in it.

A score is discounted by what was usual and by what was seen a season ago at this time. What is left makes an alarm
when it is strong (more so where a value only wandered far out), when it lasts and that has not been told yet, or when a
value fell outside its band as it rarely does; and it must stand out from the alarms before it. Whatever the score,
values that depart from their routine as never before make one. Knows scores and times, neither values nor the forest.
"""

from typing import NamedTuple

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.model.bars import FATIGUE_STEP, Bars
from detector.model.budget import height_of, spent
from detector.model.pace import CONFIDENCE_OUTPUT_AFTER, ECHO_DECAY_MS, FATIGUE_DECAY_MS, Pace, kept
from detector.model.season import Record

COMMON = 0.8
"""What a score is compared with where the model's own mean is turned off: the mean of white noise."""

RARE = 6.0
"""Rarity of a value that supports a score: one in 400 of the values outside the band, which itself holds 95 %."""

MEANT_AFTER = 32
"""Scores of a forest before one can be an alarm: those of a nearly empty forest mean nothing, and an alarm among them
would keep the rule from those that matter."""

CALM_SHARE = 0.5
"""Scores have been high since their mean rose above this share of its bar."""

GRADE_FLOOR = 0.1
"""An alarm that barely passes gets the grade 1 - exp(-0.1)."""

CERTAIN_AFTER = 20.0
"""Expected number of forgettings of the whole sample, after which confidence is data quality alone."""

TRUST_IN_STRENGTH = 2.0
DISTRUST_OF_MANY = 0.25
"""What a unit of strength adds to the logarithm of the odds that an alarm is right, and what each alarm of the last
weeks takes from it; an alarm that barely passes is as likely right as wrong. Round numbers of a logistic regression
over the alarms on labelled series and on seasonal traffic with planted events."""

NEVER_MS = np.iinfo(np.int64).min

ALARM = np.dtype(
    [
        ("n_scores", np.int64),
        ("mean_score", np.float64),
        ("lasting", np.float64),
        ("last_ms", np.int64),
        ("last_alarm_ms", np.int64),
        ("echo", np.float64),
        ("fatigue", np.float64),
        ("level", np.float64),
        ("calm_ms", np.int64),
        ("told", np.bool_),
    ],
    align=True,
)
"""Per model: scores so far and their discounted mean, mean of the last discounted scores, end of the last scored
window, what alarms have left, the level of the bars under a budget, end of the last window at which that mean was
calm, and whether what lasts has had its alarm."""


class Witness(NamedTuple):
    """What is known of a row beside its score.

    Attributes
    ----------
    novel
        Whether a value left everything seen so far: yesterday's scores do not excuse it.
    rarity
        How rarely values fall so far outside their bands, 0 inside them.
    departure
        How many times the record values depart from their routine, 0 if that is not known.
    wandered
        Whether a value is far out and got there by steps as usual.
    """

    novel: bool
    rarity: float
    departure: float
    wandered: bool


class Verdict(NamedTuple):
    """What one score means.

    Attributes
    ----------
    grade
        0..1; 0 = no alarm.
    threshold
        The score that an alarm would have taken.
    trust
        Of alarms like this one the share that is right, 0..1; 1 where there is none.
    departed
        Whether a departure from the routine makes the alarm, whatever the score.
    lasted_ms
        Where it is made by what lasts, for how long scores have been high, in milliseconds; else 0.
    """

    grade: float
    threshold: float
    trust: float
    departed: bool
    lasted_ms: int


@inner
def reset_alarm(alarm: Record) -> None:
    """Forget the scores and alarms of a model."""
    alarm["n_scores"] = 0
    alarm["mean_score"] = 0.0
    alarm["lasting"] = 0.0
    alarm["last_ms"] = NEVER_MS
    alarm["last_alarm_ms"] = NEVER_MS
    alarm["echo"] = 0.0
    alarm["fatigue"] = 0.0
    alarm["level"] = 0.0
    alarm["calm_ms"] = NEVER_MS
    alarm["told"] = False


@inner
def judge(
    alarm: Record,
    past_top_score: float,
    pace: Pace,
    bars: Bars,
    rest_ms: int,
    time_ms: int,
    score: float,
    witness: Witness,
) -> Verdict:
    """Return what a score means, and enter it into the memory of scores and alarms.

    `past_top_score` is the highest score a season ago, 0 if none. No alarm follows another within `rest_ms`.
    """
    _fade(alarm, pace, time_ms)
    usual = _usual(alarm, bars, past_top_score, score, witness.novel)
    is_meant = alarm["n_scores"] >= MEANT_AFTER
    before = alarm["lasting"]
    if is_meant:
        alarm["lasting"] += pace.lasting_weight * (score - usual - before)
    rested = _has_rested(alarm, bars, rest_ms, time_ms)
    height = height_of(alarm["level"], bars.weekly_budget)
    bar = height * _single_bar(bars, witness) + _youth(alarm, bars, pace.youth_windows)
    lasting_bar = height * bars.lasting
    was_told = alarm["told"]
    _note_course(alarm, bars, lasting_bar, rested, time_ms)
    lasting_bar += _youth(alarm, bars, pace.lasting_youth_windows)
    surplus = at_once = score - usual - bar
    if not alarm["told"]:
        surplus = max(surplus, alarm["lasting"] - lasting_bar)
    needed = alarm["echo"] + alarm["fatigue"]
    # Records are a memory of their own: neither echo nor fatigue nor youth count.
    least = 1.0 + height * bars.departed
    departed = witness.departure >= least
    strength = np.log(witness.departure / least) if departed else -np.inf
    if surplus >= needed:
        strength = max(strength, surplus)
    grade, trust, lasted_ms = 0.0, 1.0, 0
    if rested and is_meant and strength >= 0.0:
        grade = 1.0 - np.exp(-strength - GRADE_FLOOR)
        trust = _trust_in(strength, alarm["fatigue"])
        if surplus > at_once and not departed:
            lasted_ms = time_ms - alarm["calm_ms"]
        _remember(alarm, bars, time_ms, strength)
    if is_meant:
        alarm["level"] = spent(alarm["level"], bars.weekly_budget, pace.step_ms, grade > 0.0)
    _enter(alarm, pace, score)
    excess = bar + needed
    if not was_told:
        excess = min(excess, before + (lasting_bar + needed - before) / pace.lasting_weight)
    # Where scores have been high long enough, or values depart from their routine, any score alarms.
    threshold = 0.0 if departed else max(0.0, usual + excess)
    return Verdict(grade, threshold, trust, departed, lasted_ms)


@inner
def _usual(
    alarm: Record,
    bars: Bars,
    past_top_score: float,
    score: float,
    novel: bool,  # noqa: FBT001 - kernels have no keywords
) -> float:
    """Return what the score is compared with: the mean score, or the highest of a season ago."""
    usual = score if alarm["n_scores"] == 0 else alarm["mean_score"]
    if not bars.uses_mean:
        usual = COMMON
    if bars.uses_season and not (novel and bars.uses_novelty):
        usual = max(usual, past_top_score)
    return float(usual)


@inner
def _single_bar(bars: Bars, witness: Witness) -> float:
    """Return what a discounted score takes to make an alarm by itself."""
    strong = bars.strong + bars.wandered if witness.wandered else bars.strong
    return min(bars.supported, strong) if witness.rarity >= RARE else strong


@inner
def _youth(alarm: Record, bars: Bars, windows: float) -> float:
    """Return what a bar is higher by that comes down over so many scores."""
    return float(bars.youth * max(0.0, 1.0 - alarm["n_scores"] / windows))


@inner
def _has_rested(alarm: Record, bars: Bars, rest_ms: int, time_ms: int) -> bool:
    """Return whether the last alarm is long enough ago for another."""
    last_ms = alarm["last_alarm_ms"]
    return bool(not bars.rests or last_ms == NEVER_MS or time_ms - last_ms > rest_ms)


@inner
def _note_course(
    alarm: Record,
    bars: Bars,
    lasting_bar: float,
    rested: bool,  # noqa: FBT001 - kernels have no keywords
    time_ms: int,
) -> None:
    """Note whether scores are calm, and whether what lasts has had its alarm: since it began, or just before."""
    if not alarm["lasting"] > CALM_SHARE * lasting_bar:
        alarm["calm_ms"] = time_ms
    if alarm["lasting"] < lasting_bar or not bars.tells_once:
        alarm["told"] = False
    elif not rested:
        alarm["told"] = True


@inner
def _remember(alarm: Record, bars: Bars, time_ms: int, strength: float) -> None:
    """Note an alarm: what comes after it must exceed more."""
    if bars.uses_echo:
        alarm["echo"] = max(alarm["echo"], strength)
    alarm["fatigue"] += bars.fatigue_step
    alarm["last_alarm_ms"] = time_ms
    alarm["told"] = bars.tells_once


@inner
def _enter(alarm: Record, pace: Pace, score: float) -> None:
    """Enter a score into the mean, which forgets as the forest's sample does."""
    is_first = alarm["n_scores"] == 0
    weight = 1.0 if is_first else max(pace.time_decay, 1.0 / (alarm["n_scores"] + 2.0))
    alarm["mean_score"] += (score - alarm["mean_score"]) * weight
    alarm["n_scores"] += 1


@inner
def _trust_in(strength: float, fatigue: float) -> float:
    """Return the share of alarms so strong, after so many others, that is right."""
    odds = TRUST_IN_STRENGTH * strength - DISTRUST_OF_MANY * fatigue / FATIGUE_STEP
    return float(1.0 / (1.0 + np.exp(-odds)))


@inner
def _fade(alarm: Record, pace: Pace, time_ms: int) -> None:
    """Let what alarms have left decay to `time_ms`."""
    if alarm["last_alarm_ms"] != NEVER_MS:
        elapsed_ms = time_ms - alarm["last_ms"]
        if elapsed_ms == pace.step_ms:
            alarm["echo"] *= pace.echo_kept
            alarm["fatigue"] *= pace.fatigue_kept
        else:
            alarm["echo"] *= kept(elapsed_ms, ECHO_DECAY_MS)
            alarm["fatigue"] *= kept(elapsed_ms, FATIGUE_DECAY_MS)
    alarm["last_ms"] = time_ms


@inner
def confidence(n_points: int, quality: float, pace: Pace) -> float:
    """Return how far the forest is trained, 0..1, times the share of values that were there.

    Source: the `confidence` of AWS RCF, with `time_decay * n_points` as the expected number of forgettings.
    """
    forgettings = pace.time_decay * n_points
    if n_points <= CONFIDENCE_OUTPUT_AFTER:
        return 0.0
    if forgettings >= CERTAIN_AFTER:
        return quality
    return float(quality * (1.0 - pace.untrained / (np.exp(forgettings) - 1.0)))
