"""One poll of one detector: the file that explains the product.

Closed windows are read, written to the journal, scored, written as results, and committed, in this order and block by
block. A process that is killed between any two of these steps goes on from the journal, and the result index ends up
with the documents of a run that was never interrupted.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from detector.job import Job
from detector.journal_entry import JournalEntry
from detector.partition import Partition
from detector.read import read_block, read_history
from detector.resume import resume
from detector.rotate import make_room, rotate
from detector.save import prune_journal, save_checkpoints
from detector.settle import Tally, settle
from detector.stores import Stores
from features.block import FeatureBlock
from storage.records import Entry

log = structlog.get_logger(__name__)

EntryMaker = Callable[[Partition, FeatureBlock, int], JournalEntry | None]


@dataclass
class PollReport(Tally):
    """What a poll has done; counts are of this poll alone."""

    windows: int = 0
    is_complete: bool = True

    def plus(self, later: "PollReport") -> "PollReport":
        """Return what this poll and a later one have done together."""
        return PollReport(
            windows=self.windows + later.windows,
            results=self.results + later.results,
            anomalies=self.anomalies + later.anomalies,
            refused=self.refused + later.refused,
            is_complete=later.is_complete,
        )


def poll(
    job: Job,
    stores: Stores,
    now_ms: int,
    *,
    share: Callable[[], frozenset[int]] | None = None,
    oldest_ms: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[PollReport], None] = lambda _: None,
) -> PollReport:
    """Bring a detector up to `now_ms`: score every window that is closed by then and not scored yet.

    Parameters
    ----------
    job
        The detector. It is resumed from the cluster first where it is not in memory.
    stores
        Where it reads and writes.
    now_ms
        The present, epoch milliseconds.
    share
        Asked between blocks for the numbers of the partitions that this process is to work on; None = those that
        `job` works on already.
    oldest_ms
        Windows that end at or before this moment (epoch milliseconds) are not caught up but written down as skipped;
        None = everything is caught up.
    should_stop
        Asked between blocks; when it says yes the poll ends early, with everything committed.
    on_progress
        Called after each block with the report so far.

    Raises
    ------
    StorageError
        When the cluster failed. Nothing is lost: the next poll goes on from what was journaled.
    """
    report = PollReport()
    while True:
        if share is not None:
            job.share = share()
        _settle(job, stores, now_ms, report)
        if oldest_ms is not None and not should_stop():
            _skip(job, stores, oldest_ms, now_ms)
            _settle(job, stores, now_ms, report)
        end_times_ms = job.next_windows(now_ms)
        if not end_times_ms.size or should_stop():
            break
        block = job.own_part(read_block(job, stores.search, end_times_ms))
        history = read_history(job, stores.search, block)
        if history is not None:
            _journal(job, stores, history, Partition.history_entry, now_ms)
            if job.lost:
                # Another process was faster, perhaps with fewer entities: the history of the others is still to come.
                continue
            _settle(job, stores, now_ms, report)
        _journal(job, stores, block, Partition.windows_entry, now_ms)
        _settle(job, stores, now_ms, report)
        save_checkpoints(job, stores.checkpoints)
        rotate(job, stores.checkpoints)
        prune_journal(job, stores.journal, now_ms)
        report.windows += len(block.end_times_ms)
        on_progress(report)
    if not report.windows and job.is_behind and not should_stop():
        rotate(job, stores.checkpoints)
        _settle(job, stores, now_ms, report)
    report.is_complete = not job.next_windows(now_ms).size
    return report


def _journal(job: Job, stores: Stores, block: FeatureBlock, make: EntryMaker, now_ms: int) -> None:
    """Write a block to the journal, one entry a partition; from here on what was read is fixed."""
    revision = job.registration.revision
    _append(
        job,
        stores,
        [(partition, make(partition, part, revision)) for partition, part in job.split(block)],
        now_ms,
    )


def _skip(job: Job, stores: Stores, oldest_ms: int, now_ms: int) -> None:
    """Take the partitions over windows that are too old; what is skipped stands in the journal like what is read."""
    revision = job.registration.revision
    made = [
        (partition, partition.skipped_entry(job.skipped_windows(partition, oldest_ms), revision))
        for partition in job.partitions
    ]
    skipped = [entry.end_times_ms for _, entry in made if entry is not None]
    if skipped:
        since_ms = job.config.interval.previous(min(int(ends[0]) for ends in skipped))
        log.warning(
            "windows_skipped",
            detector=job.detector_id,
            since=str(np.datetime64(since_ms, "ms")),
            until=str(np.datetime64(int(skipped[0][-1]), "ms")),
            partitions=len(skipped),
        )
    _append(job, stores, made, now_ms)


def _append(job: Job, stores: Stores, made: list[tuple[Partition, JournalEntry | None]], now_ms: int) -> None:
    """Write the next entries of some partitions; those where another process was faster are noted as lost."""
    entries = [(partition, partition.sequence + 1, entry) for partition, entry in made if entry is not None]
    written = [Entry(partition.log, sequence, entry.encode()) for partition, sequence, entry in entries]
    lost = stores.journal.append(written, now_ms)
    lost |= _overtaken(stores, written)
    for partition, sequence, entry in entries:
        if partition.log not in lost:
            job.accept(partition, sequence, entry)
    job.lost |= lost


def _overtaken(stores: Stores, written: list[Entry]) -> set[str]:
    """Return the logs whose commit marker is past the entry that was just written.

    A process that stood still while others went on may come back after the journal was pruned: its entry then
    takes a number that is free again. The marker, which was past it before it could be pruned, says so; nobody
    will read that entry, and the next look at the end of the journal deletes it. No clock is asked.
    """
    markers = stores.state.markers([entry.log for entry in written])
    return {
        entry.log
        for entry in written
        if entry.log in markers and markers[entry.log].sequence >= entry.sequence
    }


def _settle(job: Job, stores: Stores, now_ms: int, report: PollReport) -> None:
    """Score what is journaled, write the documents, move the markers, and hold the share of this process in memory.

    Goes on where an earlier poll failed. What another process has written of our partitions is the truth: they are
    brought back from the cluster.
    """
    while True:
        settle(job, stores.results, now_ms, report)
        moved, lost = stores.state.advance(job.next_markers(), now_ms)
        job.markers.update({marker.log: marker for marker in moved})
        job.lost |= lost
        make_room(job, stores.checkpoints)
        if job.is_resumed:
            return
        resume(job, stores, now_ms)
