"""The one error of the embedded node; it must not know what went wrong, the message does."""

from storage.errors import StorageError


class NodeError(StorageError):
    """The embedded OpenSearch node cannot be fetched, started or stopped; the message says what to do."""
