"""What an alarm takes: the bars of the rule, their usual heights, and what a user moves them by.

Knows neither scores nor alarms.
"""

from typing import NamedTuple

from detector.model.budget import UNLIMITED

STRONG = 1.55
"""Discounted score that makes an alarm by itself: white noise reaches it once in some 20,000 windows."""

LASTING = 0.32
"""Mean discounted score over the last windows that makes an alarm: noise scores high one window at a time, what
happens to a machine lasts."""

SUPPORTED = 0.6
"""Discounted score that makes an alarm when the value supports it."""

DEPARTED = 0.25
"""How far beyond the record a departure makes an alarm, in units of the record: noise of whatever kind soon has a
record that it hardly ever exceeds by a quarter."""

WANDERED = 0.5
"""What the bar of a strong score is higher by for a value that has wandered: it is far out, and got there by steps as
usual. Noise that swings for long comes to new extremes now and then, and they score high."""

YOUTH = 1.2
"""What all bars are higher by at first, falling to 0 in days (see `pace.py`): the sample is small, the long means have
hardly moved, and much looks unusual."""

FATIGUE_STEP = 0.1
"""Each alarm raises the bar a little for two weeks, so that a series that is always noisy grows quiet."""


class Bars(NamedTuple):
    """What an alarm takes; the benchmark turns parts of the rule off by other values.

    Attributes
    ----------
    strong, lasting, supported, departed, wandered, youth
        See the constants; inf turns one off, 0 what values that wandered take more, and the youth.
    fatigue_step
        What an alarm adds to all bars for two weeks.
    uses_echo, uses_season, uses_novelty
        Whether the last alarm's surplus must be exceeded, yesterday's scores excuse today's, and a novel value undoes
        that.
    weekly_budget
        Alarms a week that the bars are moved for; 0 = they stay.
    uses_mean, rests
        Whether scores are compared with their own mean or with `COMMON`, and whether an alarm is followed by a rest.
    tells_once
        Whether what lasts makes one alarm, until it has been over.
    """

    strong: float = STRONG
    lasting: float = LASTING
    supported: float = SUPPORTED
    departed: float = DEPARTED
    wandered: float = WANDERED
    youth: float = YOUTH
    fatigue_step: float = FATIGUE_STEP
    weekly_budget: float = UNLIMITED
    uses_echo: bool = True
    uses_season: bool = True
    uses_novelty: bool = True
    uses_mean: bool = True
    rests: bool = True
    tells_once: bool = True


DEFAULT_BARS = Bars()


SENSITIVITY = 0.5
"""Between 0 and 1; the one that the bars were measured at."""


def bars_of(sensitivity: float, weekly_budget: float = UNLIMITED) -> Bars:
    """Return the bars of a sensitivity, twice the usual ones at 0, half of them at 1, that keep to a budget."""
    factor = 4.0 ** (SENSITIVITY - sensitivity)
    return Bars(
        strong=factor * STRONG,
        lasting=factor * LASTING,
        supported=factor * SUPPORTED,
        departed=factor * DEPARTED,
        wandered=factor * WANDERED,
        weekly_budget=weekly_budget,
    )
