"""Random Cut Forest: the numeric engine."""
