"""Moments on the command line and in what it prints: always UTC."""

from datetime import UTC, datetime

import click


class Moment(click.ParamType[int]):
    """A moment in ISO 8601 as epoch milliseconds; without an offset it is taken as UTC."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a moment; a wrong one ends the command with a hint."""
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError:
            self.fail(
                f"{str(value)!r} is not a moment: write 2026-01-31, 2026-01-31T08:00 or 2026-01-31T08:00:00Z "
                "(UTC unless it says otherwise, such as +02:00)",
                param,
                ctx,
            )
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


MOMENT = Moment()
"""The type of options that take a moment."""


def moment_text(time_ms: int) -> str:
    """Return a moment as people write it: to the minute, or to the second where that says more."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"


def iso_text(time_ms: int) -> str:
    """Return a moment in ISO 8601, for machines and spreadsheets."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
