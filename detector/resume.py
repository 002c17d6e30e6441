"""Resuming: partitions come back from marker, checkpoints and the journal after them.

What was journaled after the marker is scored and written again; a run that was killed at any moment goes on as if
nothing had happened.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import structlog

from detector.documents import Document
from detector.job import Job
from detector.journal_entry import decode_entry
from detector.packing import NewerFormatError, PackingError
from detector.partition import Partition, n_groups
from detector.stores import Checkpoints, Stores
from storage.records import Marker

log = structlog.get_logger(__name__)


PARTITIONS_AT_ONCE = 4
"""Partitions that are brought back side by side: while one waits for the cluster, others unpack and replay."""


class StateLostError(RuntimeError):
    """Models can be rebuilt neither from checkpoints nor from the journal."""


def resume(job: Job, stores: Stores, now_ms: int) -> None:
    """Bring the share of a job into memory, as it was when it was last written down, and let go of the rest.

    No more at once than the memory budget has room for, but at least one partition: call again, after writing
    the documents that came of it, until `job.is_resumed`. Call when nothing is waiting to be scored or written.

    Raises
    ------
    StateLostError
        When journal entries are gone that no checkpoint covers, and no other process is the reason.
    """
    names = {number: job.logs[number] for number in job.missing()}
    markers = stores.state.markers(list(names.values()))
    with ThreadPoolExecutor(PARTITIONS_AT_ONCE) as threads:
        coming = {
            number: threads.submit(
                copy_context().run,
                _resume_partition,
                job,
                stores,
                names[number],
                markers.get(names[number]),
                now_ms,
            )
            for number in _fitting(job, names, markers)
        }
    for number, future in coming.items():
        partition, marker, documents = future.result()
        job.take(number, partition, marker)
        job.unwritten.extend(documents)


def _fitting(job: Job, names: Mapping[int, str], markers: Mapping[str, Marker]) -> list[int]:
    """Return the first of some partitions for whose models there is room, at least one."""
    fitting: list[int] = []
    free_bytes = job.room_bytes - job.used_bytes
    bytes_per_model = job.empty_partition("").bytes_per_model
    for number, name in names.items():
        free_bytes -= bytes_per_model * (markers[name].n_entities if name in markers else 0)
        if free_bytes < 0 and fitting:
            break
        fitting.append(number)
    return fitting


def look_again(job: Job, stores: Stores) -> None:
    """Note the partitions on which another process has moved since this one last wrote.

    For a process whose lease had run out: it reads the commit markers before anything else.
    """
    held = [partition.log for partition in job.partitions]
    standing = stores.state.markers(held)
    job.lost |= {log for log in held if standing.get(log) != job.markers.get(log)}


def _resume_partition(
    job: Job, stores: Stores, name: str, marker: Marker | None, now_ms: int
) -> tuple[Partition, Marker | None, list[Document]]:
    """Return a partition, the marker it was brought up from, and the documents of what was journaled after it.

    While it is read another process may go on: save newer checkpoints and delete what they cover. What was read is
    then no whole, and it is read again, until it is, or until nothing has moved between two attempts.
    """
    seen = None
    while True:
        partition = job.empty_partition(name)
        if marker:
            _restore(partition, stores.checkpoints, n_groups(marker.n_entities))
            partition.rewind(marker)
        committed = marker.sequence if marker else 0
        reached = committed if marker else _saved_sequence(stores.checkpoints, name)
        saved = dict(partition.saved_sequences)
        if max(saved.values(), default=0) <= committed:
            documents = list(_replay(job, stores, partition, committed, now_ms))
            if partition.sequence >= reached:
                return partition, marker, documents
        if seen == (marker, saved):
            raise StateLostError(_reason(partition, marker, reached))
        seen = marker, saved
        marker = stores.state.markers([name]).get(name)


def _saved_sequence(checkpoints: Checkpoints, name: str) -> int:
    """Return how far a partition without a marker had come that has a checkpoint all the same; else 0."""
    return max((checkpoint.sequence for checkpoint in checkpoints.load(name, 1)), default=0)


def _reason(partition: Partition, marker: Marker | None, reached: int) -> str:
    newest = max(partition.saved_sequences.values(), default=0)
    if newest > reached:
        return (
            f"a checkpoint of {partition.log} is of entry {newest:,}, its commit marker says {reached:,}: an older "
            "marker was put back"
        )
    says = "its commit marker says" if marker else "its commit marker is gone, and a checkpoint says"
    return (
        f"the journal of {partition.log} ends at entry {partition.sequence:,}, {says} {reached:,}: "
        "entries are gone that no checkpoint covers"
    )


def _restore(partition: Partition, checkpoints: Checkpoints, count: int) -> None:
    for checkpoint in checkpoints.load(partition.log, count):
        try:
            partition.restore(checkpoint)
        except NewerFormatError:
            # Not damaged: whoever wrote it can read it, and must not find its models learned anew.
            raise
        except PackingError as error:
            # The journal brings the models of this group, and of those behind it, back as well.
            log.warning("checkpoint_unreadable", log=partition.log, group=checkpoint.group, error=str(error))


def _replay(
    job: Job, stores: Stores, partition: Partition, committed: int, now_ms: int
) -> Iterator[Document]:
    """Apply the journal after the checkpoints; yield the documents of entries after the commit marker."""
    for entry in stores.journal.read(partition.log, partition.sequence):
        scored_entry = partition.apply(entry.sequence, decode_entry(entry.payload))
        if entry.sequence > committed:
            yield from job.maker.documents(partition.roster, scored_entry, now_ms)
