"""How the embedded node gets its files, its Java runtime and its process; `storage.node` puts them together."""
