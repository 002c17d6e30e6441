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
