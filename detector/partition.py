"""One partition of a detector in memory: its roster, its models, and how far the journal has carried them.

A partition makes the next journal entry from what was read, applies entries to the models in order, and gives and
takes checkpoints. It does no I/O; the stores see only the bytes and numbers that it hands out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.journal_entry import JournalEntry
from detector.model.fleet import ModelSettings
from detector.model.profile import open_fleet
from detector.model.verdicts import ScoredBlock
from detector.packing import pack, unpack
from detector.roster import Entity, Roster, seed_of
from detector.silence import Filler, Silence
from detector.unsaved import Unsaved
from features.block import FeatureBlock
from features.windows import local_times_ms
from storage.records import Checkpoint, Marker

CHECKPOINT_VERSION = 14

GROUP_SIZE = 32
"""Models a checkpoint document: about a megabyte compressed, far below what a cluster accepts."""


class ScoredEntry(NamedTuple):
    """A journal entry and what the models said: `scored` has the rows and windows of `entry`.

    `is_imputed` says which of its values were filled in, bool, of the same shape.
    """

    sequence: int
    entry: JournalEntry
    scored: ScoredBlock
    is_imputed: NDArray[np.bool_]


class Progress(NamedTuple):
    """How far the models are: last entry, end of its windows, and length of the roster then; as in a `Marker`."""

    sequence: int
    frontier_ms: int
    n_entities: int


class Partition:
    """Models of the entities that hash to one partition.

    Parameters
    ----------
    detector_id, log, settings
        Whose partition it is, the name of its journal log, and what its models are like.
    frontier_ms
        Exclusive end of the last window before the first that it may take, epoch milliseconds.
    silence
        What becomes of windows in which a known entity had no document; None = nothing.
    timezone
        IANA name of the zone whose days and weeks the models compare.
    """

    def __init__(
        self,
        detector_id: str,
        log: str,
        settings: ModelSettings,
        frontier_ms: int,
        *,
        silence: Silence | None = None,
        timezone: str = "UTC",
    ) -> None:
        self.detector_id = detector_id
        self.log = log
        self.roster = Roster()
        self.frontier_ms = frontier_ms
        self.sequence = 0
        self.saved_sequences: dict[int, int] = {}
        self._births: list[int] = []
        """The entry that brought the first entity of each group: before it the group has no need of a checkpoint."""
        self.unsaved = Unsaved(log)
        self._settings = settings
        self._fleet = open_fleet(settings)
        self._silence = silence or Silence(Filler(np.full(settings.n_features, np.nan)), longest_ms=0)
        self._timezone = timezone
        self.is_awake = True
        """Whether the models are in memory; entries of one that sleeps are journaled and scored later."""
        self.done = Progress(0, frontier_ms, 0)
        """What the models have seen; the roster, `sequence` and `frontier_ms` are further while it sleeps."""

    @property
    def n_groups(self) -> int:
        """Number of checkpoint documents that hold the partition's models."""
        return n_groups(len(self.roster))

    def history_entry(self, part: FeatureBlock, revision: int) -> JournalEntry | None:
        """Return the entry with the older windows of entities that are new, or None when there are none."""
        entry = self._entry("history", part, revision)
        return entry if entry.rows.size else None

    def windows_entry(self, part: FeatureBlock, revision: int) -> JournalEntry | None:
        """Return the entry that takes the partition over the windows after its frontier, or None."""
        fresh = part.end_times_ms > self.frontier_ms
        if not fresh.any():
            return None
        part = FeatureBlock(
            part.entities, part.end_times_ms[fresh], part.values[fresh], part.doc_counts[fresh]
        )
        return self._entry("windows", part, revision)

    def skipped_entry(self, end_times_ms: NDArray[np.int64], revision: int) -> JournalEntry | None:
        """Return the entry that takes the partition over windows without reading them, or None for none."""
        if not end_times_ms.size:
            return None
        counts = np.zeros((len(end_times_ms), 0), np.int64)
        values = np.zeros((*counts.shape, self._settings.n_features))
        return JournalEntry("skipped", end_times_ms, (), np.zeros(0, np.int32), values, counts, revision)

    def _entry(self, kind: str, part: FeatureBlock, revision: int) -> JournalEntry:
        present = np.flatnonzero((part.doc_counts > 0).any(axis=0))
        entities = [part.entities[index] for index in present.tolist()]
        rows = self.roster.rows(entities)
        is_new = rows < 0
        rows[is_new] = len(self.roster) + np.arange(np.count_nonzero(is_new))
        return JournalEntry(
            kind="history" if kind == "history" else "windows",
            end_times_ms=part.end_times_ms,
            new_entities=tuple(entities[index] for index in np.flatnonzero(is_new).tolist()),
            rows=rows,
            values=np.ascontiguousarray(part.values[:, present]),
            doc_counts=np.ascontiguousarray(part.doc_counts[:, present]),
            settings_revision=revision,
        )

    def apply(self, sequence: int, entry: JournalEntry) -> ScoredEntry:
        """Let the models see the next entry; models whose checkpoint is past it are left alone.

        What `scored` says of such a model is undefined: its documents were written before its checkpoint.
        """
        self._enrol(entry.new_entities)
        entry, is_there, is_imputed = self._silence.fill(entry)
        saved = np.array([self.saved_sequences.get(group, 0) for group in range(self.n_groups)], np.int64)
        learning = saved[entry.rows // GROUP_SIZE] < sequence
        scored = self._fleet.observe(
            entry.rows.astype(np.int64),
            entry.end_times_ms,
            entry.values,
            is_there & learning,
            local_times_ms(entry.end_times_ms, self._timezone),
        )
        self._move_on(sequence, entry)
        self.done = Progress(sequence, self.frontier_ms, len(self.roster))
        # A replay begins with the oldest checkpoint; the others must not come out of it as if all were due at once.
        for group in np.flatnonzero(saved < sequence).tolist():
            self.unsaved.note(group, len(entry.end_times_ms))
        return ScoredEntry(sequence, entry, scored, is_imputed)

    def pass_over(self, sequence: int, entry: JournalEntry) -> None:
        """Move on past the next entry while the models sleep; they see it when they are brought back."""
        self.roster.add(tuple(entity for entity in entry.new_entities if entity not in self.roster))
        self._move_on(sequence, entry)

    def _move_on(self, sequence: int, entry: JournalEntry) -> None:
        self.sequence = sequence
        while len(self._births) * GROUP_SIZE < len(self.roster):
            self._births.append(sequence)
        if entry.kind != "history":
            self.frontier_ms = int(entry.end_times_ms[-1])

    def sleep(self) -> None:
        """Let go of the models: checkpoints and journal bring them back, in another `Partition`."""
        self._fleet = open_fleet(self._settings)
        self.is_awake = False

    @property
    def bytes_per_model(self) -> int:
        """Bytes that one model takes in memory."""
        return self._fleet.model_bytes

    @property
    def awake_bytes(self) -> int:
        """Bytes that the models of the whole roster take when they are in memory."""
        return len(self.roster) * self.bytes_per_model

    def _enrol(self, entities: tuple[Entity, ...]) -> None:
        """Add entities, except those that checkpoints have brought already."""
        new = tuple(entity for entity in entities if entity not in self.roster)
        self._fleet.add(np.array([seed_of(self.detector_id, entity) for entity in new], np.uint64))
        self.roster.add(new)
        self._silence.enrol(len(self.roster))

    def checkpoint(self, group: int) -> Checkpoint:
        """Return the models of a group as they are now."""
        first, last = self._rows_of(group)
        entities = [list(entity) for entity in self.roster.entities[first:last]]
        fields = {"first": first, "entities": entities, "births": self._births}
        arrays = self._fleet.save(first, last) | self._silence.save(first, last)
        payload = pack("checkpoint", CHECKPOINT_VERSION, fields, arrays)
        return Checkpoint(self.log, group, self.sequence, payload)

    def mark_saved(self, group: int, sequence: int) -> None:
        """Note that the checkpoint of a group after `sequence` stands in the cluster."""
        self.saved_sequences[group] = sequence
        self.unsaved.clear(group)

    @property
    def safe_sequence(self) -> int:
        """Last journal entry that every checkpoint has behind it: up to it the journal is not needed any more."""
        return min(self.saved_sequences.get(group, 0) for group in range(self.n_groups))

    def restore(self, checkpoint: Checkpoint) -> bool:
        """Take over the models of a checkpoint; call in ascending order of groups.

        Returns False, and takes nothing, when the group before it was smaller in its own, older checkpoint: the
        rows between stand in the journal only, and so the replay of the journal brings these models as well.

        Raises
        ------
        PackingError
            When the bytes are damaged or were written by another release.
        """
        fields, arrays = unpack(checkpoint.payload, "checkpoint", CHECKPOINT_VERSION)
        self._births = max(self._births, fields["births"], key=len)
        if fields["first"] != len(self.roster):
            return False
        self._enrol(tuple(tuple(entity) for entity in fields["entities"]))
        self._silence.load(fields["first"], arrays)
        self._fleet.load(fields["first"], arrays)
        self.mark_saved(checkpoint.group, checkpoint.sequence)
        return True

    def rewind(self, marker: Marker) -> int:
        """Go back to the last entry that the checkpoints of all groups have behind them; return its sequence.

        The groups are those of the roster at the commit marker. Call after `restore`, before the journal is
        applied from there.
        """
        self.sequence = min(self._saved_until(group) for group in range(n_groups(marker.n_entities)))
        self.frontier_ms = marker.frontier_ms
        self.done = Progress(marker.sequence, marker.frontier_ms, marker.n_entities)
        return self.sequence

    def _saved_until(self, group: int) -> int:
        """Return the last entry that is not needed to make a group; up to there the journal may be deleted.

        A group that no checkpoint knows of is younger than all of them.
        """
        if group in self.saved_sequences:
            return self.saved_sequences[group]
        if group < len(self._births):
            return self._births[group] - 1
        return max(self.saved_sequences.values(), default=0)

    def _rows_of(self, group: int) -> tuple[int, int]:
        return group * GROUP_SIZE, min((group + 1) * GROUP_SIZE, len(self.roster))


def n_groups(n_entities: int) -> int:
    """Return how many checkpoint documents hold the models of a partition of `n_entities`.

    At least one: that nobody is there yet is worth saving too, or the journal of an empty partition could never be cut.
    """
    return max(1, -(-n_entities // GROUP_SIZE))


def select(block: FeatureBlock, indexes: NDArray[np.int64]) -> FeatureBlock:
    """Return the part of a block that belongs to some of its entities."""
    return FeatureBlock(
        tuple(block.entities[index] for index in indexes.tolist()),
        block.end_times_ms,
        block.values[:, indexes],
        block.doc_counts[:, indexes],
    )
