"""From configuration to a search request, and from its response to numbers: no I/O, no clock."""
