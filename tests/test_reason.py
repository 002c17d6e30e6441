"""Reasons: sentences that a person would write."""

from math import nan

import pytest

from detector.reason import number_text, sentence


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


def test_one_metric_is_told_with_expectation_and_band():
    """Value, direction, expected and the usual range."""
    comp = sentence(["requests"], [1204.0], [310.0], [250.0], [380.0], [1.0])
    assert comp == "requests is 1,204, above the expected 310 (usually 250 to 380)"


def test_the_metric_that_contributed_most_comes_first_and_bystanders_are_left_out():
    """The order is that of contribution; below a tenth it is not told."""
    comp = sentence(
        ["cpu", "errors", "disk"], [50, 2, 7], [80, 9, 7], [70, 8, 6], [90, 10, 8], [0.3, 0.65, 0.05]
    )
    assert comp == (
        "errors is 2, below the expected 9 (usually 8 to 10); cpu is 50, below the expected 80 (usually 70 to 90)"
    )


def test_a_value_inside_its_band_is_called_a_pattern():
    """An alarm can come from how values follow each other."""
    comp = sentence(["load"], [5.0], [5.5], [4.0], [7.0], [1.0])
    assert comp == "load is 5, within its usual range but in an unusual pattern (usually 4 to 7)"


def test_what_is_missing_is_said():
    """NaN as value or expectation."""
    assert sentence(["load"], [nan], [5.5], [4.0], [7.0], [nan]) == "load is missing"
    assert (
        sentence(["load"], [3.0], [nan], [nan], [nan], [1.0]) == "load is 3, nothing to compare it with yet"
    )
