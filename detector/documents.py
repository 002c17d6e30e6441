"""From scored windows to result documents: the plugin's field names, and flat fields for ordinary dashboards.

Knows no store and no model; Python-level work per entity happens here, at the edge. The time of scoring enters as
an argument and touches only the two execution times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
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
        """Yield one document for each window in which an entity had data, entity by entity."""
        entry = scored_entry.entry
        rows = entry.rows.tolist()
        execution = {"execution_start_time": now_ms, "execution_end_time": now_ms}
        for column, cells in groupby(_cells(scored_entry), attrgetter("column")):
            entity = roster.entities[rows[column]]
            common = self._entity_fields(entity) | execution
            key = result_key(self.detector_id, self.run_id, self.generation, entity)
            for cell in cells:
                end_ms = cell.end_ms
                times = {"data_start_time": self.interval.previous(end_ms), "data_end_time": end_ms}
                source = orjson.dumps(common | times | self._scored_fields(cell))
                is_history, is_anomaly = entry.kind == "history", cell.grade > 0
                yield Document(f"{end_ms:013d}-{key}", end_ms, source, is_history, is_anomaly)

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

    def _scored_fields(self, cell: "_Cell") -> dict[str, Any]:
        fields: dict[str, Any] = {
            "status": STATUS[cell.status],
            "feature_data": self._by_id(cell.values),
            "value": self._flat(cell.values),
            "expected": self._flat(cell.expected),
            "lower": self._flat(cell.lower),
            "upper": self._flat(cell.upper),
        }
        if STATUS[cell.status] == "scored":
            fields |= {
                "anomaly_score": cell.score,
                "anomaly_grade": cell.grade,
                "confidence": cell.confidence,
                "threshold": cell.threshold,
                "is_anomaly": cell.grade > 0,
            }
        return fields | self._alarm_fields(cell) if cell.grade > 0 else fields

    def _alarm_fields(self, cell: "_Cell") -> dict[str, Any]:
        numbers = (cell.values, cell.expected, cell.lower, cell.upper, cell.contribution)
        return {
            "relevant_attribution": self._by_id(cell.contribution),
            "expected_values": [{"likelihood": 1.0, "value_list": self._by_id(cell.expected)}],
            "contribution": self._flat(cell.contribution),
            "reason": sentence(self.feature_names, *numbers),
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


class _Cell(NamedTuple):
    """One window of one entity: plain numbers; those in lists are one a feature, NaN = missing."""

    column: int
    end_ms: int
    status: int
    score: float
    grade: float
    confidence: float
    threshold: float
    values: list[float]
    expected: list[float]
    lower: list[float]
    upper: list[float]
    contribution: list[float]


def _cells(scored_entry: ScoredEntry) -> Iterator[_Cell]:
    """Yield the windows in which an entity had data, entity by entity.

    Cells are taken out column by column: picking single numbers from arrays would take ten times as long.
    """
    entry, scored = scored_entry.entry, scored_entry.scored
    column, window = np.nonzero(scored.status.T)
    at = (window, column)
    numbers = (
        entry.end_times_ms[window],
        scored.status[at],
        scored.score[at],
        scored.grade[at],
        scored.confidence[at],
        scored.threshold[at],
        entry.values[at],
        scored.expected[at],
        scored.lower[at],
        scored.upper[at],
        scored.contribution[at],
    )
    return map(_Cell, column.tolist(), *(array.tolist() for array in numbers))


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
