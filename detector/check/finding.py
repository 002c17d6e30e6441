"""Finding: one answer to one question about a detector, and what to do about it."""

from enum import StrEnum
from typing import NamedTuple

from detector.configuration.json_text import JsonPath


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """It runs, but perhaps not as meant."""
    ERROR = "error"
    """It would not run, or find nothing."""


class Finding(NamedTuple):
    """One answer.

    Parameters
    ----------
    level
        How much it matters.
    path
        The part of the detector's JSON it is about.
    message
        What was found and, unless all is well, what to do.
    """

    level: Level
    path: JsonPath
    message: str


def ok(path: JsonPath, message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Level.OK, path, message)


def warning(path: JsonPath, message: str) -> Finding:
    """Return a finding that something may not be as meant."""
    return Finding(Level.WARNING, path, message)


def error(path: JsonPath, message: str) -> Finding:
    """Return a finding that something must be mended."""
    return Finding(Level.ERROR, path, message)
