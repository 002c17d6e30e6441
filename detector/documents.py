"""From scored windows to result documents: the plugin's field names, and flat fields for ordinary dashboards.

Knows no store and no model; Python-level work per entity happens here, at the edge. The time of scoring enters as
an argument and touches only the two execution times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import orjson
from numpy.typing import NDArray

from detector.comparison import compared_with, duration_text, season_of, trait_text
from detector.layout import Layout, Names, flat_name, layout_of
from detector.partition import ScoredEntry
from detector.reason import Seen, Wording, direction, sentence
from detector.roster import Entity, Roster, result_key
from features.windows import Interval

RESULT_SCHEMA_VERSION = 1
MOST_LAYOUTS = 1_000
"""Layouts that are kept, of some KB each: twenty features that come and go make a million forms."""

Form = tuple[int, bool, tuple[bool, ...] | None, tuple[bool, ...]]
"""Status, whether an anomaly, which features were filled in (None = not even looked for), and which are missing: such
documents differ in numbers only."""

Cells = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Window and column of each document, int64, shape (n_cells,) both."""


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


class Series(NamedTuple):
    """What all documents of one entity have in common: the end of their ids, and the beginning of their JSON."""

    key: str
    head: bytes


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
    _series: WeakKeyDictionary[Roster, dict[int, Series]] = field(
        default_factory=WeakKeyDictionary, compare=False
    )
    _layouts: dict[Form, Layout] = field(default_factory=dict, compare=False)

    @cached_property
    def _names(self) -> Names:
        return Names(self.feature_ids, self.feature_names)

    def documents(self, roster: Roster, scored_entry: ScoredEntry, now_ms: int) -> list[Document]:
        """Return one document for each window in which an entity had data, entity by entity.

        Of windows that were skipped there is one document for all; partitions that skip the same make the same one.
        """
        entry, scored = scored_entry.entry, scored_entry.scored
        if entry.kind == "skipped":
            return [self._skipped(int(entry.end_times_ms[0]), int(entry.end_times_ms[-1]), now_ms)]
        column, window = np.nonzero(scored.status.T)
        at = (window, column)
        is_anomaly = scored.grade[at] > 0
        series = self._series_of(roster, entry.rows[column])
        times = self._times(entry.end_times_ms, now_ms)
        end_times_ms, only_new = entry.end_times_ms.tolist(), entry.kind == "history"
        cells = zip(
            series,
            window.tolist(),
            self._bodies(scored_entry, at, is_anomaly),
            is_anomaly.tolist(),
            strict=True,
        )
        return [
            Document(
                f"{end_times_ms[w]:013d}-{one.key}",
                end_times_ms[w],
                one.head + times[w] + body,
                only_new,
                alarm,
            )
            for one, w, body, alarm in cells
        ]

    def _skipped(self, first_end_ms: int, last_end_ms: int, now_ms: int) -> Document:
        start_ms = self.interval.previous(first_end_ms)
        fields = {
            "detector_id": self.detector_id,
            "schema_version": RESULT_SCHEMA_VERSION,
            "generation": self.generation,
            "run_id": self.run_id,
            "status": "skipped",
            "data_start_time": start_ms,
            "data_end_time": last_end_ms,
            "execution_start_time": now_ms,
            "execution_end_time": now_ms,
            "reason": "these windows were not scored: when a sidecar came back they were older than it catches up",
        }
        key = result_key(self.detector_id, self.run_id, self.generation, ("skipped since", str(start_ms)))
        return Document(
            f"{last_end_ms:013d}-{key}", last_end_ms, orjson.dumps(fields), only_new=False, is_anomaly=False
        )

    def _series_of(self, roster: Roster, rows: NDArray[np.int32]) -> list[Series]:
        """Return the series of each row; they are made once and kept as long as the roster."""
        known = self._series.setdefault(roster, {})
        wanted = rows.tolist()
        for row in set(wanted).difference(known):
            known[row] = self._new_series(roster.entities[row])
        return [known[row] for row in wanted]

    def _new_series(self, entity: Entity) -> Series:
        head = orjson.dumps(self._entity_fields(entity))[:-1]
        return Series(result_key(self.detector_id, self.run_id, self.generation, entity), head)

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

    def _times(self, end_times_ms: NDArray[np.int64], now_ms: int) -> list[bytes]:
        """Return the text of the fields that all documents of a window have in common."""
        return [
            b',"execution_start_time":%d,"execution_end_time":%d,"data_start_time":%d,"data_end_time":%d,'
            % (now_ms, now_ms, self.interval.previous(end_ms), end_ms)
            for end_ms in end_times_ms.tolist()
        ]

    def _bodies(self, scored_entry: ScoredEntry, at: Cells, is_anomaly: NDArray[np.bool_]) -> Iterator[bytes]:
        """Yield the rest of each document: what was measured and what the model said."""
        values, scored = scored_entry.entry.values[at], scored_entry.scored
        single = np.stack(
            [scored.score[at], scored.grade[at], scored.confidence[at], scored.threshold[at]], axis=1
        )
        numbers = np.hstack([single, values, scored.expected[at], scored.lower[at], scored.upper[at]])
        forms = zip(
            scored.status[at].tolist(),
            is_anomaly.tolist(),
            _imputed(scored_entry, at),
            _missing(values),
            strict=True,
        )
        for cell, (form, texts) in enumerate(zip(forms, _texts(numbers), strict=True)):
            layout = self._layouts.get(form) or self._new_layout(form)
            body = layout.template % layout.pick(texts)
            if form[1]:
                body += b"," + self._alarm_text(scored_entry, at[0][cell], at[1][cell])
            yield body + b"}"

    def _new_layout(self, form: Form) -> Layout:
        status, is_anomaly, is_imputed, is_missing = form
        layout = layout_of(self._names, status, is_missing, is_anomaly=is_anomaly, is_imputed=is_imputed)
        if len(self._layouts) >= MOST_LAYOUTS:
            self._layouts.clear()
        self._layouts[form] = layout
        return layout

    @cached_property
    def _wording(self) -> Wording:
        length_ms = self.interval.milliseconds
        return Wording(
            compared_with=partial(compared_with, interval_ms=length_ms),
            what_is_odd=partial(trait_text, interval_ms=length_ms),
            duration=duration_text,
            season=season_of(length_ms),
        )

    def _alarm_text(self, scored_entry: ScoredEntry, window: int, column: int) -> bytes:
        """Return the fields of an alarm without braces. Alarms are rare: no need of a layout."""
        entry, scored = scored_entry.entry, scored_entry.scored
        at = window, column
        seen = Seen(
            values=entry.values[at].tolist(),
            expected=scored.expected[at].tolist(),
            lower=scored.lower[at].tolist(),
            upper=scored.upper[at].tolist(),
            contribution=scored.contribution[at].tolist(),
            basis=scored.basis[at].tolist(),
            departed=scored.departed[at].tolist(),
            routine=scored.routine[at].tolist(),
            trait=scored.trait[at].tolist(),
            lasted_ms=int(scored.lasted_ms[at]),
            is_silent=bool(entry.doc_counts[at] <= 0),
        )
        sides = map(direction, seen.values, seen.expected)
        fields = {
            "relevant_attribution": self._names.nested(seen.contribution),
            "expected_values": [{"likelihood": 1.0, "value_list": self._names.nested(seen.expected)}],
            "contribution": self._names.flat(seen.contribution),
            "direction": self._names.flat(list(sides)),
            "reason": sentence(self.feature_names, seen, self._wording),
        }
        return orjson.dumps(fields)[1:-1]


