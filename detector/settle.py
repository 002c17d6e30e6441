"""Settling: what is journaled is scored and its documents are written, both at once.

Scoring holds the processor and writing waits for the cluster, so partitions are scored in threads while the documents
of those before are on their way in a few requests side by side. Nothing depends on the order: a partition's entries are
scored one after another, and a document's id and content follow from its entry.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import structlog

from detector.documents import Document, error_document
from detector.job import Job
from detector.journal_entry import JournalEntry
from detector.partition import Partition
from detector.stores import Results
from storage.errors import Rejected

log = structlog.get_logger(__name__)

DOCUMENTS_AT_ONCE = 5_000
"""Documents a request: some megabytes, so that small partitions share one."""

REQUESTS_AT_ONCE = 2
"""Requests with documents side by side. Two keep two cores of a node busy; a cluster shares them among its nodes."""

SCORING_THREADS = 2
"""Partitions that are scored at the same time."""


@dataclass
class Tally:
    """What was written: documents, those with a grade above 0, those that the cluster refused for good."""

    results: int = 0
    anomalies: int = 0
    refused: int = 0


def settle(job: Job, results: Results, now_ms: int, tally: Tally) -> None:
    """Score every journaled entry and write all documents, those of an earlier poll that failed first.

    Raises
    ------
    StorageError
        When documents could not be written: they are kept in `job.unwritten`, entries not scored yet in
        `job.journaled`.
    Exception
        Whatever scoring raised. The models, of which some have then seen half an entry, are dropped.
    """
    scoring: deque[Future[list[Document]]] = deque()
    with ThreadPoolExecutor(SCORING_THREADS) as scorers, ThreadPoolExecutor(REQUESTS_AT_ONCE) as connections:
        writing = _Writing(job, results, connections, tally)
        try:
            writing.send()
            while job.journaled or scoring:
                while job.journaled and len(scoring) <= SCORING_THREADS:
                    scoring.append(scorers.submit(_score, job, job.take_entries(), now_ms))
                _take(job, scoring)
                writing.send(DOCUMENTS_AT_ONCE)
            writing.send()
        finally:
            while scoring:
                _take(job, scoring)
            writing.finish()


def _score(job: Job, entries: Sequence[tuple[Partition, int, JournalEntry]], now_ms: int) -> list[Document]:
    """Let the models of one partition see its entries."""
    documents: list[Document] = []
    for partition, sequence, entry in entries:
        documents += job.maker.documents(partition.roster, partition.apply(sequence, entry), now_ms)
    return documents


def _take(job: Job, scoring: deque[Future[list[Document]]]) -> None:
    """Take over the documents of the partition that has been at it for longest."""
    try:
        job.unwritten.extend(scoring.popleft().result())
    except BaseException:
        wait(scoring)
        scoring.clear()
        job.forget()
        raise


class _Writing:
    """Requests with documents that are on their way."""

    def __init__(self, job: Job, results: Results, connections: ThreadPoolExecutor, tally: Tally) -> None:
        self._job, self._results, self._connections, self._tally = job, results, connections, tally
        self._sent: deque[tuple[list[Document], Future[list[str]]]] = deque()

    def send(self, at_least: int = 1) -> None:
        """Send what waits, in requests of `DOCUMENTS_AT_ONCE`, while it is `at_least` so many.

        Waits for earlier requests when there are enough on their way.
        """
        waiting = self._job.unwritten
        while len(waiting) >= at_least:
            if len(self._sent) > REQUESTS_AT_ONCE:
                self._receive()
            batch = waiting[:DOCUMENTS_AT_ONCE]
            del waiting[:DOCUMENTS_AT_ONCE]
            self._sent.append((batch, self._connections.submit(_write, self._results, batch)))

    def finish(self) -> None:
        """Wait until everything stands; a failure is raised when all requests have ended."""
        try:
            while self._sent:
                self._receive()
        finally:
            if self._sent:
                self.finish()

    def _receive(self) -> None:
        """Hear what became of the oldest request; its documents wait again when it failed."""
        batch, answer = self._sent.popleft()
        try:
            refusals = answer.result()
        except BaseException:
            self._job.unwritten.extend(batch)
            raise
        for reason in refusals:
            log.error("document_refused", detector=self._job.detector_id, reason=reason)
        self._tally.results += len(batch)
        self._tally.anomalies += sum(document.is_anomaly for document in batch)
        self._tally.refused += len(refusals)


def _write(results: Results, documents: Sequence[Document]) -> list[str]:
    """Write documents; return why some were refused for good, which are replaced by ones that say so.

    Where even those are refused it is the index that takes nothing (closed, or never made because the cluster has no
    room for another shard), and the documents wait for it; not those of history, whose months may be closed for good.
    """
    refusals = results.save(documents)
    replaced = [error_document(documents[refusal.position], refusal.reason) for refusal in refusals]
    for refusal in results.save(replaced) if replaced else ():
        if not replaced[refusal.position].only_new:
            msg = f"the result index takes no documents: {refusal.reason}"
            raise Rejected(msg, status=400)
    return [refusal.reason for refusal in refusals]
