"""One sentence that says why a window was flagged: what was seen, what was expected, what else took part."""

import math
from collections.abc import Sequence


def sentence(
    names: Sequence[str],
    values: Sequence[float],
    expected: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    contribution: Sequence[float],
) -> str:
    """Return the reason of an alarm in words.

    All sequences have one element a feature; NaN stands for what is not known. The features are told in the order
    of their contribution; one that contributed less than a tenth is left out.
    """
    order = sorted(range(len(names)), key=lambda index: -_zero_if_nan(contribution[index]))
    told = [index for index in order if index == order[0] or _zero_if_nan(contribution[index]) >= 0.1]
    return "; ".join(_clause(names[i], values[i], expected[i], lower[i], upper[i]) for i in told)


def _clause(name: str, value: float, expected: float, lower: float, upper: float) -> str:
    if math.isnan(value):
        return f"{name} is missing"
    if math.isnan(expected):
        return f"{name} is {number_text(value)}, nothing to compare it with yet"
    band = f"usually {number_text(lower)} to {number_text(upper)}"
    if lower <= value <= upper:
        return f"{name} is {number_text(value)}, within its usual range but in an unusual pattern ({band})"
    direction = "above" if value > expected else "below"
    return f"{name} is {number_text(value)}, {direction} the expected {number_text(expected)} ({band})"


def number_text(value: float) -> str:
    """Return a number as a person would write it: four significant digits, thousands separated."""
    if value == 0 or 1e-3 <= abs(value) < 1e15:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3e}"


def _zero_if_nan(number: float) -> float:
    return 0.0 if math.isnan(number) else number
