"""Durations on the command line: a number and a unit, such as 90min, 6h or 7d."""

import re

import click

_UNITS_MS = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class Duration(click.ParamType[int]):
    """A duration above zero, as milliseconds."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a duration; a wrong one ends the command with a hint."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"\s*(\d{1,6})\s*(s|min|h|d)\s*", str(value))
        if found is None or int(found[1]) == 0:
            self.fail(f"{str(value)!r} is not a duration: write 90min, 6h or 7d (s, min, h, d)", param, ctx)
        return int(found[1]) * _UNITS_MS[found[2]]


DURATION = Duration()
"""The type of options that take a duration."""
