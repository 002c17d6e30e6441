"""One sentence that says why a window was flagged: what was seen, what was expected and from what, what took part."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

OF_NOTE = 0.1
"""Share of an alarm from which a feature is told; a smaller part is a bystander."""

TIMES_FROM = 2.0
"""A value so many times the expected one is told by the ratio."""

NEVER_SO_FAR = "further than ever before"

AT_ONCE = 1
SIDES = {2: "above", 3: "below"}
"""Codes of departures: of this value; of the last dozen of them, to one side. Those of `detector.model.routine` once
more, held together by a test: who reads results must not wait for the compiler of kernels."""


class Seen(NamedTuple):
    """What a window held; sequences have one element a feature, NaN = not known.

    Attributes
    ----------
    values, expected, lower, upper
        Values, what was expected of them, and the two ends of the band.
    contribution
        Share of each feature in the alarm.
    basis
        What each expectation was made from, codes as in `ScoredBlock.basis`.
    departed, routine
        What departed from the routine of each feature further than ever before, codes as in `ScoredBlock.departed`, and
        what its value is by that routine.
    trait
        What is unusual about each feature, codes as in `ScoredBlock.trait`.
    lasted_ms
        For how long it has been so, in milliseconds; 0 = it has not lasted.
    is_silent
        Whether there was no document at all.
    """

    values: Sequence[float]
    expected: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]
    contribution: Sequence[float]
    basis: Sequence[int]
    departed: Sequence[int]
    routine: Sequence[float]
    trait: Sequence[int]
    lasted_ms: int = 0
    is_silent: bool = False


class Wording(NamedTuple):
    """What windows of a length are compared with, in words.

    Attributes
    ----------
    compared_with
        Puts a basis into words, such as "the last 20 minutes".
    what_is_odd
        Puts a trait into words, such as "its mean over the last 20 minutes is unusually low".
    duration
        Puts a length of time in milliseconds into words.
    season
        What repeats itself, "day" or "week".
    """

    compared_with: Callable[[int], str]
    what_is_odd: Callable[[int], str]
    duration: Callable[[int], str]
    season: str


def sentence(names: Sequence[str], seen: Seen, wording: Wording) -> str:
    """Return the reason of an alarm in words.

    The features are told in the order of their contribution; one that contributed less than a tenth is left out.
    """
    order = sorted(range(len(names)), key=lambda index: -_zero_if_nan(seen.contribution[index]))
    told = [
        index for index in order if index == order[0] or _zero_if_nan(seen.contribution[index]) >= OF_NOTE
    ]
    clauses = "; ".join(_clause(names[index], seen, index, wording) for index in told)
    before = ["no documents"] if seen.is_silent else []
    if seen.lasted_ms > 0:
        before.append(f"unusual for {wording.duration(seen.lasted_ms)}")
    return f"{', '.join(before)}: {clauses}" if before else clauses


def _clause(name: str, seen: Seen, index: int, wording: Wording) -> str:
    value, expected = seen.values[index], seen.expected[index]
    lower, upper = seen.lower[index], seen.upper[index]
    if math.isnan(value):
        return f"{name} is missing"
    shown = number_text(value)
    if math.isnan(expected):
        return f"{name} is {shown}, nothing to compare it with yet"
    usual = _range_text(lower, upper)
    if lower <= value <= upper:
        return _within(name, seen, index, usual, wording)
    basis = wording.compared_with(seen.basis[index])
    source = (
        f"{number_text(expected)} expected from {basis}" if basis else f"{number_text(expected)} expected"
    )
    if value == 0.0 and lower > 0.0:
        return f"{name} has dropped to 0 from the {source} (usually {usual})"
    if expected > 0.0 and value / expected >= TIMES_FROM:
        return f"{name} is {shown}, {_times_text(value / expected)} the {source} (usually {usual})"
    return f"{name} is {shown}, {direction(value, expected)} the {source} (usually {usual})"


def _within(name: str, seen: Seen, index: int, usual: str, wording: Wording) -> str:
    """Return what is unusual about a value that is nothing unusual after the ones before it."""
    value, routine, departed = seen.values[index], seen.routine[index], seen.departed[index]
    shown = number_text(value)
    if departed == AT_ONCE:
        where = f"{direction(value, routine) or 'off'} the {number_text(routine)}"
        return f"{name} is {shown}, {where} it has at this time of {wording.season}, {NEVER_SO_FAR}"
    if departed in SIDES:
        side = SIDES[departed]
        where = f"{side} the routine of its {wording.season}"
        return f"{name} is {shown} and has for a while been {where}, {NEVER_SO_FAR}"
    return (
        f"{name} is {shown}, within its usual range ({usual}), but {wording.what_is_odd(seen.trait[index])}"
    )


def direction(value: float, expected: float) -> str | None:
    """Return on which side of the expected value a value lies, "above" or "below"; None = neither, or not known."""
    if value == expected or math.isnan(value) or math.isnan(expected):
        return None
    return "above" if value > expected else "below"


def _range_text(lower: float, upper: float) -> str:
    low, high = number_text(lower), number_text(upper)
    return low if low == high else f"{low} to {high}"


def _times_text(ratio: float) -> str:
    """Return a ratio as a person would say it."""
    if ratio < 10:
        return f"{number_text(round(ratio, 1))} times"
    return f"{number_text(float(f'{ratio:.2g}'))} times" if ratio < 1e4 else "far above"


def number_text(value: float) -> str:
    """Return a number as a person would write it: four significant digits, thousands separated."""
    if value == 0 or 1e-3 <= abs(value) < 1e15:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3e}"


def _zero_if_nan(number: float) -> float:
    return 0.0 if math.isnan(number) else number
