"""Commit markers and reports: small documents that say how far each partition has come.

A marker moves only forward and only from the version that was read (`if_seq_no`), so of two owners one learns that
it has lost the partition.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from opensearchpy import OpenSearch

from storage.bulk import CONFLICT, Item, write
from storage.errors import Rejected
from storage.multi_get import multi_get
from storage.records import Marker
from storage.retry import ONCE, Retry

MOST_HEARTBEATS = 1_440
"""Kept of one sidecar and detector: a day of windows of a minute."""


class StateStore:
    """Markers and reports in the index `<prefix>-state`."""

    def __init__(self, client: OpenSearch, prefix: str, retry: Retry) -> None:
        self._client = client
        self._index = f"{prefix}-state"
        self._retry = retry

    def markers(self, logs: Sequence[str]) -> dict[str, Marker]:
        """Return the markers that exist, by log."""
        documents = self._get([_marker_id(log) for log in logs])
        return {marker.log: marker for marker in map(_marker, documents)}

    def advance(self, markers: Sequence[Marker], now_ms: int) -> tuple[list[Marker], set[str]]:
        """Move markers forward: (markers as they stand now, logs whose marker somebody else has moved)."""
        items = [_item(self._index, marker, now_ms) for marker in markers]
        outcomes = write(self._client, items, self._retry)
        moved, lost = [], set()
        for marker, outcome in zip(markers, outcomes, strict=True):
            if outcome.status == CONFLICT:
                if not self._is_ours(marker):
                    lost.add(marker.log)
                    continue
                moved.append(self.markers([marker.log])[marker.log])
            elif not outcome.is_written:
                msg = f"the commit marker of {marker.log} was refused: {outcome.reason}"
                raise Rejected(msg, status=outcome.status)
            else:
                moved.append(marker._replace(version=(outcome.seq_no, outcome.primary_term)))
        return moved, lost

    def _is_ours(self, marker: Marker) -> bool:
        """Whether the marker that stands says the same: a write whose answer was lost, tried again."""
        standing = self.markers([marker.log]).get(marker.log)
        return standing is not None and standing._replace(version=marker.version) == marker

    def save_report(self, detector_id: str, report: Mapping[str, Any], now_ms: int, sidecar: int = 0) -> None:
        """Keep the report of a detector's last poll by a sidecar (the number of its lease), for `outrider status`.

        Beside it a heartbeat is written, the same as plain fields that can be searched; of a sidecar's heartbeats for
        a detector the last 1,440 are kept, one an interval. Tried once: the next poll has a newer one.
        """
        body = {
            "kind": "report",
            "detector_id": detector_id,
            "sidecar": sidecar,
            "updated_at": now_ms,
            "report": dict(report),
        }
        heartbeat = dict(report) | {key: body[key] for key in ("detector_id", "sidecar", "updated_at")}
        items = [
            Item("index", self._index, _report_id(detector_id, sidecar), orjson.dumps(body)),
            Item(
                "index",
                self._index,
                _heartbeat_id(detector_id, sidecar, report, now_ms),
                orjson.dumps(heartbeat | {"kind": "heartbeat"}),
            ),
        ]
        write(self._client, items, ONCE)

    def reports(self, detector_id: str, sidecars: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return the reports of a detector by sidecar; `updated_at` (epoch milliseconds) is added to each."""
        documents = self._get([_report_id(detector_id, sidecar) for sidecar in sidecars])
        sources = [document["_source"] for document in documents]
        return {
            source["sidecar"]: source["report"] | {"updated_at": source["updated_at"]} for source in sources
        }

    def _get(self, ids: list[str]) -> list[dict[str, Any]]:
        documents = multi_get(self._client, self._index, ids, self._retry)
        return [document for document in documents if document]


def _report_id(detector_id: str, sidecar: int) -> str:
    return f"report~{detector_id}~{sidecar:02d}"


def _heartbeat_id(detector_id: str, sidecar: int, report: Mapping[str, Any], now_ms: int) -> str:
    """Return an id that comes again after so many intervals, so that heartbeats do not pile up."""
    interval_ms = 1000 * max(1, int(report.get("interval_s", 1)))
    return f"heartbeat~{detector_id}~{sidecar:02d}~{now_ms // interval_ms % MOST_HEARTBEATS:04d}"


def _marker_id(log: str) -> str:
    return f"marker~{log}"


def _marker(document: Mapping[str, Any]) -> Marker:
    source = document["_source"]
    version = (document["_seq_no"], document["_primary_term"])
    return Marker(source["log"], source["sequence"], source["frontier"], source["n_entities"], version)


def _item(index: str, marker: Marker, now_ms: int) -> Item:
    body = {
        "kind": "marker",
        "log": marker.log,
        "sequence": marker.sequence,
        "frontier": marker.frontier_ms,
        "n_entities": marker.n_entities,
        "updated_at": now_ms,
    }
    source = orjson.dumps(body)
    if marker.version is None:
        return Item("create", index, _marker_id(marker.log), source)
    condition = {"if_seq_no": marker.version[0], "if_primary_term": marker.version[1]}
    return Item("index", index, _marker_id(marker.log), source, condition)
