"""Leases: one small document a sidecar, by which the others see that it is alive and what it runs.

A lease is renewed by writing it again, from the version that was read (`if_seq_no`), so nobody renews a lease that
another process has taken over. Documents have numbers instead of names: they are read by id, which is real-time and
needs no refresh, and a fixed few cannot pile up. When a lease counts as dead is the observer's business.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from opensearchpy import OpenSearch

from storage.bulk import Item, write
from storage.errors import NoLeaseLeft
from storage.multi_get import multi_get
from storage.records import Lease
from storage.retry import ONCE

MOST_SIDECARS = 32
"""Leases there can be at once: the documents that every sidecar reads at every renewal."""


class LeaseStore:
    """Leases in the index `<prefix>-state`; requests are not repeated, the next renewal is soon."""

    def __init__(self, client: OpenSearch, prefix: str) -> None:
        self._client = client
        self._index = f"{prefix}-state"

    def read(self) -> list[Lease]:
        """Return the leases that exist, also those of sidecars that are dead."""
        ids = [_id(number) for number in range(MOST_SIDECARS)]
        documents = multi_get(self._client, self._index, ids, ONCE)
        return [_lease(number, document) for number, document in enumerate(documents) if document]

    def write(self, lease: Lease, now_ms: int) -> Lease | None:
        """Write a lease over the version that it was read from, or create it; None when another was faster."""
        if lease.number >= MOST_SIDECARS:
            msg = (
                f"{MOST_SIDECARS} sidecars work on this cluster already, or did so a moment ago: stop one, or use "
                "another index prefix"
            )
            raise NoLeaseLeft(msg)
        body = lease._asdict() | {"kind": "lease", "updated_at": now_ms}
        del body["version"], body["number"]
        source = orjson.dumps(body)
        if lease.version is None:
            item = Item("create", self._index, _id(lease.number), source)
        else:
            item = Item("index", self._index, _id(lease.number), source, _condition(lease.version))
        (outcome,) = write(self._client, [item], ONCE)
        if not outcome.is_written:
            return None
        return lease._replace(version=(outcome.seq_no, outcome.primary_term), updated_at=now_ms)

    def release(self, lease: Lease) -> None:
        """Delete a lease, unless another process has taken it over."""
        if lease.version is not None:
            item = Item("delete", self._index, _id(lease.number), parameters=_condition(lease.version))
            write(self._client, [item], ONCE)


def _id(number: int) -> str:
    return f"lease~{number:02d}"


def _condition(version: tuple[int, int]) -> dict[str, int]:
    return {"if_seq_no": version[0], "if_primary_term": version[1]}


def _lease(number: int, document: Mapping[str, Any]) -> Lease:
    """Read a lease; of one by a newer release what is there."""
    source = document["_source"]
    return Lease(
        number=number,
        holder=source.get("holder", "?"),
        release=source.get("release", "?"),
        formats=source.get("formats", {}),
        seconds=source.get("seconds", 0.0),
        work=source.get("work", {}),
        held=source.get("held", {}),
        updated_at=source.get("updated_at", 0),
        version=(document["_seq_no"], document["_primary_term"]),
    )
