"""Silence: windows without documents of an entity that is known, filled in as rows that models see.

Count and sum features are 0 in them, the others are missing; a detector can say otherwise, and then a feature without a
number in a window with documents is filled in as well. What is filled in follows from the entries of the journal alone,
so a journal that is applied again fills in the same. Knows no model and no document.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.configuration.config import DetectorConfig
from detector.journal_entry import JournalEntry

NEVER_MS = np.iinfo(np.int64).min
"""Last window of an entity that has had none."""

HEARD, NUMBERS = "heard_ms", "last_values"
"""Names of the arrays that hold when each entity was last heard of, and its last numbers."""

NOT_ASKED = -1
"""Document count of a window that is no part of an entity's history: nobody knows whether it was silent."""


class Filled(NamedTuple):
    """An entry with the silent windows in it.

    Attributes
    ----------
    entry
        The entry, with rows behind its own for entities that were silent throughout; their document counts are 0.
    is_there
        Whether there is a row for the models, bool, shape (n_windows, n_entities).
    is_imputed
        Which values were filled in, bool, shape (n_windows, n_entities, n_features).
    """

    entry: JournalEntry
    is_there: NDArray[np.bool_]
    is_imputed: NDArray[np.bool_]


class Filler(NamedTuple):
    """What stands in for a number that is not there.

    Attributes
    ----------
    values
        Of each feature, float64, shape (n_features,), NaN = missing.
    repeats
        Whether the last number of the entity and feature comes first; `values` are for those that have had none.
    fills_gaps
        Whether features without a number are filled in where there are documents; else in silent windows only. So it is
        where a number is repeated.
    """

    values: NDArray[np.float64]
    repeats: bool = False
    fills_gaps: bool = False


def filler_of(config: DetectorConfig) -> Filler:
    """Return what stands in for the numbers of a detector."""
    features, option = config.source.features, config.imputation_option
    if option is None:
        return Filler(np.array([feature.of_nothing for feature in features]))
    values = np.array(option.values([feature.feature_name for feature in features]))
    return Filler(values, option.repeats, fills_gaps=True)


@dataclass
class Silence:
    """What becomes of silent windows, and when each entity of a partition was last heard of.

    Parameters
    ----------
    filler
        What each feature is in a silent window.
    longest_ms
        How long after its last window with documents an entity is filled in; 0 = never.
    """

    filler: Filler
    longest_ms: int
    last_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    last_values: NDArray[np.float64] = field(init=False)
    """Last number of each entity and feature, NaN = none yet; no columns where none is repeated."""

    def __post_init__(self) -> None:
        self.last_values = np.empty((0, len(self.filler.values) if self.filler.repeats else 0))

    def enrol(self, n_entities: int) -> None:
        """Make room for so many entities; new ones have never been heard of."""
        n_new = max(0, n_entities - len(self.last_ms))
        self.last_ms = np.concatenate([self.last_ms, np.full(n_new, NEVER_MS)])
        never = np.full((n_new, self.last_values.shape[1]), np.nan)
        self.last_values = np.concatenate([self.last_values, never])

    def save(self, first: int, last: int) -> dict[str, NDArray[Any]]:
        """Return what is known of the rows from `first` to `last` (exclusive), by name."""
        return {HEARD: self.last_ms[first:last], NUMBERS: self.last_values[first:last]}

    def load(self, first: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Take what was saved of the rows from `first` on out of `arrays`."""
        heard, numbers = arrays.pop(HEARD), arrays.pop(NUMBERS)
        self.last_ms[first : first + len(heard)] = heard
        self.last_values[first : first + len(heard)] = numbers

    def fill(self, entry: JournalEntry) -> Filled:
        """Return an entry with silent windows filled in, and note who was heard of.

        History is filled in for its own entities, and for windows that were asked for; windows that were skipped hold
        nothing.
        """
        if entry.kind == "skipped":
            return _unchanged(entry)
        heard = np.zeros((len(entry.end_times_ms), len(self.last_ms)), np.bool_)
        heard[:, entry.rows] = entry.doc_counts > 0
        ends = entry.end_times_ms[:, np.newaxis]
        last = np.maximum.accumulate(np.where(heard, ends, NEVER_MS), axis=0)
        before = np.maximum(self.last_ms, np.vstack([np.full((1, heard.shape[1]), NEVER_MS), last[:-1]]))
        # The sum of a time and a span cannot overflow, the difference to NEVER_MS would.
        is_silent = ~heard & (before != NEVER_MS) & (ends > before) & (ends <= before + self.longest_ms)
        if entry.kind == "history":
            is_silent &= _asked(entry, heard.shape)
        is_newer = ends > self.last_ms
        self.last_ms = np.maximum(self.last_ms, last[-1])
        return self._with_rows(entry, is_silent, is_newer)

    def _with_rows(
        self, entry: JournalEntry, is_silent: NDArray[np.bool_], is_newer: NDArray[np.bool_]
    ) -> Filled:
        """Return an entry whose silent rows, and gaps if they are to be filled, have the values of silence.

        An entry that is older than what is known of an entity, because it is applied again, teaches nothing of it.
        """
        if not is_silent.any() and not self.filler.fills_gaps:
            return _unchanged(entry)
        own = np.zeros(is_silent.shape[1], np.bool_)
        own[entry.rows] = True
        extra = np.flatnonzero(is_silent.any(axis=0) & ~own)
        rows = np.concatenate([entry.rows, extra]).astype(np.int32)
        n_windows, n_features = len(entry.end_times_ms), entry.values.shape[2]
        values = np.concatenate([entry.values, np.full((n_windows, len(extra), n_features), np.nan)], axis=1)
        doc_counts = np.concatenate([entry.doc_counts, np.zeros((n_windows, len(extra)), np.int64)], axis=1)
        is_there = (doc_counts > 0) | is_silent[:, rows]
        is_gap = (
            np.isnan(values) & (is_there if self.filler.fills_gaps else is_silent[:, rows])[..., np.newaxis]
        )
        stand_in = self._stand_in(values, rows, is_newer[:, rows])
        is_imputed = is_gap & ~np.isnan(stand_in)
        values[is_imputed] = stand_in[is_imputed]
        return Filled(replace(entry, rows=rows, values=values, doc_counts=doc_counts), is_there, is_imputed)

    def _stand_in(
        self, values: NDArray[np.float64], rows: NDArray[np.int32], is_newer: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return what stands in for each value, and note the last of those that are newer than what is known."""
        if not self.filler.repeats:
            return np.broadcast_to(self.filler.values, values.shape)
        known = np.where(is_newer[..., np.newaxis], values, np.nan)
        every = np.concatenate([self.last_values[rows][np.newaxis], known])
        place = np.arange(len(every))[:, np.newaxis, np.newaxis]
        newest = np.maximum.accumulate(np.where(np.isnan(every), 0, place), axis=0)
        carried = np.take_along_axis(every, newest, axis=0)
        self.last_values[rows] = carried[-1]
        return np.where(np.isnan(carried[1:]), self.filler.values, carried[1:])


def _unchanged(entry: JournalEntry) -> Filled:
    return Filled(entry, entry.doc_counts > 0, np.broadcast_to(np.False_, entry.values.shape))


def _asked(entry: JournalEntry, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    asked = np.zeros(shape, np.bool_)
    asked[:, entry.rows] = entry.doc_counts != NOT_ASKED
    return asked
