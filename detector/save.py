"""Saving: checkpoints that are due, and the end of the journal that no checkpoint needs any more.

How often models are saved is a question of cost, never of correctness: what a checkpoint lacks is replayed.
"""

from itertools import islice

from detector.job import Job
from detector.partition import Partition
from detector.stores import Checkpoints, Journal

CHECKPOINT_EVERY_WINDOWS = 64
"""Windows between two checkpoints of a model: a restart replays at most this many of each."""

GROUPS_AT_ONCE = 8
"""Checkpoint documents in memory at once, about a megabyte each."""

KEEP_JOURNAL_MS = 86_400_000
"""Age before which no journal entry is deleted: a process that was stopped for hours still finds what it missed."""

PRUNE_EVERY_MS = 3_600_000
"""Time between two looks at the end of the journal."""


def save_checkpoints(
    job: Job, checkpoints: Checkpoints, every_windows: int = CHECKPOINT_EVERY_WINDOWS
) -> None:
    """Save the models that have seen `every_windows` windows since they were last saved."""
    for partition in job.partitions:
        save_partition(partition, checkpoints, every_windows)


def save_partition(partition: Partition, checkpoints: Checkpoints, every_windows: int) -> None:
    """Save those models of one partition."""
    due = iter(list(partition.due_groups(every_windows)))
    while groups := list(islice(due, GROUPS_AT_ONCE)):
        sequence = partition.sequence
        checkpoints.save([partition.checkpoint(group) for group in groups])
        for group in groups:
            partition.mark_saved(group, sequence)


def prune_journal(job: Job, journal: Journal, now_ms: int) -> None:
    """Delete journal entries older than a day that every checkpoint has behind it; looks once an hour."""
    if now_ms - job.pruned_at_ms < PRUNE_EVERY_MS:
        return
    safe = {partition.log: partition.safe_sequence for partition in job.partitions}
    old = journal.written_before(list(safe), now_ms - KEEP_JOURNAL_MS)
    journal.delete([(name, sequence) for name, sequence in old if sequence <= safe[name]])
    job.pruned_at_ms = now_ms
