"""Wording: turns what the models refuse into sentences a user can act on.

The only place that knows pydantic's error types.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from detector.configuration.json_text import JsonPath
from detector.configuration.near_miss import near_miss
from detector.configuration.problem import quoted

_TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of at most 64 bits",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "none_required": "must be null",
}
"""pydantic's error type to the constraint, where the constraint is a type."""
_LISTS = ("list_type", "tuple_type")

Models = Mapping[str, type[BaseModel]]
"""The model that an object is read into, by the key under which the object (or the list of them) stands."""


def sentence(details: ErrorDetails, models: Models) -> str:
    """Return what is wrong, as the end of a sentence that begins with the JSON path."""
    kind, got, context = details["type"], quoted(details["input"]), details.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return _missing(details["loc"], models)
    if kind == "extra_forbidden":
        return _unknown(details["loc"], models)
    if kind in _LISTS:
        hint = f"; write [{got}]" if isinstance(details["input"], str) else ""
        return f"must be a list, got {got}{hint}"
    if kind in _TYPES:
        return f"{_TYPES[kind]}, got {got}"
    return f"{_bound(kind, context) or details['msg']}, got {got}"


def _bound(kind: str, context: Mapping[str, Any]) -> str | None:
    """Return the constraint that a number or text is beyond."""
    match kind:
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "greater_than":
            return f"must be more than {context['gt']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "string_too_long":
            return f"must be at most {context['max_length']} characters"
        case _:
            return None


def _missing(path: JsonPath, models: Models) -> str:
    """Say that a key is needed, and what for."""
    field = _model_at(path[:-1], models).model_fields[str(path[-1])]
    meaning = field.description or ""
    return f"is required: {meaning[:1].lower()}{meaning[1:]}"


def _unknown(path: JsonPath, models: Models) -> str:
    """Say that a key is not known, and which was probably meant."""
    known = [field.alias or name for name, field in _model_at(path[:-1], models).model_fields.items()]
    hint = near_miss(str(path[-1]), known)
    return f"is not a known key; {hint or 'remove it, or see `outrider schema` for the keys there are'}"


def _model_at(path: Sequence[str | int], models: Models) -> type[BaseModel]:
    """Return the model of the object at a path."""
    return models[next((part for part in reversed(path) if isinstance(part, str)), "")]
