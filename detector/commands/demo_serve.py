"""`outrider demo --serve`: the sidecar runs on, and the series go on arriving as time passes."""

import threading
import time

from opensearchpy import OpenSearch
from rich.console import Console

from detector.commands import logs
from detector.commands.demo_data import Sample
from detector.configuration.config import DetectorConfig
from detector.example_data import TIME_FIELD
from detector.schedule import Schedule
from detector.stores import Stores
from storage.ingest import add_documents

FEED_EVERY_S = 2.0
"""Time between two looks at which documents have become due."""


def serve(
    console: Console,
    client: OpenSearch,
    stores: Stores,
    configs: list[DetectorConfig],
    samples: list[Sample],
    stopping: threading.Event,
) -> None:
    """Run the sidecar and feed it until Ctrl-C."""
    logs.configure("text", "info")
    schedule = Schedule(configs, stores, stopping=stopping)
    schedule.start()
    console.print("Live data are arriving now; a window is scored when it has closed. Ctrl-C ends it.\n")
    try:
        while not stopping.wait(FEED_EVERY_S):
            _feed(client, samples)
    finally:
        schedule.stop()


def _feed(client: OpenSearch, samples: list[Sample]) -> None:
    """Index the documents whose time has come."""
    now_ms = time.time_ns() // 1_000_000
    for sample in samples:
        due = 0
        while due < len(sample.ahead) and sample.ahead[due][TIME_FIELD] <= now_ms:
            due += 1
        if due:
            add_documents(client, sample.name, sample.ahead[:due])
            del sample.ahead[:due]
