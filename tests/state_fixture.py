"""State and results as a release leaves them behind, in a file: `python tests/state_fixture.py` writes it.

One file a release, `tests/data/state-RELEASE.ndjson.gz`. That of a release that is out is never written again: it is
what its users have in their clusters. That of the release in work is written again when a format changes.
"""

import gzip
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from faults import Killed
from opensearchpy import OpenSearch, helpers
from streams import MINUTE_MS, START_MS, detector, index_stream, stores_of

from detector.commands.sidecar import FORMATS
from detector.configuration.config import DetectorConfig
from detector.open import open_job
from detector.poll import poll
from detector.save import save_checkpoints
from storage.node import EmbeddedNode

FOLDER = Path(__file__).parent / "data"
N_HOSTS, N_WINDOWS = 3, 24
SAVED, COMMITTED, JOURNALED = 10, 14, 15
"""Windows behind the checkpoints, behind the commit markers, and in the journal."""


def configs(source: str) -> list[DetectorConfig]:
    """Return the detectors of the state: one of a single stream, one with entities."""
    return [detector(source, name="stream", is_single=True), detector(source, name="hosts")]


def index_source(client: OpenSearch, source: str) -> None:
    """Index the data that the detectors read."""
    index_stream(client, source, n_hosts=N_HOSTS, n_windows=N_WINDOWS)


class _Killing:
    """Results that cannot be written any more: the process dies after the journal."""

    def save(self, documents: list[Any]) -> list[Any]:
        if documents:
            raise Killed
        return []


def run(client: OpenSearch, prefix: str, source: str) -> None:
    """Run the detectors until the process dies in the middle of a window."""
    stores = stores_of(client, prefix)
    for config in configs(source):
        job = open_job(config, stores, START_MS)
        poll(job, stores, START_MS + SAVED * MINUTE_MS)
        save_checkpoints(job, stores.checkpoints, every_entries=1)
        poll(job, stores, START_MS + COMMITTED * MINUTE_MS)
        try:
            poll(job, replace(stores, results=_Killing()), START_MS + JOURNALED * MINUTE_MS)
        except Killed:
            continue


def dump(client: OpenSearch, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield every document under a prefix, with its index and, where ids of versions count, its version."""
    client.indices.refresh(index=f"{prefix}-*")
    hits = helpers.scan(client, index=f"{prefix}-*", query={"query": {"match_all": {}}, "version": True})
    for hit in sorted(hits, key=lambda hit: (hit["_index"], hit["_id"])):
        name = hit["_index"].removeprefix(prefix)
        if name != "-source":
            yield {"index": name, "id": hit["_id"], "version": hit["_version"], "source": hit["_source"]}


def load(client: OpenSearch, prefix: str, path: Path) -> dict[str, int]:
    """Put the documents of a file under a prefix; return the formats that they were written in."""
    first, *documents = map(orjson.loads, gzip.decompress(path.read_bytes()).splitlines())
    actions = []
    for document in documents:
        action = {"_index": prefix + document["index"], "_id": document["id"], "_source": document["source"]}
        if document["index"] == "-checkpoints":
            action |= {"version": document["version"], "version_type": "external"}
        actions.append(action)
    helpers.bulk(client, actions, refresh=True)
    return dict(first["formats"])


def write_file() -> Path:
    """Run on a node of its own and write the file of the release in work."""
    path = FOLDER / f"state-{version('outrider')}.ndjson.gz"
    with EmbeddedNode() as node, OpenSearch(node.url, timeout=60) as client:
        index_source(client, "fixture-source")
        run(client, "fixture", "fixture-source")
        lines = [{"release": version("outrider"), "formats": FORMATS}, *dump(client, "fixture")]
    FOLDER.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, lines)), mtime=0))
    return path


if __name__ == "__main__":
    written = write_file()
    sys.stdout.write(f"{written}: {written.stat().st_size:,} bytes\n")
