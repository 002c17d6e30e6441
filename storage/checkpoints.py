"""Checkpoints: bytes by id, where an older one never replaces a newer one (external version = sequence)."""

from base64 import b64decode, b64encode
from collections.abc import Sequence

import orjson
from opensearchpy import OpenSearch

from storage.bulk import CONFLICT, Item, write
from storage.errors import Rejected
from storage.multi_get import multi_get
from storage.records import Checkpoint
from storage.retry import Retry

LOAD_AT_ONCE = 16
"""Documents a load fetches at once, each of some megabytes at the most."""


class CheckpointStore:
    """Checkpoints in the index `<prefix>-checkpoints`."""

    def __init__(self, client: OpenSearch, prefix: str, retry: Retry) -> None:
        self._client = client
        self._index = f"{prefix}-checkpoints"
        self._retry = retry

    def save(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Write checkpoints; one that is not newer than what stands there is left out."""
        items = [_item(self._index, checkpoint) for checkpoint in checkpoints]
        for checkpoint, outcome in zip(
            checkpoints, write(self._client, items, self._retry, with_versions=False), strict=True
        ):
            if outcome.status != CONFLICT and not outcome.is_written:
                msg = f"a checkpoint of {checkpoint.log} was refused: {outcome.reason}"
                raise Rejected(msg, status=outcome.status)

    def load(self, log: str, n_groups: int) -> list[Checkpoint]:
        """Return the checkpoints that exist of the groups 0 to `n_groups` - 1, in ascending order."""
        found = []
        for first in range(0, n_groups, LOAD_AT_ONCE):
            groups = range(first, min(first + LOAD_AT_ONCE, n_groups))
            found.extend(self._load([_id(log, group) for group in groups], log))
        return found

    def _load(self, ids: list[str], log: str) -> list[Checkpoint]:
        documents = multi_get(self._client, self._index, ids, self._retry)
        sources = [document["_source"] for document in documents if document]
        return [
            Checkpoint(log, source["group"], source["sequence"], b64decode(source["models"]))
            for source in sources
        ]


def _id(log: str, group: int) -> str:
    return f"{log}~{group:06d}"


def _item(index: str, checkpoint: Checkpoint) -> Item:
    body = {
        "log": checkpoint.log,
        "group": checkpoint.group,
        "sequence": checkpoint.sequence,
        "models": b64encode(checkpoint.payload).decode("ascii"),
    }
    version = {"version": checkpoint.sequence, "version_type": "external"}
    return Item("index", index, _id(checkpoint.log, checkpoint.group), orjson.dumps(body), version)
