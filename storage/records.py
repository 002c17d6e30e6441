"""The plain records that stores take and give; the app knows these and no store.

Imports nothing of OpenSearch. What the bytes and numbers in a record mean is the app's business.
"""

from typing import Any, NamedTuple, Protocol


class Entry(NamedTuple):
    """One entry of one log: `log` names it, `sequence` counts from 1."""

    log: str
    sequence: int
    payload: bytes


class Checkpoint(NamedTuple):
    """One group of models of the log `log` after its journal entry `sequence`."""

    log: str
    group: int
    sequence: int
    payload: bytes


class Marker(NamedTuple):
    """How far the log `log` has been scored and written.

    Attributes
    ----------
    log
        Name of the partition's journal log.
    sequence
        Last journal entry whose documents all stand.
    frontier_ms
        Exclusive end of the last window of that entry or of those before it, epoch milliseconds.
    n_entities
        Length of the roster after that entry.
    version
        (seq_no, primary_term) of the marker document as it was read or written; None before the first.
    """

    log: str
    sequence: int
    frontier_ms: int
    n_entities: int
    version: tuple[int, int] | None = None


class Lease(NamedTuple):
    """What a sidecar says of itself while it is alive.

    Attributes
    ----------
    number
        Which of the leases it holds, from 0.
    holder
        Name of the process, unlike that of any other.
    release
        Release of Outrider that it runs.
    formats
        Name to version of everything that it writes into the state.
    seconds
        Time without a change after which it counts as dead, measured by whoever looks.
    work
        Detectors that it runs, with the number of partitions of each.
    held
        Partitions of each detector that it works on.
    updated_at
        Wall clock of its host at the last renewal, epoch milliseconds; for people.
    version
        (seq_no, primary_term) of the document; changes at every renewal. None before it was written.
    """

    number: int
    holder: str
    release: str
    formats: dict[str, int]
    seconds: float
    work: dict[str, int]
    held: dict[str, int]
    updated_at: int = 0
    version: tuple[int, int] | None = None


class Registration(NamedTuple):
    """A detector as it stands in the cluster.

    Attributes
    ----------
    detector_id
        Name of the detector.
    generation
        Counts from 1; part of the names of journal, markers, checkpoints and result ids.
    revision
        Counts every change of the configuration, from 1.
    start_ms
        Start of the first window of this generation, epoch milliseconds.
    fingerprint
        Hash of what makes a generation.
    configuration
        The detector's JSON.
    """

    detector_id: str
    generation: int
    revision: int
    start_ms: int
    fingerprint: str
    configuration: dict[str, Any]


class ResultDocument(Protocol):
    """What the store needs of a document; see `detector.documents.Document`."""

    @property
    def id(self) -> str:
        """Computed id."""

    @property
    def end_time_ms(self) -> int:
        """Window end, epoch milliseconds."""

    @property
    def source(self) -> bytes:
        """The document as JSON."""

    @property
    def only_new(self) -> bool:
        """Whether a document that exists stays."""


class Refusal(NamedTuple):
    """A document that the cluster will never take, by its position, and why."""

    position: int
    reason: str


class IndexFacts(NamedTuple):
    """One of our indices.

    Attributes
    ----------
    name
        Its name.
    schema_version, known_version
        The version it was made with, and the one this release makes.
    blocks
        Names of the blocks that are set, such as `read_only_allow_delete`.
    n_fields, most_fields
        Fields in its mapping, and the limit on them.
    """

    name: str
    schema_version: int
    known_version: int
    blocks: tuple[str, ...]
    n_fields: int
    most_fields: int


class DiskFacts(NamedTuple):
    """The fullest data node: share of its disk that is used, 0..1, and the shares at which the cluster acts."""

    node: str
    used: float
    low: float | None
    flood: float | None
