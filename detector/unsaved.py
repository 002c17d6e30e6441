"""What the models of a partition have seen since their last checkpoints, by group, and when that is to be saved.

A question of cost, never of correctness: what a checkpoint lacks is replayed from the journal.
"""

from typing import NamedTuple

from detector.roster import partition_of

CHECKPOINT_EVERY_ENTRIES = 64
"""Journal entries between two checkpoints of a model: a restart replays at most this many of each.

An entry is one window live, and as many as make a block when catching up, so what is replayed is bounded as well."""

COSTLY_WINDOWS = 64
"""Windows from which a model that goes to sleep is saved. Writing and indexing it takes as long as to replay some
hundred, but replays are repeated at every visit."""


class Seen(NamedTuple):
    """Journal entries and windows since the last checkpoint."""

    entries: int
    windows: int


class Unsaved:
    """Counts for the groups of one partition, whose journal log is `log`."""

    def __init__(self, log: str) -> None:
        self._stagger = partition_of((log,), CHECKPOINT_EVERY_ENTRIES)
        self._seen: dict[int, Seen] = {}

    def note(self, group: int, n_windows: int) -> None:
        """Note that a group has seen an entry of so many windows."""
        entries, windows = self._seen.get(group, Seen(self._first_turn(group), 0))
        self._seen[group] = Seen(entries + 1, windows + n_windows)

    def clear(self, group: int) -> None:
        """Note that a group is saved."""
        self._seen[group] = Seen(0, 0)

    def due(self, every_entries: int = CHECKPOINT_EVERY_ENTRIES) -> list[int]:
        """Return the groups that have seen so many entries."""
        return [group for group, seen in self._seen.items() if seen.entries >= every_entries]

    def costly(self) -> list[int]:
        """Return the groups that are cheaper to save than to replay again and again."""
        return [group for group, seen in self._seen.items() if seen.windows >= COSTLY_WINDOWS]

    def _first_turn(self, group: int) -> int:
        """Return the entries a new group counts as seen: those that started together must not save together."""
        return (self._stagger + group) % CHECKPOINT_EVERY_ENTRIES
