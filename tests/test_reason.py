"""Reasons: sentences that a person would write."""

from math import inf, nan

import pytest

from detector.comparison import compared_with, duration_text, season_of, trait_text
from detector.model import routine
from detector.model.transform import LONG_MEAN, RESIDUAL_MEAN
from detector.reason import AT_ONCE, SIDES, Seen, Wording, direction, number_text, sentence

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LAST, FOUR, SIXTEEN, SIXTY_FOUR, SEASON, COURSE = range(1, 7)
HIGH, LOW = 1, 2


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (39_197.0, "39,197"),
        (12.5, "12.5"),
        (99.98765, "99.99"),
        (0.002, "0.002"),
        (-4.25, "-4.25"),
        (1e-9, "1.000e-09"),
        (1.5e18, "1.500e+18"),
    ],
)
def test_numbers_read_as_a_person_writes_them(number, text):
    """Four digits that count, thousands separated, no noise behind the point."""
    assert number_text(number) == text


def tell(
    names,
    values,
    expected,
    lower,
    upper,
    *,
    share=None,
    basis=None,
    departed=0,
    routine=nan,
    trait=0,
    lasted_ms=0,
    interval_ms=5 * MINUTE_MS,
    is_silent=False,
):
    """Return the sentence about features, each with its numbers in lists."""
    share = [1.0] * len(names) if share is None else share
    basis = [SEASON] * len(names) if basis is None else basis
    told = [departed] * len(names), [routine] * len(names), [trait] * len(names)
    seen = Seen(values, expected, lower, upper, share, basis, *told, lasted_ms, is_silent)
    wording = Wording(
        lambda code: compared_with(code, interval_ms),
        lambda code: trait_text(code, interval_ms),
        duration_text,
        season_of(interval_ms),
    )
    return sentence(names, seen, wording)


