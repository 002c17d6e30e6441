"""Source data for tests on a node: entities that come and go, doubles, gaps, a spike, and what was written of them."""

import math
import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opensearchpy import OpenSearch, helpers

from detector.commands.connection import build_stores
from detector.configuration.config import DetectorConfig
from detector.stores import Stores

MINUTE_MS = 60_000
START_MS = 1_706_745_000_000 // MINUTE_MS * MINUTE_MS
"""22 minutes before a month ends, so that windows lie on both sides of an index boundary."""

EXECUTION = ("execution_start_time", "execution_end_time")
"""The only fields that may differ between two runs over the same data."""

MAPPING = {"properties": {"time": {"type": "date"}, "load": {"type": "double"}, "host": {"type": "keyword"}}}


def detector(index: str, *, is_single: bool = False, **changes: Any) -> DetectorConfig:
    """Return a detector over such data: a mean and a percentile a minute, one entity a host."""
    document = {
        "name": "load",
        "time_field": "time",
        "indices": [index],
        "feature_attributes": [
            {"feature_name": "mean", "aggregation_query": {"mean": {"avg": {"field": "load"}}}},
            {
                "feature_name": "p90",
                "aggregation_query": {"p90": {"percentiles": {"field": "load", "percents": [90]}}},
            },
        ],
        "detection_interval": {"period": {"interval": 1, "unit": "Minutes"}},
        "history": 45,
    }
    if not is_single:
        document["category_field"] = ["host"]
    return DetectorConfig.model_validate(document | changes)


def index_stream(
    client: OpenSearch, index: str, *, n_hosts: int, n_windows: int, n_history: int = 60
) -> None:
    """Index windows from `n_history` minutes before START_MS to `n_windows` after it."""
    client.indices.create(
        index=index, body={"mappings": MAPPING, "settings": {"number_of_shards": 2, "number_of_replicas": 0}}
    )
    actions = ({"_index": index} | body for body in bodies(n_hosts, n_windows, n_history))
    helpers.bulk(client, actions, chunk_size=5_000, refresh=True)


@contextmanager
def source_index(client: OpenSearch, *, n_hosts: int, n_windows: int, n_history: int = 60) -> Iterator[str]:
    """Give the name of an index with data, as `index_stream` makes it, that is there inside a `with` block."""
    index = f"t-{uuid.uuid4().hex[:10]}-source"
    index_stream(client, index, n_hosts=n_hosts, n_windows=n_windows, n_history=n_history)
    try:
        yield index
    finally:
        client.indices.delete(index=index)


def bodies(n_hosts: int, n_windows: int, n_history: int) -> Iterator[dict[str, Any]]:
    """Yield the documents that `index_stream` indexes."""
    draw = random.Random(7)
    for window in range(-n_history, n_windows):
        for host in range(n_hosts):
            for second in (3, 31, 44):
                noise = draw.gauss(0, 0.7)
                spike = 40 if host == 2 and window == n_windows - 9 else 0
                body = {
                    "time": START_MS + window * MINUTE_MS + second * 1000,
                    "load": 10 * (host + 1) + 3 * math.sin(window / 9) + noise + spike,
                    "host": f"host-{host}",
                }
                if _is_there(host, window, n_windows):
                    yield body


def _is_there(host: int, window: int, n_windows: int) -> bool:
    """Host 0 begins late, host 1 pauses; the others always report."""
    if host == 0:
        return window >= n_windows // 3
    return not (host == 1 and n_windows // 2 <= window < n_windows // 2 + 7)


def stores_of(client: OpenSearch, prefix: str) -> Stores:
    """Return the stores of a prefix, their indices made."""
    stores = build_stores(client, prefix, threading.Event())
    stores.prepare()
    return stores


def written(client: OpenSearch, prefix: str) -> dict[str, dict[str, Any]]:
    """Return all result documents by index and id, without the execution times."""
    client.indices.refresh(index=f"{prefix}-results-*")
    hits = helpers.scan(client, index=f"{prefix}-results-*", query={"query": {"match_all": {}}}, size=5_000)
    return {
        f"{hit['_index'].removeprefix(prefix)}/{hit['_id']}": {
            name: value for name, value in hit["_source"].items() if name not in EXECUTION
        }
        for hit in hits
    }
