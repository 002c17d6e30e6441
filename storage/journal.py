"""The journal: append-only logs whose entry n + 1 can be written only once, by whoever has read entry n.

An entry is bytes to this module. Ids are computed, entries are written with `create` and read back by id, which is
real-time and needs no refresh.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import orjson
from opensearchpy import OpenSearch

from storage.bulk import CONFLICT, Item, write
from storage.errors import Rejected
from storage.multi_get import multi_get
from storage.records import Entry
from storage.retry import Retry
from storage.translate import translate_errors

READ_AT_ONCE = 64
"""Entries a read fetches at once; of a partition with thousands of entities each is some tens of kilobytes."""


class Journal:
    """Logs in the index `<prefix>-journal`."""

    def __init__(self, client: OpenSearch, prefix: str, retry: Retry) -> None:
        self._client = client
        self._index = f"{prefix}-journal"
        self._retry = retry

    def append(self, entries: Sequence[Entry], now_ms: int) -> set[str]:
        """Write the next entry of several logs; return the logs whose next entry another writer has written.

        An entry that stands there with the same bytes is ours: a write whose answer was lost, tried again.
        """
        items = [
            Item("create", self._index, _id(entry.log, entry.sequence), _source(entry, now_ms))
            for entry in entries
        ]
        lost = set()
        for entry, outcome in zip(
            entries, write(self._client, items, self._retry, with_versions=False), strict=True
        ):
            if outcome.status == CONFLICT:
                if self._payloads([_id(entry.log, entry.sequence)]) != [entry.payload]:
                    lost.add(entry.log)
            elif not outcome.is_written:
                msg = f"the journal refused entry {entry.sequence} of {entry.log}: {outcome.reason}"
                raise Rejected(msg, status=outcome.status)
        return lost

    def read(self, log: str, after: int) -> Iterator[Entry]:
        """Yield the entries of a log from `after` + 1 up to the last one, in order."""
        sequence = after
        while True:
            wanted = [_id(log, sequence + 1 + offset) for offset in range(READ_AT_ONCE)]
            payloads = self._payloads(wanted)
            for payload in payloads:
                sequence += 1
                yield Entry(log, sequence, payload)
            if len(payloads) < READ_AT_ONCE:
                return

    def written_before(self, logs: Sequence[str], time_ms: int, most: int) -> list[tuple[str, int]]:
        """Return (log, sequence) of the oldest entries of `logs` written before `time_ms`; `most` is 10,000 at most."""
        filters = [{"terms": {"log": list(logs)}}, {"range": {"written_at": {"lt": time_ms}}}]
        body = {
            "size": most,
            "query": {"bool": {"filter": filters}},
            "sort": ["sequence"],
            "_source": ["log", "sequence"],
        }
        answer = self._retry(self._search, body)
        return [(hit["_source"]["log"], hit["_source"]["sequence"]) for hit in answer["hits"]["hits"]]

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        with translate_errors(self._index):
            answer: dict[str, Any] = self._client.search(index=self._index, body=body)
        return answer

    def delete(self, entries: Sequence[tuple[str, int]]) -> None:
        """Delete entries by log and sequence; one that is gone already counts as deleted."""
        items = [Item("delete", self._index, _id(log, sequence)) for log, sequence in entries]
        write(self._client, items, self._retry, with_versions=False)

    def _payloads(self, ids: list[str]) -> list[bytes]:
        """Return the payloads of entries up to the first that does not exist."""
        documents = multi_get(self._client, self._index, ids, self._retry)
        existing = takewhile(lambda document: document is not None, documents)
        return [b64decode(document["_source"]["entry"]) for document in existing if document]


def _id(log: str, sequence: int) -> str:
    return f"{log}~{sequence:012d}"


def _source(entry: Entry, now_ms: int) -> bytes:
    body = {
        "log": entry.log,
        "sequence": entry.sequence,
        "written_at": now_ms,
        "entry": b64encode(entry.payload).decode("ascii"),
    }
    return orjson.dumps(body)
