"""How well the default model detects: the production fleet on labelled and on generated series, documents off."""
