"""The models: from values to score, expectation and alarm, all entities of a partition in one arena."""
