"""What the checks need from a cluster; `storage.probe` has it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from storage.field_types import FieldTypes


class Probe(Protocol):
    """Read-only questions; each may raise a `storage.errors.StorageError`."""

    def field_types(self, indices: Sequence[str], fields: Sequence[str] = ("*",)) -> FieldTypes:
        """Return the types of fields; of all when none are named."""
        ...

    def search(self, indices: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
        """Run one search."""
        ...
