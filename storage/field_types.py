"""Types of fields in indices: a plain record, as `storage.probe` returns it."""

from typing import NamedTuple

UNMAPPED = "unmapped"
"""Stands in place of a type for the indices that do not know a field."""


class FieldTypes(NamedTuple):
    """What indices say about fields.

    Parameters
    ----------
    indices
        Names of the indices that were asked, ascending; data streams and aliases are resolved.
    types
        Field to type to the indices in which it has that type. A field that no index knows is left out.
    """

    indices: tuple[str, ...]
    types: dict[str, dict[str, tuple[str, ...]]]
