"""Silence: windows without documents of an entity that is known, filled in as rows that models see.

Count and sum features are 0 in them, the others are missing. What is filled in follows from the roster and the entry
alone, so a journal that is applied again fills in the same. Knows no model and no document.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.journal_entry import JournalEntry

NEVER_MS = np.iinfo(np.int64).min
"""Last window of an entity that has had none."""

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
    """

    entry: JournalEntry
    is_there: NDArray[np.bool_]


@dataclass
class Silence:
    """What becomes of silent windows, and when each entity of a partition was last heard of.

    Parameters
    ----------
    values
        What each feature is in a silent window, float64, shape (n_features,), NaN = missing.
    longest_ms
        How long after its last window with documents an entity is filled in; 0 = never.
    """

    values: NDArray[np.float64]
    longest_ms: int
    last_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def enrol(self, n_entities: int) -> None:
        """Make room for so many entities; new ones have never been heard of."""
        missing = n_entities - len(self.last_ms)
        self.last_ms = np.concatenate([self.last_ms, np.full(max(0, missing), NEVER_MS)])

    def fill(self, entry: JournalEntry) -> Filled:
        """Return an entry with silent windows filled in, and note who was heard of.

        History is filled in for its own entities, and for windows that were asked for; windows that were skipped hold
        nothing.
        """
        if entry.kind == "skipped":
            return Filled(entry, entry.doc_counts > 0)
        heard = np.zeros((len(entry.end_times_ms), len(self.last_ms)), np.bool_)
        heard[:, entry.rows] = entry.doc_counts > 0
        ends = entry.end_times_ms[:, np.newaxis]
        last = np.maximum.accumulate(np.where(heard, ends, NEVER_MS), axis=0)
        before = np.maximum(self.last_ms, np.vstack([np.full((1, heard.shape[1]), NEVER_MS), last[:-1]]))
        # The sum of a time and a span cannot overflow, the difference to NEVER_MS would.
        is_silent = ~heard & (before != NEVER_MS) & (ends > before) & (ends <= before + self.longest_ms)
        if entry.kind == "history":
            is_silent &= _asked(entry, heard.shape)
        self.last_ms = np.maximum(self.last_ms, last[-1])
        return self._with_rows(entry, heard, is_silent)

    def _with_rows(
        self, entry: JournalEntry, heard: NDArray[np.bool_], is_silent: NDArray[np.bool_]
    ) -> Filled:
        """Return an entry whose silent rows have the values of silence."""
        if not is_silent.any():
            return Filled(entry, entry.doc_counts > 0)
        own = np.zeros(heard.shape[1], np.bool_)
        own[entry.rows] = True
        extra = np.flatnonzero(is_silent.any(axis=0) & ~own)
        rows = np.concatenate([entry.rows, extra]).astype(np.int32)
        n_windows, n_features = len(entry.end_times_ms), len(self.values)
        values = np.concatenate([entry.values, np.full((n_windows, len(extra), n_features), np.nan)], axis=1)
        doc_counts = np.concatenate([entry.doc_counts, np.zeros((n_windows, len(extra)), np.int64)], axis=1)
        filled = is_silent[:, rows]
        values[filled] = self.values
        return Filled(
            replace(entry, rows=rows, values=values, doc_counts=doc_counts), (doc_counts > 0) | filled
        )


def _asked(entry: JournalEntry, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    asked = np.zeros(shape, np.bool_)
    asked[:, entry.rows] = entry.doc_counts != NOT_ASKED
    return asked
