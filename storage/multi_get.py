"""Documents by id: real-time, in one request, and never "absent" where a shard could not answer."""

from collections.abc import Sequence
from typing import Any

from opensearchpy import OpenSearch

from storage.errors import error_of
from storage.retry import Retry
from storage.translate import translate_errors


def multi_get(
    client: OpenSearch, index: str, ids: Sequence[str], retry: Retry
) -> list[dict[str, Any] | None]:
    """Return the documents of one index in the order of `ids`; None for one that does not exist.

    Raises
    ------
    StorageError
        When the index is missing, or one of its shards could not answer.
    """
    if not ids:
        return []
    return retry(_get, client, index, ids)


def _get(client: OpenSearch, index: str, ids: Sequence[str]) -> list[dict[str, Any] | None]:
    with translate_errors(index):
        answer = client.mget(index=index, body={"ids": list(ids)})
    for document in answer["docs"]:
        if "error" in document:
            # The answer for one document has no status: the kind of error decides.
            is_missing = document["error"].get("type") == "index_not_found_exception"
            raise error_of(404 if is_missing else 503, document["error"], index=index)
    return [document if document["found"] else None for document in answer["docs"]]
