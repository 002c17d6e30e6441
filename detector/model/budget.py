"""A budget of alarms: what an alarm takes follows how many there were.

After every window the bars move: up by an alarm, down by what the window brings of the budget. In the long run there
are as many alarms as the budget has, wherever bars can go that far, whatever the values are like. Source: Gibbs and
Candès (2021), Adaptive Conformal Inference Under Distribution Shift, equation 2, for the logarithm of the bars. Knows
alarms and time, neither scores nor values.
"""

import numpy as np

from detector.forest.kernels.kernel import inner
from detector.model.season import WEEK_MS

UNLIMITED = 0.0
"""Alarms a week that stand for no budget: the bars stay where they are."""

STEP = 0.25
"""What an alarm adds to the binary logarithm of the bars: it makes them a fifth higher."""

LOWEST, HIGHEST = -1.0, 3.0
"""Bars are between half the usual ones, where calm entities end, and eight times as high."""


@inner
def height_of(level: float, weekly_budget: float) -> float:
    """Return by what the bars are multiplied."""
    return float(np.exp2(level)) if weekly_budget > UNLIMITED else 1.0


@inner
def spent(level: float, weekly_budget: float, step_ms: int, is_alarm: bool) -> float:  # noqa: FBT001 - kernels have no keywords
    """Return the level after a window of `step_ms` milliseconds."""
    if weekly_budget == UNLIMITED:
        return level
    alarms = 1.0 if is_alarm else 0.0
    return min(max(level + STEP * (alarms - weekly_budget * step_ms / WEEK_MS), LOWEST), HIGHEST)
