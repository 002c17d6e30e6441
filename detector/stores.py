"""What the app needs of the outside, as protocols: `poll` is written against these and imports no store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from detector.configuration.config import DetectorConfig
from storage.records import Checkpoint, Entry, Lease, Marker, Refusal, Registration, ResultDocument

Body = dict[str, Any]
"""A search request, or an answer to one."""


class Search(Protocol):
    """Reads source data; raises rather than answer with part of it."""

    @property
    def page_size(self) -> int:
        """Buckets that a page is to hold."""

    def named(self, opaque_id: str, urgency: int = 0) -> "Search":
        """Return the same search under the name of a detector, for the cluster's slow log.

        When searches have to wait, the one with the smaller `urgency` comes first.
        """

    def pages(
        self, indices: Sequence[str], body_of: Callable[[Body | None], Mapping[str, Any]]
    ) -> Iterator[Body]:
        """Yield the pages of a composite aggregation; `body_of` makes the request after a given key."""


class Journal(Protocol):
    """Append-only logs, see `storage.journal.Journal`."""

    def append(self, entries: Sequence[Entry], now_ms: int) -> set[str]:
        """Write next entries; return the logs where another writer was faster."""

    def read(self, log: str, after: int) -> Iterator[Entry]:
        """Yield the entries of a log after a sequence number."""

    def written_before(self, logs: Sequence[str], time_ms: int, most: int) -> list[tuple[str, int]]:
        """Return log and sequence of some of the oldest entries written before a time."""

    def delete(self, entries: Sequence[tuple[str, int]]) -> None:
        """Delete entries by log and sequence."""


class Results(Protocol):
    """The result index, see `storage.results.ResultStore`."""

    def save(self, documents: Sequence[ResultDocument]) -> list[Refusal]:
        """Write documents; return those refused for good."""


class Checkpoints(Protocol):
    """Models as bytes, see `storage.checkpoints.CheckpointStore`."""

    def save(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Write checkpoints; an older one never replaces a newer one."""

    def load(self, log: str, n_groups: int) -> list[Checkpoint]:
        """Return the checkpoints of a log, in ascending order of groups."""


class State(Protocol):
    """Commit markers and reports, see `storage.state.StateStore`."""

    def markers(self, logs: Sequence[str]) -> dict[str, Marker]:
        """Return the markers that exist."""

    def advance(self, markers: Sequence[Marker], now_ms: int) -> tuple[list[Marker], set[str]]:
        """Move markers forward; return them as they stand, and the logs that somebody else has moved."""

    def save_report(self, detector_id: str, report: Mapping[str, Any], now_ms: int, sidecar: int = 0) -> None:
        """Keep the report of a detector's last poll by a sidecar."""


class Leases(Protocol):
    """Which sidecars are alive, see `storage.leases.LeaseStore`."""

    def read(self) -> list[Lease]:
        """Return all leases, also those of dead sidecars."""

    def write(self, lease: Lease, now_ms: int) -> Lease | None:
        """Write a lease over the version that it was read from; None when another was faster."""

    def release(self, lease: Lease) -> None:
        """Delete a lease, unless another process has taken it over."""


class Detectors(Protocol):
    """Registrations, see `storage.detectors.DetectorStore`."""

    def register(
        self,
        detector_id: str,
        configuration: Mapping[str, Any],
        fingerprint: str,
        start_ms: Callable[[Registration | None], int],
        now_ms: int,
    ) -> Registration:
        """Return the registration of a detector, written first where it is new or has changed."""

    def find(self, detector_id: str) -> Registration | None:
        """Return the registration of a detector as it stands."""

    def renew(self, registration: Registration, start_ms: int, now_ms: int) -> Registration:
        """Begin a new generation of a detector whose models are lost."""


@dataclass(frozen=True)
class Stores:
    """Everything a detector reads from and writes to."""

    search: Search
    journal: Journal
    results: Results
    checkpoints: Checkpoints
    state: State
    leases: Leases
    detectors: Detectors
    prepare: Callable[[], None]
    """Make sure that the cluster is one we can work with and that our indices exist; may be called again."""
    cluster_time: Callable[[], int]
    """What time it is by the cluster's clock, epoch milliseconds."""
    require: Callable[[DetectorConfig], None]
    """Refuse a detector whose fields the cluster does not know: it would quietly find nothing."""
