"""The embedded node, on real OpenSearch processes."""

from opensearchpy import OpenSearch


def test_a_client_reaches_the_node(client: OpenSearch, index_prefix: str) -> None:
    """The shared node stores and aggregates."""
    client.index(index=f"{index_prefix}-a", body={"value": 2.0}, params={"refresh": "true"})
    answer = client.search(
        index=f"{index_prefix}-a", body={"size": 0, "aggs": {"sum": {"sum": {"field": "value"}}}}
    )
    assert answer["aggregations"]["sum"]["value"] == 2.0
