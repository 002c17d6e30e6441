"""How fast a fleet forgets, grows up and tires, in windows of its interval."""

from typing import NamedTuple

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.model.season import DAY_MS, HOUR_MS

LASTING_MS = 4 * HOUR_MS
MIN_LASTING_WINDOWS, MAX_LASTING_WINDOWS = 24, 48
"""Time over which discounted scores are averaged: what happens to a machine lasts for hours. Not fewer windows, or few
scores make an alarm; and not more, for what windows of a minute show should not take hours."""

YOUTH_MS = 5 * DAY_MS
"""Time in which the bars of a young model come down."""

LASTING_YOUTH_MS = 8 * DAY_MS
"""The same for scores that last: a weekend lasts, and after a week and the day of the warm-up one has been seen."""

MIN_YOUTH_WINDOWS, MIN_YOUTH_STEP_MS = 256, 300_000
"""Bars do not come down before the sample is full, nor later than with windows of five minutes."""

ECHO_DECAY_MS = 12 * HOUR_MS
"""How fast the last alarm's surplus is forgotten: its aftermath must exceed it."""

FATIGUE_DECAY_MS = 14 * DAY_MS
"""How fast what an alarm added to the bars is forgotten."""

CONFIDENCE_OUTPUT_AFTER = 32
"""Windows before confidence leaves 0, as in the plugin's forest."""


class Pace(NamedTuple):
    """How fast a fleet forgets, with what would be computed anew for every point.

    Attributes
    ----------
    time_decay
        Rate at which forest and mean score forget, per window.
    untrained
        What the confidence lacks at first: exp(time_decay * 32) - 1.
    step_ms
        Nominal distance of two windows in milliseconds.
    echo_kept, fatigue_kept
        What is left of echo and fatigue a step later.
    youth_windows, lasting_youth_windows
        Scores over which the bars of a young model come down, for single scores and for what lasts.
    lasting_weight
        Weight of the newest discounted score in their lasting mean.
    """

    time_decay: float
    untrained: float
    step_ms: int
    echo_kept: float
    fatigue_kept: float
    youth_windows: float
    lasting_youth_windows: float
    lasting_weight: float


@inner
def make_pace(time_decay: float, step_ms: int) -> Pace:
    """Return the pace of a fleet."""
    untrained = np.exp(time_decay * CONFIDENCE_OUTPUT_AFTER) - 1.0
    return Pace(
        time_decay,
        untrained,
        step_ms,
        kept(step_ms, ECHO_DECAY_MS),
        kept(step_ms, FATIGUE_DECAY_MS),
        _youth_windows(step_ms, YOUTH_MS),
        _youth_windows(step_ms, LASTING_YOUTH_MS),
        2.0 / (min(max(LASTING_MS / step_ms, MIN_LASTING_WINDOWS), MAX_LASTING_WINDOWS) + 1.0),
    )


@inner
def kept(elapsed_ms: int, decay_ms: int) -> float:
    """Return what is left of something after a while."""
    return float(np.exp(-float(elapsed_ms) / decay_ms))


@inner
def _youth_windows(step_ms: int, youth_ms: int) -> float:
    return float(max(youth_ms / max(step_ms, MIN_YOUTH_STEP_MS), MIN_YOUTH_WINDOWS))
