"""Loads the example data into the cluster at OPENSEARCH_URL, and goes on feeding them as time passes.

The series are moved so that the present lies a few minutes before a known event of each. What is past is scored
here, by the same command that scores it live; the sidecar then goes on from the state in the cluster.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from opensearchpy import OpenSearch

from detector.commands.demo_data import Sample, sample_as_of
from detector.example_data import EXAMPLES, MAPPINGS, TIME_FIELD
from storage.client import connect
from storage.ingest import add_documents, replace_index
from storage.settings import load_cluster

LOADED = Path("/tmp/loaded")  # noqa: S108 - the container's own
"""Exists when the past is loaded and scored: the health check of the container looks for it."""

FEED_EVERY_S = 2.0


def main(detectors: Path) -> None:
    """Load and score the past, then feed what lies ahead until stopped."""
    LOADED.unlink(missing_ok=True)
    with connect(load_cluster()) as client:
        if any(client.indices.exists(index=name) for name in EXAMPLES):
            print(
                "The examples are loaded already; `docker compose down --volumes` makes room for fresh ones."
            )
            samples = []
        else:
            samples = [sample_as_of(name, time.time_ns() // 1_000_000) for name in EXAMPLES]
            for sample in samples:
                load(client, sample, detectors / f"{sample.name}.json")
        while True:
            for sample in samples:
                feed(client, sample)
            LOADED.touch()
            time.sleep(FEED_EVERY_S)


def load(client: OpenSearch, sample: Sample, detector: Path) -> None:
    """Make the index of an example, fill it with the past, and score that."""
    replace_index(client, sample.name, MAPPINGS[sample.name])
    print(f"{sample.name}: {add_documents(client, sample.name, sample.past):,} documents loaded")
    start, until = (
        datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
        for time_ms in (sample.start_ms, sample.until_ms)
    )
    subprocess.run(
        [
            sys.executable,
            "-m",
            "detector",
            "run",
            "--config",
            str(detector),
            "--start",
            start,
            "--until",
            until,
        ],
        check=True,
    )


def feed(client: OpenSearch, sample: Sample) -> None:
    """Index the documents whose time has come; they are in order."""
    now_ms = time.time_ns() // 1_000_000
    due = [document for document in sample.ahead if document[TIME_FIELD] <= now_ms]
    if due:
        add_documents(client, sample.name, due)
        del sample.ahead[: len(due)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
