"""JSON text: its value, and where in the text each part stands.

So that every complaint about a file can name line and column. Knows nothing of detectors.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from math import isfinite
from typing import NamedTuple, NoReturn

JsonPath = tuple[str | int, ...]
"""Keys and list positions from the top of a document down to one of its parts."""

_SPACE = " \t\n\r"


class Position(NamedTuple):
    """A place in a text; both numbers count from 1."""

    line: int
    column: int


class JsonText(NamedTuple):
    """A parsed document.

    Parameters
    ----------
    value
        What the text says.
    positions
        Where each part stands: a member of an object at its key, an element of a list at its value.
    duplicates
        Keys given more than once in one object, at their second place.
    """

    value: object
    positions: dict[JsonPath, Position]
    duplicates: list[tuple[JsonPath, Position]]


class JsonSyntaxError(ValueError):
    """The text is not JSON; `position` says where it stops being so."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.position = position


def parse_json(text: str) -> JsonText:
    """Return the value of a text and the places of its parts.

    Raises
    ------
    JsonSyntaxError
        If the text is not JSON in the strict sense (NaN and Infinity are not), or holds a number beyond 64 bits.
    """
    places = _Places(text)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
        places.walk()
    except JsonSyntaxError:
        raise
    except JSONDecodeError as error:
        msg = f"is not valid JSON: {error.msg}"
        raise JsonSyntaxError(msg, Position(error.lineno, error.colno)) from error
    except _ConstantError as error:
        msg = f"is not valid JSON: {error} is not a number there"
        raise JsonSyntaxError(msg, places.at(text.find(str(error)))) from error
    except RecursionError as error:
        msg = "is nested too deeply for a detector"
        raise JsonSyntaxError(msg, Position(1, 1)) from error
    except UnicodeEncodeError as error:
        msg = f"is not valid text: it holds {error.object[error.start]!r}, half of a character"
        raise JsonSyntaxError(msg, Position(1, 1)) from error
    except ValueError as error:
        msg = "is not valid JSON for a detector: a number in it has thousands of digits"
        raise JsonSyntaxError(msg, Position(1, 1)) from error
    return JsonText(value, places.positions, places.duplicates)


class _ConstantError(ValueError):
    """NaN, Infinity or -Infinity, which Python reads and JSON does not know."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _fits(value: object) -> bool:
    """Say whether a value can be sent on: a cluster and our own writer know numbers of 64 bits only."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return not isinstance(value, float) or isfinite(value)


class _Places:
    """Walks once over a text that is known to be JSON and notes where things stand."""

    def __init__(self, text: str) -> None:
        self.positions: dict[JsonPath, Position] = {}
        self.duplicates: list[tuple[JsonPath, Position]] = []
        self._text = text
        self._decode = JSONDecoder().raw_decode
        self._line_starts = [0, *(k + 1 for k, character in enumerate(text) if character == "\n")]

    def at(self, offset: int) -> Position:
        """Return line and column of an offset."""
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def walk(self) -> None:
        """Fill `positions` and `duplicates`."""
        start = self._skip(0)
        self.positions[()] = self.at(start)
        self._value(start, ())

    def _skip(self, offset: int) -> int:
        """Return the offset of the next character that is no space."""
        while self._text[offset] in _SPACE:
            offset += 1
        return offset

    def _value(self, offset: int, path: JsonPath) -> int:
        """Walk over one value and return the offset behind it."""
        if self._text[offset] == "{":
            return self._object(offset, path)
        if self._text[offset] == "[":
            return self._list(offset, path)
        value, end = self._decode(self._text, offset)
        if not _fits(value):
            msg = f"is not valid JSON for a detector: {self._text[offset:end]:.40} is beyond the numbers of 64 bits"
            raise JsonSyntaxError(msg, self.at(offset))
        return end

    def _object(self, offset: int, path: JsonPath) -> int:
        for start in self._elements(offset, "}"):
            key, end = self._decode(self._text, start)
            below = (*path, key)
            if below in self.positions:
                self.duplicates.append((below, self.at(start)))
            self.positions[below] = self.at(start)
            colon = self._skip(end)
            self._behind = self._value(self._skip(colon + 1), below)
        return self._behind

    def _list(self, offset: int, path: JsonPath) -> int:
        for k, start in enumerate(self._elements(offset, "]")):
            self.positions[(*path, k)] = self.at(start)
            self._behind = self._value(start, (*path, k))
        return self._behind

    def _elements(self, offset: int, closing: str) -> Iterator[int]:
        """Yield where each element begins; whoever iterates notes in `_behind` where it ended."""
        offset = self._skip(offset + 1)
        while self._text[offset] != closing:
            yield offset
            offset = self._skip(self._behind)
            if self._text[offset] == ",":
                offset = self._skip(offset + 1)
        self._behind = offset + 1
