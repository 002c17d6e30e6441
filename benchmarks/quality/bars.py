"""What the default configuration has to reach, beside what was measured."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Bar(NamedTuple):
    """A figure that must be reached, and one that is aimed at.

    Attributes
    ----------
    what
        For people.
    case, metric
        The row of the benchmark.
    must, aim
        Inclusive bounds (lowest, highest) of its mean.
    """

    what: str
    case: str
    metric: str
    must: tuple[float, float]
    aim: tuple[float, float]


INFINITE = float("inf")


def least(must: float, aim: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return bounds of something that had better be high."""
    return (must, INFINITE), (aim, INFINITE)


def most(must: float, aim: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return bounds of something that had better be low."""
    return (0.0, must), (0.0, aim)


BARS = (
    Bar("NAB, standard profile", "nab", "standard_fixed", *least(73, 78)),
    Bar("NAB, low-FP profile", "nab", "low_fp_fixed", *least(67, 74)),
    Bar("New York taxi, windows hit", "taxi", "windows_hit", *least(5, 5)),
    Bar("New York taxi, events hit", "taxi", "events_hit", *least(5, 7)),
    Bar("New York taxi, false days", "taxi", "false_days", *most(1.5, 0)),
    Bar("five EC2 and RDS series, windows hit", "cloudwatch5", "windows_hit", *least(8.8, 10)),
    Bar("five EC2 and RDS series, false flags", "cloudwatch5", "false_flags", *most(4, 1)),
    Bar("machine temperature, windows hit", "machine temperature", "windows_hit", *least(3.8, 4)),
    Bar("machine temperature, false flags", "machine temperature", "false_flags", *most(6, 0)),
    Bar("seasonal traffic, recall", "seasonal", "recall", *least(0.9, 0.97)),
    Bar("seasonal traffic, false alarms a week", "seasonal", "false_per_week", *most(1, 0.1)),
    Bar("band, normal values inside (%), NAB", "band", "coverage", (93, 97), (93, 97)),
    Bar("band, seasonal traffic", "band, seasonal", "coverage", (93, 97), (93, 97)),
    Bar("band, clean noise", "band, clean noise", "coverage", (93, 97), (93, 97)),
    Bar(
        "clean noise, worst kind, alarms an entity in 4 weeks",
        "clean noise",
        "alarms_in_4_weeks_worst_kind",
        *most(1, 1 / 3),
    ),
)


def judged(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[Bar, dict[str, Any], str]]:
    """Yield each bar that was measured, its line, and `aim`, `must` or `not met`."""
    measured = {(line["case"], line["metric"]): line for line in lines}
    for bar in BARS:
        line = measured.get((bar.case, bar.metric))
        if line:
            is_in = [low <= line["ours"] <= high for low, high in (bar.aim, bar.must)]
            yield bar, line, "aim" if is_in[0] else "must" if is_in[1] else "not met"


def bounds(span: tuple[float, float]) -> str:
    """Return bounds as a person writes them."""
    low, high = span
    if high == INFINITE:
        return f"at least {low:g}"
    return f"at most {high:.3g}" if low == 0 else f"{low:g} to {high:g}"
