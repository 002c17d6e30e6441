"""Facts about a cluster and our indices in it, for `outrider doctor`; what they mean is not known here.

Everything but `try_writing` is a question. Each may raise a `StorageError`; a question that a narrow role may not ask
raises `AccessDenied`, which is an answer too.
"""

from typing import Any

from opensearchpy import OpenSearch

from storage.client import check_version
from storage.cluster_time import cluster_time_ms
from storage.errors import MissingIndex
from storage.indices import PLAIN, schema_versions
from storage.records import DiskFacts, IndexFacts
from storage.retry import ONCE
from storage.translate import translate_errors


class Diagnosis:
    """Asks one cluster.

    Parameters
    ----------
    client, prefix
        The cluster, and how the names of our indices begin.
    """

    def __init__(self, client: OpenSearch, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def version(self) -> str:
        """Return the cluster's version; one that we cannot work with raises."""
        return check_version(self._client)

    def health(self) -> dict[str, Any]:
        """Return the cluster's own word on its health."""
        with translate_errors():
            answer: dict[str, Any] = self._client.cluster.health()
        return answer

    def clock_s(self) -> float | None:
        """Return the time that the sidecar goes by, seconds since the epoch; None before there are indices of ours."""
        try:
            return cluster_time_ms(self._client, self._prefix, ONCE) / 1000
        except MissingIndex:
            return None

    def indices(self) -> list[IndexFacts]:
        """Return facts about those of our indices that exist, by name."""
        with translate_errors():
            found = self._client.indices.get(
                index=f"{self._prefix}-*", params={"ignore_unavailable": "true", "flat_settings": "true"}
            )
        known = schema_versions()
        facts = []
        for name, index in sorted(found.items()):
            kind = name.removeprefix(f"{self._prefix}-").partition("-")[0]
            if kind in known:
                facts.append(_index_facts(name, index, known[kind]))
        return facts

    def missing(self) -> list[str]:
        """Return our indices and the alias of results that are not there."""
        names = [*(f"{self._prefix}-{name}" for name in PLAIN), f"{self._prefix}-results"]
        with translate_errors():
            return [name for name in names if not self._client.indices.exists(index=name)]

    def misplaced_alias(self) -> bool:
        """Say whether an index stands where the alias of the results should."""
        name = f"{self._prefix}-results"
        with translate_errors():
            return bool(
                self._client.indices.exists(index=name) and not self._client.indices.exists_alias(name=name)
            )

    def disk(self) -> DiskFacts | None:
        """Return the fullest data node and the limits; None when no node says."""
        with translate_errors():
            stats = self._client.nodes.stats(
                metric="fs", params={"filter_path": "nodes.*.name,nodes.*.fs.total"}
            )
            settings = self._client.cluster.get_settings(
                params={
                    "include_defaults": "true",
                    "flat_settings": "true",
                    "filter_path": "*.cluster*watermark*",
                }
            )
        full = [
            (
                1 - node["fs"]["total"]["available_in_bytes"] / node["fs"]["total"]["total_in_bytes"],
                node["name"],
            )
            for node in stats.get("nodes", {}).values()
            if node.get("fs", {}).get("total", {}).get("total_in_bytes")
        ]
        if not full:
            return None
        used, name = max(full)
        return DiskFacts(name, used, _watermark(settings, "low"), _watermark(settings, "flood_stage"))

    def try_writing(self, index_ending: str = "state") -> None:
        """Write a document of ours, read it, and delete it again.

        Raises
        ------
        StorageError
            What stands in the way: a privilege, a block, a full disk.
        """
        index, key = f"{self._prefix}-{index_ending}", "doctor~trial"
        with translate_errors(index=index):
            self._client.index(index=index, id=key, body={"kind": "trial"})
            self._client.get(index=index, id=key)
            self._client.delete(index=index, id=key)

    def try_bulk(self) -> None:
        """Send a bulk request that changes nothing: the deletion of a document that does not exist."""
        index = f"{self._prefix}-journal"
        with translate_errors(index=index):
            self._client.bulk(body=[{"delete": {"_index": index, "_id": "doctor~nothing"}}])


def _index_facts(name: str, index: dict[str, Any], known_version: int) -> IndexFacts:
    settings, mappings = index["settings"], index["mappings"]
    blocks = [
        key.removeprefix("index.blocks.")
        for key, value in settings.items()
        if key.startswith("index.blocks.") and str(value) == "true"
    ]
    return IndexFacts(
        name,
        mappings.get("_meta", {}).get("schema_version", 0),
        known_version,
        tuple(sorted(blocks)),
        _count_fields(mappings),
        int(settings.get("index.mapping.total_fields.limit", 1000)),
    )


def _count_fields(mapping: dict[str, Any]) -> int:
    """Count the fields of a mapping as the cluster does: objects and sub-fields are fields too."""
    parts = [*mapping.get("properties", {}).values(), *mapping.get("fields", {}).values()]
    return sum(1 + _count_fields(part) for part in parts)


def _watermark(settings: dict[str, Any], name: str) -> float | None:
    """Return a watermark as a share of the disk; None when it is given in bytes, or not at all."""
    key = f"cluster.routing.allocation.disk.watermark.{name}"
    for source in ("transient", "persistent", "defaults"):
        text = settings.get(source, {}).get(key)
        if isinstance(text, str):
            if text.endswith("%"):
                return float(text[:-1]) / 100
            try:
                return float(text)
            except ValueError:
                return None
    return None
