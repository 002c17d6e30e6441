"""Saving: checkpoints that are due, and the end of the journal that no checkpoint needs any more."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from detector.job import Job
from detector.partition import Partition
from detector.stores import Checkpoints, Journal
from detector.unsaved import CHECKPOINT_EVERY_ENTRIES

GROUPS_AT_ONCE = 4
"""Checkpoint documents a request, about a megabyte each."""

REQUESTS_AT_ONCE = 2
"""Requests side by side: while one is on its way, the next is packed."""

KEEP_JOURNAL_MS = 86_400_000
"""Age before which no journal entry is deleted: a process that was stopped for hours still finds what it missed."""

PRUNE_EVERY_MS = 3_600_000
"""Time between two looks at the end of the journal."""

PRUNED_AT_ONCE = 10_000
"""Most entries that one look deletes; when there were so many, the next block looks again."""


def save_checkpoints(
    job: Job, checkpoints: Checkpoints, every_entries: int = CHECKPOINT_EVERY_ENTRIES
) -> None:
    """Save the models that have seen `every_entries` journal entries since they were last saved.

    Only of partitions whose documents stand: from a checkpoint that is past its marker they could not be made again.
    """
    awake = (each for each in job.partitions if each.is_awake and job.is_committed(each))
    save_groups(checkpoints, [(each, group) for each in awake for group in each.unsaved.due(every_entries)])


def save_costly(partition: Partition, checkpoints: Checkpoints) -> None:
    """Save those models of one partition that are not to be replayed when it is next brought into memory."""
    save_groups(checkpoints, [(partition, group) for group in partition.unsaved.costly()])


def save_groups(checkpoints: Checkpoints, groups: Sequence[tuple[Partition, int]]) -> None:
    """Save the models of some groups."""
    parts = [groups[first : first + GROUPS_AT_ONCE] for first in range(0, len(groups), GROUPS_AT_ONCE)]
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
        for part, _ in zip(parts, threads.map(partial(_write, checkpoints), parts), strict=True):
            for partition, group in part:
                partition.mark_saved(group, partition.sequence)


def _write(checkpoints: Checkpoints, groups: Sequence[tuple[Partition, int]]) -> None:
    checkpoints.save([partition.checkpoint(group) for partition, group in groups])


def prune_journal(job: Job, journal: Journal, now_ms: int) -> None:
    """Delete journal entries older than a day that every checkpoint has behind it; looks once an hour."""
    if now_ms - job.pruned_at_ms < PRUNE_EVERY_MS:
        return
    safe = {partition.log: partition.safe_sequence for partition in job.partitions}
    old = journal.written_before(list(safe), now_ms - KEEP_JOURNAL_MS, PRUNED_AT_ONCE)
    spent = [(name, sequence) for name, sequence in old if sequence <= safe[name]]
    journal.delete(spent)
    if len(old) < PRUNED_AT_ONCE or not spent:
        job.pruned_at_ms = now_ms
