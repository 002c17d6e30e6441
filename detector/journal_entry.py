"""One journal entry of a partition and its bytes: what was read from the cluster, fixed before it is scored.

Everything that changes a model stands in entries, so models and results are functions of the journal. Knows
neither where entries are kept nor what becomes of them.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detector.packing import NewerFormatError, PackingError, newer_text, pack, unpack
from detector.roster import Entity

ENTRY_VERSION = 1
NUMERIC_VERSION = 14
"""Version of kernels and state formats. An entry names the one it is to be scored with."""


@dataclass(frozen=True)
class JournalEntry:
    """Consecutive windows of some entities of one partition.

    Attributes
    ----------
    kind
        `windows` moves the frontier of the partition on, also when it holds no row; `history` holds older windows
        of entities that have no model yet and leaves the frontier alone; `skipped` moves the frontier over windows
        that nobody has read, of which it names the first and the last.
    end_times_ms
        int64, shape (n_windows,): exclusive window ends, epoch milliseconds, ascending.
    new_entities
        Entities that this entry adds to the roster, in the order of their rows.
    rows
        int32, shape (n_entities,): rows of the roster that have data in this entry.
    values
        float64, shape (n_windows, n_entities, n_features); NaN = missing.
    doc_counts
        int64, shape (n_windows, n_entities): documents behind the values; 0 = the entity was silent, -1 = the window
        is no part of its history.
    settings_revision
        Revision of the detector's settings with which the entry is to be scored.
    numeric_version
        Version of the kernels with which it is to be scored.
    """

    kind: Literal["windows", "history", "skipped"]
    end_times_ms: NDArray[np.int64]
    new_entities: tuple[Entity, ...]
    rows: NDArray[np.int32]
    values: NDArray[np.float64]
    doc_counts: NDArray[np.int64]
    settings_revision: int = 1
    numeric_version: int = NUMERIC_VERSION

    def encode(self) -> bytes:
        """Return the entry as bytes; equal entries give equal bytes."""
        fields = {
            "kind": self.kind,
            "new_entities": [list(entity) for entity in self.new_entities],
            "settings_revision": self.settings_revision,
            "numeric_version": self.numeric_version,
        }
        arrays: dict[str, NDArray[Any]] = {
            "end_times_ms": self.end_times_ms,
            "rows": self.rows,
            "values": self.values,
            "doc_counts": self.doc_counts,
        }
        return pack("journal entry", ENTRY_VERSION, fields, arrays)


def decode_entry(block: bytes) -> JournalEntry:
    """Return the entry that `JournalEntry.encode` wrote.

    Raises
    ------
    PackingError
        When it is damaged, or is to be scored with kernels that this release does not have any more.
    NewerFormatError
        When a newer release has written it.
    """
    fields, arrays = unpack(block, "journal entry", ENTRY_VERSION)
    numeric_version = fields["numeric_version"]
    if numeric_version > NUMERIC_VERSION:
        raise NewerFormatError(newer_text("kernel of a journal entry", numeric_version, NUMERIC_VERSION))
    if numeric_version < NUMERIC_VERSION:
        msg = (
            f"the journal entry is to be scored with kernels of version {numeric_version}, this release has version "
            f"{NUMERIC_VERSION}: start the release that wrote it once more and stop it with SIGTERM, which saves the "
            "models behind the entry; then start this one"
        )
        raise PackingError(msg)
    return JournalEntry(
        kind=fields["kind"],
        new_entities=tuple(tuple(entity) for entity in fields["new_entities"]),
        settings_revision=fields["settings_revision"],
        numeric_version=fields["numeric_version"],
        end_times_ms=arrays["end_times_ms"],
        rows=arrays["rows"],
        values=arrays["values"],
        doc_counts=arrays["doc_counts"],
    )
