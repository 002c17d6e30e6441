"""Loading documents into an index of the user's kind: for the demo and for trying a detector on data from a file.

Not for what Outrider itself keeps: here ids are the cluster's and an index may be replaced.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opensearchpy import OpenSearch, helpers

from storage.errors import Rejected
from storage.translate import translate_errors

DOCUMENTS_AT_ONCE = 5_000


def replace_index(client: OpenSearch, index: str, fields: Mapping[str, str]) -> None:
    """Make an empty index with the given fields and types; one of that name is deleted."""
    body = {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {"properties": {field: {"type": kind} for field, kind in fields.items()}},
    }
    with translate_errors(index):
        client.indices.delete(index=index, ignore_unavailable=True)
        client.indices.create(index=index, body=body)


def add_documents(
    client: OpenSearch,
    index: str,
    documents: Iterable[Mapping[str, Any]],
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Index documents and make them visible to searches; return how many.

    `on_progress` is called with the number of documents that were added since its last call.

    Raises
    ------
    Rejected
        When a document does not fit the index; those before it are in.
    """
    actions = ({"_index": index, "_source": document} for document in documents)
    total = 0
    try:
        with translate_errors(index):
            for number, _ in enumerate(
                helpers.streaming_bulk(client, actions, chunk_size=DOCUMENTS_AT_ONCE), start=1
            ):
                total = number
                if number % DOCUMENTS_AT_ONCE == 0:
                    on_progress(DOCUMENTS_AT_ONCE)
    except helpers.BulkIndexError as error:
        msg = f"a document does not fit index {index}: {error.errors[0]}"
        raise Rejected(msg) from error
    on_progress(total % DOCUMENTS_AT_ONCE)
    with translate_errors(index):
        client.indices.refresh(index=index)
    return total