CASES = {
    "twice and more": (
        tell(["requests"], [1204.0], [310.0], [250.0], [380.0]),
        "requests is 1,204, 3.9 times the 310 expected from this time yesterday (usually 250 to 380)",
    ),
    "a little above": (
        tell(["latency"], [81.25], [62.0], [55.0], [70.0], basis=[FOUR]),
        "latency is 81.25, above the 62 expected from the last 20 minutes (usually 55 to 70)",
    ),
    "below": (
        tell(["free memory"], [2.0], [9.0], [8.0], [10.0], basis=[SIXTY_FOUR]),
        "free memory is 2, below the 9 expected from the last 5 hours (usually 8 to 10)",
    ),
    "dropped": (
        tell(["orders"], [0.0], [42.0], [30.0], [55.0], basis=[COURSE]),
        "orders has dropped to 0 from the 42 expected from the course of yesterday (usually 30 to 55)",
    ),
    "silent": (
        tell(["logins"], [0.0], [12.0], [4.0], [20.0], basis=[SIXTEEN], is_silent=True),
        "no documents: logins has dropped to 0 from the 12 expected from the last 80 minutes (usually 4 to 20)",
    ),
    "after a constant": (
        tell(["replicas"], [2.0], [3.0], [3.0], [3.0], basis=[LAST]),
        "replicas is 2, below the 3 expected from the 5 minutes before (usually 3)",
    ),
    "several": (
        tell(
            ["cpu", "errors", "disk"],
            [50, 2, 7],
            [80, 9, 7],
            [70, 8, 6],
            [90, 10, 8],
            share=[0.3, 0.65, 0.05],
        ),
        (
            "errors is 2, below the 9 expected from this time yesterday (usually 8 to 10); "
            "cpu is 50, below the 80 expected from this time yesterday (usually 70 to 90)"
        ),
    ),
    "a pattern": (
        tell(["load"], [5.0], [5.5], [4.0], [7.0]),
        "load is 5, within its usual range (4 to 7), but the pattern is unusual",
    ),
    "hours that are low": (
        tell(["load"], [5.0], [5.5], [4.0], [7.0], trait=LOW + 2 * LONG_MEAN, lasted_ms=7 * HOUR_MS),
        (
            "unusual for 7 hours: load is 5, within its usual range (4 to 7), "
            "but its mean over the last 5 hours is unusually low"
        ),
    ),
    "high where it was low yesterday": (
        tell(["load"], [5.0], [5.5], [4.0], [7.0], trait=HIGH + 2 * RESIDUAL_MEAN, interval_ms=HOUR_MS),
        "load is 5, within its usual range (4 to 7), but over the last 16 hours unusually high for the time of day",
    ),
    "a value the day has had, but not here": (
        tell(["load"], [5.0], [5.5], [4.0], [7.0], trait=HIGH),
        "load is 5, within its usual range (4 to 7), but unusually high among its values of late",
    ),
    "silent for hours": (
        tell(
            ["logins"], [0.0], [12.0], [4.0], [20.0], basis=[SIXTEEN], is_silent=True, lasted_ms=2 * HOUR_MS
        ),
        (
            "no documents, unusual for 2 hours: "
            "logins has dropped to 0 from the 12 expected from the last 80 minutes (usually 4 to 20)"
        ),
    ),
    "a job that did not come": (
        tell(["rows"], [2.0], [2.5], [1.0], [90.0], departed=1, routine=81.25),
        "rows is 2, below the 81.25 it has at this time of day, further than ever before",
    ),
    "a level that does not fit the day": (
        tell(["load"], [5.0], [5.5], [4.0], [7.0], departed=2, routine=4.5),
        "load is 5 and has for a while been above the routine of its day, further than ever before",
    ),
    "a day that does not fit the week": (
        tell(["sales"], [90.0], [88.0], [40.0], [120.0], departed=3, routine=111.0, interval_ms=DAY_MS),
        "sales is 90 and has for a while been below the routine of its week, further than ever before",
    ),
    "outside its range and its routine": (
        tell(["logins"], [90.0], [41.0], [30.0], [55.0], departed=1, routine=40.0, basis=[FOUR]),
        "logins is 90, 2.2 times the 41 expected from the last 20 minutes (usually 30 to 55)",
    ),
    "daily data": (
        tell(["sales"], [900.0], [500.0], [450.0], [560.0], interval_ms=DAY_MS),
        "sales is 900, above the 500 expected from the same day last week (usually 450 to 560)",
    ),
    "missing beside another": (
        tell(
            ["p95", "requests"],
            [nan, 3.0],
            [5.5, nan],
            [4.0, nan],
            [7.0, nan],
            share=[0.5, 0.4],
            basis=[1, 0],
        ),
        "p95 is missing; requests is 3, nothing to compare it with yet",
    ),
    "negative": (
        tell(["balance"], [-40.0], [-5.0], [-9.0], [0.0], basis=[LAST], interval_ms=1_000),
        "balance is -40, below the -5 expected from the second before (usually -9 to 0)",
    ),
    "enormous": (
        tell(["bytes"], [1e300], [1e-300], [0.0], [2e-300], basis=[FOUR], interval_ms=HOUR_MS),
        "bytes is 1.000e+300, far above the 1.000e-300 expected from the last 4 hours (usually 0 to 2.000e-300)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_reasons_read_as_a_person_would_write_them(case):
    """What was seen, what was expected and from what, and the usual range."""
    comp, ref = CASES[case]
    assert comp == ref


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [
        (1_000, "second"),
        (90_000, "90 seconds"),
        (MINUTE_MS, "minute"),
        (80 * MINUTE_MS, "80 minutes"),
        (HOUR_MS, "hour"),
        (64 * HOUR_MS, "3 days"),
        (16 * HOUR_MS, "16 hours"),
        (DAY_MS, "day"),
        (7 * DAY_MS, "7 days"),
        (500, "0.5 seconds"),
    ],
)
def test_lengths_of_time_are_whole_units(length_ms, text):
    """Of the largest unit that there are two of."""
    assert duration_text(length_ms) == text


@pytest.mark.parametrize(
    ("basis", "interval_ms", "text"),
    [
        (0, HOUR_MS, ""),
        (LAST, HOUR_MS, "the hour before"),
        (SEASON, HOUR_MS, "this time yesterday"),
        (SEASON, 8 * HOUR_MS, "this time last week"),
        (COURSE, DAY_MS, "the course of last week"),
        (COURSE, 10_000, "the course of yesterday"),
    ],
)
def test_what_was_compared_with_follows_from_basis_and_interval(basis, interval_ms, text):
    """A season is a day, for long windows a week."""
    assert compared_with(basis, interval_ms) == text


def test_a_direction_is_a_side_of_the_expected_value():
    """None where the two are equal, or one is not known."""
    assert [direction(*pair) for pair in ((2, 1), (1, 2), (1, 1), (nan, 1), (1, nan), (inf, 1))] == [
        "above", "below", None, None, None, "above",
    ]  # fmt: skip


def test_codes_of_departures_are_those_of_the_routine():
    """Reasons know them by number."""
    assert routine.AT_ONCE == AT_ONCE
    assert {routine.LASTING_ABOVE: "above", routine.LASTING_BELOW: "below"} == SIDES
