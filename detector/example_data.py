"""Example data: the real series that come with Outrider, and what is known about them.

Reads files only; must not know clusters, models or how detection works. Times are written as UTC in them;
those of the taxis are New York wall-clock times (see `examples/data/README.md`).
"""

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

EXAMPLES = ("nyc-taxi", "cloudwatch")
"""Names of the examples: of the detector, its file, its index and its data."""
TIME_FIELD = "timestamp"
MAPPINGS: dict[str, dict[str, str]] = {
    "nyc-taxi": {TIME_FIELD: "date", "passengers": "integer"},
    "cloudwatch": {TIME_FIELD: "date", "series": "keyword", "value": "double"},
}
"""Field to type, as an index for the example needs it."""


class Event(NamedTuple):
    """Something that is known to have happened.

    Parameters
    ----------
    entity
        Values of the detector's category fields; empty for a single stream.
    start_ms, end_ms
        The time it took (epoch ms), end exclusive.
    name
        What happened; empty where only the benchmark's label is known.
    """

    entity: tuple[str, ...]
    start_ms: int
    end_ms: int
    name: str

    def covers(self, entity: tuple[str, ...], start_ms: int, end_ms: int) -> bool:
        """Say whether the event touches a window of an entity."""
        return entity == self.entity and start_ms < self.end_ms and self.start_ms < end_ms


def examples_folder() -> Path:
    """Return the folder with `detectors/` and `data/`: in the installed package, else in the checkout.

    Raises
    ------
    FileNotFoundError
        If neither has it.
    """
    installed = Path(str(files("detector"))) / "examples"
    for folder in (installed, installed.parents[1] / "examples"):
        if (folder / "data").is_dir():
            return folder
    msg = f"the example data are missing: expected the folder {installed}; install Outrider again"
    raise FileNotFoundError(msg)


def documents(example: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of an example as they are in its file: series by series, each in order of time."""
    types = MAPPINGS[example]
    with gzip.open(
        examples_folder() / "data" / f"{example}.csv.gz", "rt", encoding="ascii", newline=""
    ) as text:
        for row in csv.DictReader(text):
            yield {field: _value(types[field], cell) for field, cell in row.items()}


def labelled_windows(example: str) -> list[Event]:
    """Return the windows in which the benchmark has an anomaly, in the order of its files."""
    return [
        Event(
            entity=(label["entity"],) if "entity" in label else (),
            start_ms=_epoch_ms(label["start"]),
            end_ms=_epoch_ms(label["end"]),
            name=label.get("event", ""),
        )
        for label in _labels(example)["labelled_windows"]
    ]


def known_events(example: str) -> list[Event]:
    """Return what is known to have happened, by day; empty where nothing but the labels is known."""
    day_ms = timedelta(days=1) // timedelta(milliseconds=1)
    return [
        Event((), _epoch_ms(event["first_day"]), _epoch_ms(event["last_day"]) + day_ms, event["event"])
        for event in _labels(example)["known_events"]
    ]


def _labels(example: str) -> dict[str, Any]:
    text = (examples_folder() / "data" / "labels.json").read_text(encoding="utf-8")
    labels: dict[str, Any] = json.loads(text)[example]
    return labels


def _value(kind: str, cell: str) -> str | int | float:
    """Return a cell as the type of its field; numbers keep their bits."""
    match kind:
        case "integer":
            return int(cell)
        case "double":
            return float(cell)
        case _:
            return cell


def _epoch_ms(text: str) -> int:
    """Return an ISO time as epoch ms; a day stands for its midnight, and what names no zone is UTC."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1000
