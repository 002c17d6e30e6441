"""Check: what a cluster says about a detector before it runs. Asks, never writes."""
