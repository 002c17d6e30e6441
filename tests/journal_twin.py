"""What a result index must hold: every entry of the journal scored once, in order, where nothing ever happens."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from arrivals import Arrivals, end_ms, window_of
from opensearchpy import OpenSearch, helpers
from streams import EXECUTION, stores_of

from detector.configuration.config import DetectorConfig
from detector.job import Job
from detector.journal_entry import JournalEntry, decode_entry
from detector.partition import Partition
from storage.records import Registration

Documents = dict[str, dict[str, Any]]
"""Result documents without execution times, by index and id."""


@dataclass
class Followed:
    """A generation of a detector: its models, and which windows of which hosts were journaled."""

    job: Job
    partitions: list[Partition]
    read: set[tuple[int, str]] = field(default_factory=set)


class JournalTwin:
    """Follows the journal of a prefix and writes its own results under another one."""

    def __init__(self, client: OpenSearch, prefix: str, arrivals: Arrivals) -> None:
        self._client, self._arrivals = client, arrivals
        self._prefix, self._own_prefix = prefix, f"{prefix}-twin"
        self._torn, self._own = stores_of(client, prefix), stores_of(client, self._own_prefix)
        self._followed: dict[tuple[str, int], Followed] = {}

    def follow(self, detector_id: str, polled: int | None = None) -> None:
        """Take in what is new in the journal, up to a window that was polled if any, and check what was read."""
        registration = self._torn.detectors.find(detector_id)
        if registration is None:
            assert polled is None, "it is registered before it is polled"
            return
        followed = self._generation(registration)
        documents = []
        for partition in followed.partitions:
            for entry in self._torn.journal.read(partition.log, partition.sequence):
                decoded = decode_entry(entry.payload)
                scored = partition.apply(entry.sequence, decoded)
                documents += followed.job.maker.documents(partition.roster, scored, 0)
                followed.read |= self._checked(partition, decoded)
            assert polled is None or partition.frontier_ms == end_ms(polled), (
                f"{partition.log} ends too early"
            )
        last_ms = min(partition.frontier_ms for partition in followed.partitions)
        for window in range(window_of(registration.start_ms) + 1, window_of(last_ms) + 1):
            for host in self._arrivals.hosts(window):
                assert (window, host) in followed.read, f"window {window} of {host} is not in the journal"
        self._own.results.save(documents)

    def forget(self, detector_id: str) -> None:
        """Let go of the models of a detector."""
        for key in [key for key in self._followed if key[0] == detector_id]:
            del self._followed[key]

    def _generation(self, registration: Registration) -> Followed:
        key = registration.detector_id, registration.generation
        if key not in self._followed:
            # The generations before are over; their models would fill the memory in a soak.
            self.forget(registration.detector_id)
            job = Job(DetectorConfig.model_validate(registration.configuration), registration)
            self._followed[key] = Followed(job, [job.empty_partition(log) for log in job.logs])
        return self._followed[key]

    def _checked(self, partition: Partition, entry: JournalEntry) -> set[tuple[int, str]]:
        """Return windows and hosts of an entry, each of which must have been so at some moment."""
        read = set()
        for row, time_ms in enumerate(entry.end_times_ms.tolist()):
            window = window_of(time_ms)
            for column, place in enumerate(entry.rows.tolist()):
                count = int(entry.doc_counts[row, column])
                if count > 0:
                    (host,) = partition.roster.entities[place]
                    mean = float(entry.values[row, column, 0])
                    assert self._arrivals.was_there(window, host, mean, count), (window, host, mean, count)
                    read.add((window, host))
        return read

    def compare(self, **condition: Any) -> int:
        """Compare the results of both, all or those that fulfil a query; return how many there are."""
        torn, own = (self._written(prefix, condition) for prefix in (self._prefix, self._own_prefix))
        missing, doubled = sorted(own.keys() - torn.keys()), sorted(torn.keys() - own.keys())
        assert torn == own, f"results differ: missing {missing[:5]}, too many {doubled[:5]}"
        return len(own)

    def drop_results(self, before_ms: int) -> None:
        """Delete the months of results that ended before a moment, of both: a node holds some hundred of them."""
        oldest = f"{datetime.fromtimestamp(before_ms / 1000, UTC):%Y.%m}"
        for prefix in (self._prefix, self._own_prefix):
            found = self._client.indices.get(index=f"{prefix}-results-*", ignore_unavailable=True)
            for index in [name for name in found if name.rpartition("-")[2] < oldest]:
                self._client.indices.delete(index=index)

    def _written(self, prefix: str, condition: dict[str, Any]) -> Documents:
        self._client.indices.refresh(index=f"{prefix}-results-*")
        query = {"query": condition or {"match_all": {}}}
        hits = helpers.scan(self._client, index=f"{prefix}-results-*", query=query, size=5_000)
        return {
            f"{hit['_index'].removeprefix(prefix)}/{hit['_id']}": {
                name: value for name, value in hit["_source"].items() if name not in EXECUTION
            }
            for hit in hits
        }
