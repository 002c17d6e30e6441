"""Entities for the benchmark of the whole path: their raw documents, and models that have seen a thousand windows.

A few hundred streams are really learnt; every entity is one of them under a name of its own, and its documents go on
with that stream. Knows the source index and the fleet, no clock.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from opensearchpy import OpenSearch

from detector.configuration.config import DetectorConfig
from detector.job import model_settings
from detector.model.fleet import Fleet
from detector.partition import Partition
from storage.retry import Retry
from storage.translate import translate_errors

MINUTE_MS = 60_000
START_MS = 1_767_571_200_000
"""2026-01-05, 00:00 UTC: no index boundary within the windows of a measurement."""
N_STREAMS = 256
N_LEARNT = 1_500
"""Windows that every model has seen: more than a day of minutes, so that the season is there as well."""
DOCUMENTS_A_REQUEST = 20_000

MAPPING = {"dynamic": "false", "properties": {"time": {"type": "date"}, "host": {"type": "keyword"}}}
SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}


def detector(index: str, n_features: int, *, is_single: bool = False, history: int = 40) -> DetectorConfig:
    """Return the detector that is measured: one average a feature and minute, an entity a host."""
    features = [
        {"feature_name": f"load_{k}", "aggregation_query": {f"mean_{k}": {"avg": {"field": f"load_{k}"}}}}
        for k in range(n_features)
    ]
    document = {
        "name": "pipeline",
        "time_field": "time",
        "indices": [index],
        "feature_attributes": features,
        "detection_interval": {"period": {"interval": 1, "unit": "Minutes"}},
        "history": history,
        "category_field": [] if is_single else ["host"],
    }
    return DetectorConfig.model_validate(document)


def values(window: int, n_features: int) -> NDArray[np.float64]:
    """Return the values of all streams in a window that is counted from START_MS.

    Float64, shape (N_STREAMS, n_features): a daily wave of its own for each stream, noise, and a few spikes.
    """
    draw = np.random.default_rng([window + 10_000_000, n_features])
    stream = np.arange(N_STREAMS)[:, np.newaxis]
    level = 20 + 7.3 * (stream % 37) + np.arange(n_features)
    wave = 0.2 * level * np.sin(2 * np.pi * (window + 11 * stream) / 1440)
    noise = draw.normal(0, 0.03, (N_STREAMS, n_features)) * level
    spike = (draw.random((N_STREAMS, 1)) < 0.001) * level
    return np.round(level + wave + noise + spike, 3)


class SourceIndex:
    """The index with the raw documents of `n_entities` entities, one a window and entity."""

    def __init__(self, client: OpenSearch, name: str, n_entities: int, n_features: int) -> None:
        self._client, self.name = client, name
        self.n_entities, self._n_features = n_entities, n_features
        self._retry = Retry()
        fields = {f"load_{k}": {"type": "double"} for k in range(n_features)}
        mapping = MAPPING | {"properties": MAPPING["properties"] | fields}
        client.indices.create(index=name, body={"mappings": mapping, "settings": SETTINGS})

    def fill(self, windows: Sequence[int]) -> None:
        """Index the documents of windows that are counted from START_MS, and make them visible."""
        lines = (line for window in windows for line in self._lines(window))
        with ThreadPoolExecutor(2) as threads:
            pending = []
            while body := list(islice(lines, DOCUMENTS_A_REQUEST)):
                pending.append(threads.submit(self._retry, self._send, "".join(body)))
                if len(pending) > 4:
                    pending.pop(0).result()
            for sent in pending:
                sent.result()
        self._client.indices.refresh(index=self.name)

    def _send(self, body: str) -> None:
        with translate_errors(self.name):
            answer = self._client.bulk(body=body, index=self.name, params={"filter_path": "errors"})
        assert answer == {"errors": False}, answer

    def _lines(self, window: int) -> list[str]:
        time_ms = START_MS + window * MINUTE_MS + 30_000
        fields = [
            ",".join(f'"load_{k}":{value}' for k, value in enumerate(row))
            for row in values(window, self._n_features).tolist()
        ]
        return [
            f'{{"index":{{}}}}\n{{"time":{time_ms},"host":"{host_name(number)}",{fields[number % N_STREAMS]}}}\n'
            for number in range(self.n_entities)
        ]


def host_name(number: int) -> str:
    """Return the name of an entity; the stream it goes on with is its number modulo N_STREAMS."""
    return f"web-{number:07d}.example.com"


def learnt(config: DetectorConfig, n_windows_after: int) -> Fleet:
    """Return models that have seen the N_LEARNT windows up to `n_windows_after` windows after START_MS."""
    n_features = len(config.source.features)
    fleet = Fleet(model_settings(config))
    fleet.add(np.arange(N_STREAMS, dtype=np.uint64))
    windows = range(n_windows_after - N_LEARNT, n_windows_after)
    fleet.observe(
        np.arange(N_STREAMS, dtype=np.int64),
        np.array([START_MS + (window + 1) * MINUTE_MS for window in windows], np.int64),
        np.stack([values(window, n_features) for window in windows]),
        np.ones((N_LEARNT, N_STREAMS), bool),
    )
    return fleet


def clone(partition: Partition, fleet: Fleet) -> None:
    """Overwrite the model of every entity by the learnt one of its stream, a checkpoint's worth at a time."""
    arrays = fleet.save(0, N_STREAMS)
    streams = np.array([int(host[4:11]) % N_STREAMS for (host,) in partition.roster.entities], np.int64)
    for first in range(0, len(streams), N_STREAMS):
        chosen = streams[first : first + N_STREAMS]
        models = {name: array[chosen] for name, array in arrays.items()}
        partition._fleet.load(first, models)  # noqa: SLF001 - what a checkpoint does, without its bytes
