"""Sizes on the command line: bytes with a unit."""

import re

import click

_UNITS = {"m": 2**20, "g": 2**30}


class Size(click.ParamType[int]):
    """A size such as 512m or 8g, in bytes; the units are powers of 1024."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a size; a wrong one ends the command with a hint."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([mg])", str(value).strip().lower())
        n_bytes = int(float(found[1]) * _UNITS[found[2]]) if found else 0
        if n_bytes < _UNITS["m"]:
            self.fail(
                f"{str(value)!r} is not a size: write a number with m or g, such as 512m or 8g", param, ctx
            )
        return n_bytes


SIZE = Size()
"""The type of options that take a size."""
