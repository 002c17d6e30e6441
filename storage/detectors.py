"""Which detectors run, with which settings, since when: one document a detector.

A generation is a set of models that belong together; it rises when the fingerprint changes (features, interval,
category fields, model settings). Other edits raise only the revision and keep the models.
"""

from collections.abc import Callable, Mapping
from typing import Any

from opensearchpy import OpenSearch

from storage.errors import Conflict
from storage.multi_get import multi_get
from storage.records import Registration
from storage.retry import Retry
from storage.translate import translate_errors


class DetectorStore:
    """Registrations in the index `<prefix>-detectors`."""

    def __init__(self, client: OpenSearch, prefix: str, retry: Retry) -> None:
        self._client = client
        self._index = f"{prefix}-detectors"
        self._retry = retry

    def register(
        self,
        detector_id: str,
        configuration: Mapping[str, Any],
        fingerprint: str,
        start_ms: Callable[[Registration | None], int],
        now_ms: int,
    ) -> Registration:
        """Return the registration of a detector, written first where it is new or has changed.

        Parameters
        ----------
        detector_id, configuration, fingerprint
            The detector as it is in its file.
        start_ms
            Called when a new generation begins, with the old registration or None: where the new one starts.
        now_ms
            Time of the change, epoch milliseconds.
        """
        standing, version = self._read(detector_id)
        wanted = self._next(standing, detector_id, dict(configuration), fingerprint, start_ms)
        if wanted == standing:
            return wanted
        try:
            self._write(wanted, version, now_ms)
        except Conflict:
            # Another process registered it between our read and our write: what stands there counts.
            return self.register(detector_id, configuration, fingerprint, start_ms, now_ms)
        return wanted

    def find(self, detector_id: str) -> Registration | None:
        """Return the registration of a detector as it stands, None when there is none."""
        return self._read(detector_id)[0]

    def renew(self, registration: Registration, start_ms: int, now_ms: int) -> Registration:
        """Begin a new generation of a detector whose models are lost; return it, or what stands there by now."""
        standing, version = self._read(registration.detector_id)
        if standing is None or standing.generation != registration.generation:
            return standing or registration
        renewed = standing._replace(generation=standing.generation + 1, start_ms=start_ms)
        self._write(renewed, version, now_ms)
        return renewed

    def find_all(self) -> list[Registration]:
        """Return all registrations, by name; those written in the last second may be missing.

        Before the first detector has run there is no index, and nothing is found.
        """
        body = {"size": 10_000, "query": {"match_all": {}}, "sort": ["detector_id"]}
        hits = self._retry(self._search, body)["hits"]["hits"]
        return [_registration(hit["_source"]) for hit in hits]

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        with translate_errors(self._index):
            answer: dict[str, Any] = self._client.search(
                index=self._index, body=body, ignore_unavailable=True
            )
        return answer

    def _next(
        self,
        standing: Registration | None,
        detector_id: str,
        configuration: dict[str, Any],
        fingerprint: str,
        start_ms: Callable[[Registration | None], int],
    ) -> Registration:
        if standing is None:
            return Registration(detector_id, 1, 1, start_ms(None), fingerprint, configuration)
        if standing.fingerprint != fingerprint:
            return Registration(
                detector_id,
                standing.generation + 1,
                standing.revision + 1,
                start_ms(standing),
                fingerprint,
                configuration,
            )
        if standing.configuration != configuration:
            return standing._replace(revision=standing.revision + 1, configuration=configuration)
        return standing

    def _read(self, detector_id: str) -> tuple[Registration | None, dict[str, int] | None]:
        document = multi_get(self._client, self._index, [detector_id], self._retry)[0]
        if document is None:
            return None, None
        version = {"if_seq_no": document["_seq_no"], "if_primary_term": document["_primary_term"]}
        return _registration(document["_source"]), version

    def _write(self, registration: Registration, version: dict[str, int] | None, now_ms: int) -> None:
        body = {
            "detector_id": registration.detector_id,
            "generation": registration.generation,
            "revision": registration.revision,
            "start_time": registration.start_ms,
            "fingerprint": registration.fingerprint,
            "configuration": registration.configuration,
            "changed_at": now_ms,
        }
        condition: dict[str, Any] = {"op_type": "create"} if version is None else dict(version)
        self._retry(self._index_once, registration.detector_id, body, condition)

    def _index_once(self, detector_id: str, body: dict[str, Any], condition: dict[str, Any]) -> None:
        with translate_errors(self._index):
            self._client.index(index=self._index, id=detector_id, body=body, **condition)


def _registration(source: Mapping[str, Any]) -> Registration:
    return Registration(
        source["detector_id"],
        source["generation"],
        source["revision"],
        source["start_time"],
        source["fingerprint"],
        source["configuration"],
    )
