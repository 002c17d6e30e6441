"""What the demo loads: the examples as they are, or moved so that a part of them lies in the future.

Moved, every series has an event of its own a few minutes from now, and what lies ahead can be fed as time passes.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from detector.example_data import TIME_FIELD, Event, documents, labelled_windows
from detector.roster import Entity

LEAD_MS = 10 * 60_000
"""Time from the start of a moved demo until the middle of each series' last labelled window."""

TO_CLOSE_MS = 31 * 60_000
"""From the last document of the taxis until its window is closed: half an hour and the delay. Later, windows without
documents would count as no passengers."""

UNLABELLED_CUT = 0.8
"""Part of a series without label that lies in the past of a moved demo."""

Document = dict[str, Any]


class Sample(NamedTuple):
    """One example, ready to be loaded.

    Attributes
    ----------
    name
        Name of detector and index.
    past
        Documents to load now, their time in epoch milliseconds.
    ahead
        Documents of the future, in the order of their times.
    labels
        Labelled windows whose middle lies in the past, moved like the documents.
    until_ms
        Moment up to which the past can be scored, epoch milliseconds.
    """

    name: str
    past: list[Document]
    ahead: list[Document]
    labels: list[Event]
    until_ms: int

    @property
    def start_ms(self) -> int:
        """Time of the first document."""
        return min(int(document[TIME_FIELD]) for document in self.past)


def sample_as_recorded(name: str) -> Sample:
    """Return an example with the times at which it was recorded."""
    recorded = list(_with_times(name))
    last_ms = max(int(document[TIME_FIELD]) for document in recorded)
    return Sample(name, recorded, [], labelled_windows(name), last_ms + TO_CLOSE_MS)


def sample_as_of(name: str, now_ms: int) -> Sample:
    """Return an example moved so that the last labelled event of each series is about to happen."""
    recorded = list(_with_times(name))
    labels = labelled_windows(name)
    offsets = {entity: now_ms - cut for entity, cut in _cuts(recorded, labels).items()}
    moved = [
        document | {TIME_FIELD: document[TIME_FIELD] + offsets[_entity(document)]} for document in recorded
    ]
    ahead = sorted(
        (document for document in moved if document[TIME_FIELD] > now_ms),
        key=lambda document: int(document[TIME_FIELD]),
    )
    past = [document for document in moved if document[TIME_FIELD] <= now_ms]
    moved_labels = [_moved(label, offsets[label.entity]) for label in labels]
    begun = [label for label in moved_labels if label.start_ms + label.end_ms < 2 * now_ms]
    return Sample(name, past, ahead, begun, now_ms)


def _with_times(name: str) -> Iterator[Document]:
    for document in documents(name):
        moment = datetime.fromisoformat(document[TIME_FIELD])
        yield document | {TIME_FIELD: int(moment.timestamp()) * 1000}


def _entity(document: Document) -> Entity:
    return (document["series"],) if "series" in document else ()


def _cuts(recorded: list[Document], labels: list[Event]) -> dict[Entity, int]:
    """Return the moment of each series, epoch milliseconds, that is to become the present."""
    times: dict[Entity, list[int]] = {}
    for document in recorded:
        times.setdefault(_entity(document), []).append(document[TIME_FIELD])
    cuts = {entity: series[int(UNLABELLED_CUT * len(series))] for entity, series in times.items()}
    for label in labels:  # in order of time, so the last one of a series wins
        cuts[label.entity] = (label.start_ms + label.end_ms) // 2 - LEAD_MS
    return cuts


def _moved(label: Event, offset_ms: int) -> Event:
    return label._replace(start_ms=label.start_ms + offset_ms, end_ms=label.end_ms + offset_ms)
