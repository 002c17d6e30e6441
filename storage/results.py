"""The result index: documents by computed id, in monthly indices behind one alias.

The index of a document is a function of its window end, never of the moment of writing, so writing a window again
overwrites the same document. Knows nothing of what the documents say.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from opensearchpy import OpenSearch

from storage.bulk import CONFLICT, Item, write
from storage.records import Refusal, ResultDocument
from storage.retry import Retry


class ResultStore:
    """Results behind the alias `<prefix>-results`."""

    def __init__(self, client: OpenSearch, prefix: str, retry: Retry) -> None:
        self._client = client
        self._alias = f"{prefix}-results"
        self._retry = retry

    def save(self, documents: Sequence[ResultDocument]) -> list[Refusal]:
        """Write documents; return those that the cluster refuses for good."""
        items = [
            Item(
                "create" if document.only_new else "index",
                self.index_of(document.end_time_ms),
                document.id,
                document.source,
            )
            for document in documents
        ]
        outcomes = write(self._client, items, self._retry)
        return [
            Refusal(position, outcome.reason)
            for position, (document, outcome) in enumerate(zip(documents, outcomes, strict=True))
            if not outcome.is_written and not (document.only_new and outcome.status == CONFLICT)
        ]

    def index_of(self, end_time_ms: int) -> str:
        """Return the name of the index of the month, in UTC, in which a window ends."""
        month = datetime.fromtimestamp(end_time_ms / 1000, UTC)
        return f"{self._alias}-{month:%Y.%m}"
