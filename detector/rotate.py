"""Rotation: partitions that do not fit into the memory budget together are in memory in turn.

What is read is journaled for all of them at once. A partition that sleeps has no models in memory; when its turn
comes it is brought back like after a restart, and scores all windows that were journaled meanwhile in one visit. So its
results come late, but they are the same, and none is missing.
"""

from detector.job import Job
from detector.partition import Partition
from detector.save import save_costly
from detector.stores import Checkpoints

TURN_WINDOWS = 8
"""Every partition is visited within about so many blocks: a visit costs reading all its models and replaying what their
checkpoints lack, a longer wait makes results later."""


def make_room(job: Job, checkpoints: Checkpoints) -> None:
    """Put partitions to sleep, those that have been in memory for longest first, until the rest fits the budget."""
    _fit(job, checkpoints, 0, kept=1)


def rotate(job: Job, checkpoints: Checkpoints) -> None:
    """Let the partitions that have waited for longest take the place of those that have been in memory for longest.

    They are let go of here, and come back from the cluster when the share of the job is next brought into memory.
    Call when nothing is waiting to be scored or written.
    """
    asleep = sorted((p for p in job.partitions if not p.is_awake), key=lambda p: p.done.frontier_ms)
    if not asleep:
        make_room(job, checkpoints)
        return
    n_turn = -(-len(asleep) // TURN_WINDOWS)
    needed = sum(partition.awake_bytes for partition in asleep[:n_turn])
    _fit(job, checkpoints, needed, kept=0)
    for partition in asleep[:n_turn]:
        job.let_go(partition)


def _fit(job: Job, checkpoints: Checkpoints, needed_bytes: int, *, kept: int) -> None:
    awake: list[Partition] = job.awake()
    while len(awake) > kept and job.used_bytes + needed_bytes > job.room_bytes:
        partition = awake.pop(0)
        if job.is_committed(partition):
            save_costly(partition, checkpoints)
        partition.sleep()
    job.note_memory()
