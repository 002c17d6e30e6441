"""What time it is by the cluster's clock, asked with no privilege beyond reading an index of our own."""

from opensearchpy import OpenSearch

from storage.retry import Retry
from storage.translate import translate_errors


def cluster_time_ms(client: OpenSearch, prefix: str, retry: Retry) -> int:
    """Return the time of the node that answers, epoch milliseconds.

    Opening a point in time is the one request whose answer says when it was answered. It is over after a second by
    itself, so there is nothing to close.
    """
    return retry(_ask, client, f"{prefix}-state")


def _ask(client: OpenSearch, index: str) -> int:
    with translate_errors(index):
        answer = client.create_pit(index=index, params={"keep_alive": "1s"})
    return int(answer["creation_time"])