def _imputed(scored_entry: ScoredEntry, at: Cells) -> list[tuple[bool, ...] | None]:
    """Return which features were filled in, for each document; None where it had documents and none was."""
    is_imputed = scored_entry.is_imputed[at]
    is_told = (scored_entry.entry.doc_counts[at] <= 0) | is_imputed.any(axis=1)
    if not is_told.any():
        return [None] * len(is_told)
    rows = zip(is_told.tolist(), is_imputed.tolist(), strict=True)
    return [tuple(features) if told else None for told, features in rows]


def _missing(values: NDArray[np.float64]) -> list[tuple[bool, ...]]:
    """Return which features are missing, for each row of values of shape (n_cells, n_features)."""
    is_missing = np.isnan(values)
    if not is_missing.any():
        return [(False,) * values.shape[1]] * len(values)
    return list(map(tuple, is_missing.tolist()))


def _texts(numbers: NDArray[np.float64]) -> Iterator[tuple[bytes, ...]]:
    """Yield the JSON of the numbers of each row; NaN is null. One call for all: a hundredth of one call each."""
    if not numbers.size:
        return iter(())
    texts = orjson.dumps(np.ascontiguousarray(numbers).reshape(-1), option=orjson.OPT_SERIALIZE_NUMPY)[
        1:-1
    ].split(b",")
    return zip(*[iter(texts)] * numbers.shape[1], strict=True)


def error_document(document: Document, reason: str) -> Document:
    """Return what is written in place of a document that the cluster refuses for good."""
    kept = ("detector_id", "schema_version", "generation", "run_id", "model_id", "data_start_time", "data_end_time",
            "execution_start_time", "execution_end_time")  # fmt: skip
    body = orjson.loads(document.source)
    fields = {name: body[name] for name in kept if name in body} | {"status": "refused", "error": reason}
    return document._replace(source=orjson.dumps(fields))
