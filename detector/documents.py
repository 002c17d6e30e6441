"""From scored windows to result documents: the plugin's field names, and flat fields for ordinary dashboards.

Knows no store and no model; Python-level work per entity happens here, at the edge. The time of scoring enters as
an argument and touches only the two execution times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from detector.partition import ScoredEntry
from detector.reason import sentence
from detector.roster import Entity, Roster, result_key
from features.windows import Interval

RESULT_SCHEMA_VERSION = 1
STATUS = ("absent", "warming_up", "scored")
"""Words for the codes of `ScoredBlock.status`."""


class Document(NamedTuple):
    """A result document ready to be written.

    Attributes
    ----------
    id
        Window end and key of the series: writing the window again overwrites the document.
    end_time_ms
        Window end, of which the index is a function.
    source
        The document as JSON.
    only_new
        Whether a document of this id that exists already stays (history never rewrites a live result).
    is_anomaly
        Whether its grade is above 0.
    """

    id: str
    end_time_ms: int
    source: bytes
    only_new: bool
    is_anomaly: bool


@dataclass(frozen=True)
class DocumentMaker:
    """What the documents of one detector have in common."""

    detector_id: str
    generation: int
    interval: Interval
    category_fields: tuple[str, ...]
    feature_names: tuple[str, ...]
    feature_ids: tuple[str, ...]
    run_id: str = "live"

    def documents(self, roster: Roster, scored_entry: ScoredEntry, now_ms: int) -> Iterator[Document]:
        """Yield one document for each window in which an entity had data."""
        entry, scored = scored_entry.entry, scored_entry.scored
        columns = _Columns(scored_entry)
        starts = [self.interval.previous(int(end)) for end in entry.end_times_ms]
        ends = entry.end_times_ms.tolist()
        execution = {"execution_start_time": now_ms, "execution_end_time": now_ms}
        for index, row in enumerate(entry.rows.tolist()):
            common = self._entity_fields(roster.entities[row])
            key = result_key(self.detector_id, self.run_id, self.generation, roster.entities[row])
            for window in np.flatnonzero(scored.status[:, index]).tolist():
                end = ends[window]
                times = {"data_start_time": starts[window], "data_end_time": end}
                body = common | times | execution | self._scored_fields(columns, window, index)
                is_anomaly = body.get("is_anomaly", False)
                yield Document(
                    f"{end:013d}-{key}", end, orjson.dumps(body), entry.kind == "history", is_anomaly
                )

    def _entity_fields(self, entity: Entity) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "detector_id": self.detector_id,
            "schema_version": RESULT_SCHEMA_VERSION,
            "generation": self.generation,
            "run_id": self.run_id,
            "model_id": result_key(self.detector_id, "model", self.generation, entity),
        }
        if self.category_fields:
            pairs = sorted(zip(self.category_fields, entity, strict=True))
            fields["entity"] = [{"name": name, "value": value} for name, value in pairs]
            fields["entity_attributes"] = {flat_name(name): value for name, value in pairs}
            fields["entity_key"] = ", ".join(f"{name}={value}" for name, value in pairs)
        return fields

    def _scored_fields(self, columns: "_Columns", window: int, index: int) -> dict[str, Any]:
        values = columns.values[window][index]
        status = columns.status[window][index]
        grade = columns.grade[window][index]
        fields: dict[str, Any] = {
            "status": STATUS[status],
            "feature_data": self._by_id(values),
            "value": self._flat(values),
            "expected": self._flat(columns.expected[window][index]),
            "lower": self._flat(columns.lower[window][index]),
            "upper": self._flat(columns.upper[window][index]),
        }
        if STATUS[status] == "scored":
            fields |= {
                "anomaly_score": columns.score[window][index],
                "anomaly_grade": grade,
                "confidence": columns.confidence[window][index],
                "threshold": columns.threshold[window][index],
                "is_anomaly": grade > 0,
            }
        return fields | self._alarm_fields(columns, window, index) if grade > 0 else fields

    def _alarm_fields(self, columns: "_Columns", window: int, index: int) -> dict[str, Any]:
        contribution = columns.contribution[window][index]
        expected = columns.expected[window][index]
        return {
            "relevant_attribution": self._by_id(contribution),
            "expected_values": [{"likelihood": 1.0, "value_list": self._by_id(expected)}],
            "contribution": self._flat(contribution),
            "reason": sentence(
                self.feature_names,
                columns.values[window][index],
                expected,
                columns.lower[window][index],
                columns.upper[window][index],
                contribution,
            ),
        }

    def _by_id(self, numbers: list[float]) -> list[dict[str, Any]]:
        """Return numbers in the plugin's nested form; what is missing is left out."""
        named = zip(self.feature_ids, self.feature_names, numbers, strict=True)
        return [
            {"feature_id": feature_id, "feature_name": name, "data": number}
            for feature_id, name, number in named
            if number == number  # noqa: PLR0124 - NaN is the one number that differs from itself
        ]

    def _flat(self, numbers: list[float]) -> dict[str, float | None]:
        return dict(zip(map(flat_name, self.feature_names), numbers, strict=True))


class _Columns:
    """The columns of a scored entry as nested lists: ten times faster to pick single numbers from than arrays."""

    def __init__(self, scored_entry: ScoredEntry) -> None:
        scored = scored_entry.scored
        self.values = scored_entry.entry.values.tolist()
        self.status = scored.status.tolist()
        self.score = scored.score.tolist()
        self.grade = scored.grade.tolist()
        self.confidence = scored.confidence.tolist()
        self.threshold = scored.threshold.tolist()
        self.expected = scored.expected.tolist()
        self.lower = scored.lower.tolist()
        self.upper = scored.upper.tolist()
        self.contribution = scored.contribution.tolist()


def flat_name(name: str) -> str:
    """Return a name as a key of a flat object: a dot would make the cluster nest it."""
    return name.replace(".", "_")


def error_document(document: Document, reason: str) -> Document:
    """Return what is written in place of a document that the cluster refuses for good."""
    kept = ("detector_id", "schema_version", "generation", "run_id", "model_id", "data_start_time", "data_end_time",
            "execution_start_time", "execution_end_time")  # fmt: skip
    body = orjson.loads(document.source)
    fields = {name: body[name] for name in kept} | {"status": "refused", "error": reason}
    return document._replace(source=orjson.dumps(fields))
