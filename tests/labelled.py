"""The example data as a folder in NAB's layout, for tests of what reads such folders."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

from detector.example_data import TIME_FIELD, documents, labelled_windows

FOLDERS = {"nyc-taxi": "realKnownCause", "cloudwatch": "realAWSCloudwatch"}


def write_nab_folder(folder: Path, *examples: str) -> Path:
    """Write `data/<folder>/<series>.csv` and `labels/combined_windows.json`; return the folder."""
    labels: dict[str, list[list[str]]] = {}
    for example in examples:
        rows: dict[str, list[tuple[str, float]]] = {}
        for document in documents(example):
            name = f"{FOLDERS[example]}/{document.get('series', 'nyc_taxi')}.csv"
            value = document["passengers" if example == "nyc-taxi" else "value"]
            rows.setdefault(name, []).append((_nab_time(document[TIME_FIELD]), value))
        for name, lines in rows.items():
            path = folder / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("timestamp", "value"), *lines])
            labels[name] = []
        for event in labelled_windows(example):
            name = f"{FOLDERS[example]}/{(*event.entity, 'nyc_taxi')[0]}.csv"
            labels[name].append([_of_ms(event.start_ms), _of_ms(event.end_ms)])
    (folder / "labels").mkdir(parents=True)
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(labels), encoding="utf-8")
    return folder


def _nab_time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")


def _of_ms(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
