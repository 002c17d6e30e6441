"""Compiled functions of the forest, one verb a file."""
