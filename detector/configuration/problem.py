"""Problem: one thing that is wrong with a detector's file, and the error that carries all of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from detector.configuration.json_text import JsonPath, Position

MOST_CHARACTERS = 60
"""Of a value that is quoted in a message."""


class Problem(NamedTuple):
    """One complaint.

    Parameters
    ----------
    file
        The file, or None for a document that came from elsewhere.
    position
        Line and column, or None where the document has no text.
    path
        The part of the document.
    message
        Constraint, what was found, what to do; continues a sentence that begins with the path.
    """

    file: Path | None
    position: Position | None
    path: JsonPath
    message: str

    def __str__(self) -> str:
        """Return `file:line:column: path message`, without the parts that are not known."""
        place = [] if self.file is None else [str(self.file)]
        if self.position is not None:
            place += [str(self.position.line), str(self.position.column)]
        where = f"{':'.join(place)}: " if place else ""
        what = f"`{path_text(self.path)}` " if self.path else ""
        return f"{where}{what}{self.message}"


class ConfigError(ValueError):
    """Detector files cannot be used; `problems` says why, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def path_text(path: JsonPath) -> str:
    """Return a path as one writes it: `feature_attributes[0].feature_name`."""
    return "".join(map(_part_text, path)).removeprefix(".")


def _part_text(part: str | int) -> str:
    """Return one step of a path; a key that a terminal might obey is written as JSON."""
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isprintable() else f".{json.dumps(part)}"


def quoted(value: object) -> str:
    """Return a value as JSON, cut to a length that leaves the message one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
