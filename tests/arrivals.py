"""Source data that arrive while a sidecar is killed, and what may have been read of them at which moment.

Hosts come and go, documents come late, windows are so long that a month ends every few of them. Doubles and percentiles
on three shards that are searched by several threads: reading a window twice need not give the same bits.
"""

import math
import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

from opensearchpy import OpenSearch, helpers

WINDOW_MS = 5 * 86_400_000
START_MS = 1_706_745_600_000 // WINDOW_MS * WINDOW_MS
N_HISTORY = 45
NEWCOMERS_STAY = 5

SETTINGS = {
    "number_of_shards": 3,
    "number_of_replicas": 0,
    "search.concurrent_segment_search.mode": "all",
    "search.concurrent.max_slice_count": 4,
}
MAPPING = {"properties": {"time": {"type": "date"}, "load": {"type": "double"}, "host": {"type": "keyword"}}}


def detector_json(index: str, name: str, percent: float = 90) -> dict[str, Any]:
    """Return a detector over such data; another `percent` is another feature, and so a new generation."""
    return {
        "name": name,
        "time_field": "time",
        "indices": [index],
        "category_field": ["host"],
        "feature_attributes": [
            {"feature_name": "mean", "aggregation_query": {"mean": {"avg": {"field": "load"}}}},
            {
                "feature_name": "high",
                "aggregation_query": {"high": {"percentiles": {"field": "load", "percents": [percent]}}},
            },
        ],
        "detection_interval": {"period": {"interval": 120, "unit": "Hours"}},
        "history": N_HISTORY,
    }


def end_ms(window: int) -> int:
    """Return the end of a window; that of window 0 begins at START_MS."""
    return START_MS + (window + 1) * WINDOW_MS


def window_of(time_ms: int) -> int:
    """Return the number of the window that ends at a moment."""
    return (time_ms - START_MS) // WINDOW_MS - 1


class Arrivals:
    """The documents of an index, in the order in which they arrived."""

    def __init__(self, client: OpenSearch, index: str) -> None:
        self.index = index
        self._client = client
        self._draw = random.Random(3)
        self._arrived: dict[tuple[int, str], list[list[float]]] = {}
        client.indices.create(index=index, body={"mappings": MAPPING, "settings": SETTINGS})
        for window in range(-N_HISTORY, 0):
            self.arrive(window)

    def arrive(self, window: int) -> None:
        """Index the documents of a window."""
        self._index(window, {name: [self._value(window, name) for _ in range(3)] for name in _hosts(window)})

    def arrive_late(self, window: int) -> None:
        """Index more documents of a window: who reads it later sees other values."""
        self._index(window, {"always": [self._value(window, "always") + 5]})

    def was_there(self, window: int, name: str, mean: float, count: int) -> bool:
        """Say whether this is what the documents said of a host after one of the arrivals."""
        arrived = self._arrived.get((window, name), [])
        seen = [[*chain.from_iterable(arrived[:n])] for n in range(1, len(arrived) + 1)]
        return any(
            len(values) == count and math.isclose(math.fsum(values) / count, mean, rel_tol=1e-12)
            for values in seen
        )

    def hosts(self, window: int) -> set[str]:
        """Return the hosts that have documents in a window."""
        return {name for at, name in self._arrived if at == window}

    def _value(self, window: int, name: str) -> float:
        level = 10 * (hash_of(name) % 7 + 1)
        spike = 60 if name == "spiking" and window % 20 == 13 else 0
        return level + 3 * math.sin(window / 9) + self._draw.gauss(0, 0.7) + spike

    def _index(self, window: int, documents: dict[str, list[float]]) -> None:
        actions = []
        for name, values in documents.items():
            self._arrived.setdefault((window, name), []).append(values)
            for value in values:
                time_ms = end_ms(window) - self._draw.randrange(1, WINDOW_MS)
                actions.append({"_index": self.index, "time": time_ms, "load": value, "host": name})
        # Small segments, so that there is something to search at once.
        for part in (actions[::2], actions[1::2]):
            helpers.bulk(self._client, part, refresh=True)


def hash_of(name: str) -> int:
    """Return a small number of a name, the same in every process."""
    return sum(name.encode())


def _hosts(window: int) -> Iterator[str]:
    """Three that always report, one that pauses, and every third window a newcomer that stays for a while."""
    yield from ("always", "spiking", "calm")
    if window // 4 % 2 == 0:
        yield "pausing"
    for first in range(window - NEWCOMERS_STAY + 1, window + 1):
        if first > 0 and first % 3 == 0:
            yield f"new-{first}"
