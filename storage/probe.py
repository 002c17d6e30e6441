"""Probe: read-only questions about indices, for checks before anything runs.

Returns facts; what they mean for a detector is not known here. Needs no privilege beyond those for searching.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from opensearchpy import OpenSearch

from storage.field_types import FieldTypes
from storage.retry import Retry
from storage.search import Search
from storage.translate import translate_errors

TIME_LIMIT = timedelta(seconds=20)
"""A person waits for the answers."""
LONGEST_LIST = 2_000
"""Bytes of field names a request: they stand in its first line, of which a node reads 4,096, as do the indices."""


class Probe:
    """Asks one cluster.

    Parameters
    ----------
    client
        From `storage.client.connect`.
    """

    def __init__(self, client: OpenSearch) -> None:
        self._client = client
        self._search = Search(
            client, retry=Retry(n_attempts=2), time_limit=TIME_LIMIT, opaque_id="outrider validate"
        )

    def field_types(self, indices: Sequence[str], fields: Sequence[str] = ("*",)) -> FieldTypes:
        """Return the types of fields; of all fields but OpenSearch's own, such as `_source`, when none are named.

        Raises
        ------
        MissingIndex
            When an index does not exist or a pattern matches nothing.
        """
        asked: tuple[str, ...] = ()
        types: dict[str, dict[str, tuple[str, ...]]] = {}
        for part in _parts(fields):
            with translate_errors(index=",".join(indices)):
                answer = self._client.field_caps(
                    index=list(indices),
                    fields=part,
                    allow_no_indices=False,
                    ignore_unavailable=False,
                    include_unmapped=True,
                )
            asked = tuple(sorted(answer["indices"]))
            types |= {
                field: {kind: tuple(facts.get("indices", asked)) for kind, facts in by_type.items()}
                for field, by_type in answer["fields"].items()
                if field in part or not _is_own(by_type)
            }
        return FieldTypes(asked, types)

    def search(self, indices: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
        """Run one search; arguments and errors as for `storage.search.Search.body`."""
        return self._search.body(indices, body)


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the names in lists that a request can hold."""
    part: list[str] = []
    length = 0
    for name in names:
        more = len(quote(f"{name},", safe=""))
        if part and length + more > LONGEST_LIST:
            yield part
            part, length = [], 0
        part.append(name)
        length += more
    yield part


def _is_own(by_type: Mapping[str, Any]) -> bool:
    """Say whether this is a field of OpenSearch itself, such as `_source`, whose type is its name."""
    return all(kind.startswith("_") for kind in by_type)
