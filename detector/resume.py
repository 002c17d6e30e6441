"""Resuming: partitions come back from marker, checkpoints and the journal after them.

What was journaled after the marker is scored and written again; a run that was killed at any moment goes on as if
nothing had happened.
"""

from collections.abc import Iterator

import structlog

from detector.documents import Document
from detector.job import Job
from detector.journal_entry import decode_entry
from detector.packing import PackingError
from detector.partition import Partition, n_groups
from detector.stores import Checkpoints, Stores
from storage.records import Marker

log = structlog.get_logger(__name__)


class StateLostError(RuntimeError):
    """Models can be rebuilt neither from checkpoints nor from the journal."""


def resume(job: Job, stores: Stores, now_ms: int) -> None:
    """Bring every partition of a job into memory, as it was when it was last written down."""
    job.forget()
    markers = stores.state.markers(job.logs)
    partitions = []
    for name in job.logs:
        partition, documents = _resume_partition(job, stores, name, markers.get(name), now_ms)
        partitions.append(partition)
        job.unwritten.extend(documents)
    job.partitions, job.markers = partitions, markers


def _resume_partition(
    job: Job, stores: Stores, name: str, marker: Marker | None, now_ms: int
) -> tuple[Partition, list[Document]]:
    partition = job.empty_partition(name)
    if marker:
        _restore(partition, stores.checkpoints, n_groups(marker.n_entities))
        partition.rewind(marker)
    committed = marker.sequence if marker else 0
    documents = list(_replay(job, stores, partition, committed, now_ms))
    if partition.sequence < committed:
        msg = (
            f"the journal of {name} ends at entry {partition.sequence:,}, its commit marker says {committed:,}: "
            "entries are gone that no checkpoint covers"
        )
        raise StateLostError(msg)
    return partition, documents


def _restore(partition: Partition, checkpoints: Checkpoints, count: int) -> None:
    for checkpoint in checkpoints.load(partition.log, count):
        try:
            partition.restore(checkpoint)
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
