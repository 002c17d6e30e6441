"""Near miss: the word that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.7
"""How much of two words must agree; with less, short words that mean something else are offered."""


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return "did you mean `x`?" for the known word most like this one, or an empty text."""
    by_lower = {name.lower(): name for name in known}
    meant = word.lower()
    near = get_close_matches(meant, by_lower, n=1, cutoff=LIKENESS)
    near += [name for name in by_lower if len(meant) > 3 and meant in name]
    return f"did you mean `{by_lower[near[0]]}`?" if near else ""
