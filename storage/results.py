"""The result index: documents by computed id, in monthly indices behind one alias.

The index of a document is a function of its window end, never of the moment of writing, so writing a window again
overwrites the same document. Knows nothing of what the documents say.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from opensearchpy import OpenSearch

from storage.bulk import CONFLICT, Item, write
from storage.records import Refusal, ResultDocument
from storage.retry import Retry
from storage.translate import translate_errors


class ResultStore:
    """Results behind the alias `<prefix>-results`."""

    def __init__(self, client: OpenSearch, prefix: str, retry: Retry) -> None:
        self._client = client
        self._alias = f"{prefix}-results"
        self._retry = retry

    def save(self, documents: Sequence[ResultDocument]) -> list[Refusal]:
        """Write documents; return those that the cluster refuses for good."""
        index_of = {
            end_ms: self.index_of(end_ms) for end_ms in {document.end_time_ms for document in documents}
        }
        items = [
            Item(
                "create" if document.only_new else "index",
                index_of[document.end_time_ms],
                document.id,
                document.source,
            )
            for document in documents
        ]
        outcomes = write(self._client, items, self._retry, with_versions=False)
        return [
            Refusal(position, outcome.reason)
            for position, (document, outcome) in enumerate(zip(documents, outcomes, strict=True))
            if not outcome.is_written and not (document.only_new and outcome.status == CONFLICT)
        ]

    def find(
        self,
        *,
        detector_id: str | None = None,
        min_grade: float | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        most: int = 100,
    ) -> list[dict[str, Any]]:
        """Return result documents, newest first; every condition that is not None must hold.

        Parameters
        ----------
        detector_id
            Of this detector.
        min_grade
            With a grade above 0 and at least this.
        since_ms, until_ms
            Whose window ends in (since, until], epoch milliseconds.
        most
            At most so many.
        """
        filters: list[dict[str, Any]] = []
        if detector_id is not None:
            filters.append({"term": {"detector_id": detector_id}})
        if min_grade is not None:
            bound = {"gte": min_grade} if min_grade > 0 else {"gt": 0}
            filters.append({"range": {"anomaly_grade": bound}})
        ends = {name: value for name, value in (("gt", since_ms), ("lte", until_ms)) if value is not None}
        if ends:
            filters.append({"range": {"data_end_time": ends | {"format": "epoch_millis"}}})
        body = {
            "size": most,
            "query": {"bool": {"filter": filters}},
            "sort": [{"data_end_time": "desc"}, {"anomaly_grade": {"order": "desc", "missing": "_last"}}],
        }
        return [hit["_source"] for hit in self._retry(self._search, body)["hits"]["hits"]]

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        with translate_errors(self._alias):
            answer: dict[str, Any] = self._client.search(
                index=f"{self._alias}-*", body=body, ignore_unavailable=True
            )
        return answer

    def index_of(self, end_time_ms: int) -> str:
        """Return the name of the index of the month, in UTC, in which a window ends."""
        month = datetime.fromtimestamp(end_time_ms / 1000, UTC)
        return f"{self._alias}-{month:%Y.%m}"
