"""Names: the texts of a detector's configuration that must have a certain form, and lists of them."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from detector.configuration.near_miss import near_miss
from detector.configuration.problem import quoted

LONGEST_NAME = 64


class Profile(StrEnum):
    """Kinds of models."""

    MULTISCALE = "multiscale"
    TRCF = "trcf"


def _plain_name(name: str) -> str:
    """Refuse a name that cannot be part of an id."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name) or len(name) > LONGEST_NAME:
        msg = f"must be 1 to {LONGEST_NAME} letters (a-z, A-Z), digits, `.`, `_` or `-`, got {quoted(name)}"
        raise ValueError(msg)
    return name


def _not_blank(text: str) -> str:
    """Refuse a text of spaces only, and one with spaces around it."""
    if not text or text != text.strip():
        msg = f"must not be blank and must have no spaces around it, got {quoted(text)}"
        raise ValueError(msg)
    return text


def _one_index(name: str) -> str:
    """Refuse several names in one."""
    if "," in name or any(character.isspace() for character in name) or not name:
        msg = f"must be one index name, alias or pattern, got {quoted(name)}; give each its own list element"
        raise ValueError(msg)
    return name


def _zone_name(name: str) -> str:
    """Refuse a time zone that does not exist."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        hint = near_miss(name, available_timezones()) or 'use a name such as "Europe/Berlin"'
        msg = f"must be the name of a time zone, got {quoted(name)}; {hint}"
        raise ValueError(msg) from error
    return name


def _profile_name(name: str) -> str:
    """Refuse a profile that does not exist."""
    if name not in list(Profile):
        hint = near_miss(name, Profile) or f"there are {' and '.join(Profile)}"
        msg = f"must be the name of a profile, got {quoted(name)}; {hint}"
        raise ValueError(msg)
    return name


DetectorName = Annotated[str, AfterValidator(_plain_name)]
"""Name of a detector, part of every document id."""
FieldName = Annotated[str, AfterValidator(_not_blank)]
"""Name of a field in the documents that are read."""
IndexName = Annotated[str, AfterValidator(_one_index)]
"""An index, an alias or a pattern."""
ProfileName = Annotated[str, AfterValidator(_profile_name)]
"""Name of a kind of model."""
ZoneName = Annotated[str, AfterValidator(_zone_name)]
"""IANA name of a time zone."""


def refuse_repeated(what: str, names: Sequence[str]) -> None:
    """Refuse a list in which a name stands twice."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"must not repeat a {what}, got {', '.join(map(quoted, repeated))} more than once"
        raise ValueError(msg)


def refuse_one_key(names: Sequence[str]) -> None:
    """Refuse names that would be one key in the flat objects of a result, where a dot is written as `_`."""
    by_key: dict[str, str] = {}
    for name in names:
        other = by_key.setdefault(name.replace(".", "_"), name)
        if other != name:
            msg = f"must not hold both {quoted(other)} and {quoted(name)}, which results could not tell apart"
            raise ValueError(msg)
