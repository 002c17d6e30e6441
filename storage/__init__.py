"""Everything that talks to OpenSearch; does not know what the documents mean."""
