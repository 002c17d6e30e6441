"""Pages of the documentation as blocks, and what it means that a command prints what a page says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

NOT_RUN = "not-run-in-ci"
ANYTHING = "…"
"""On a line of its own: any number of lines. Within a line: any text."""

TOLERANCE = 0.02
"""Relative difference up to which two numbers are the same, and absolute for numbers below 1."""


class Block(NamedTuple):
    """A fenced block: where it begins, the language, the words after it, and the text."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Commands of a console block, each with the lines that it is said to print."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    fence = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
    text = page.read_text(encoding="utf-8")
    for found in fence.finditer(text):
        language, *words = found[1].split() or [""]
        yield Block(page, text.count("\n", 0, found.start()) + 1, language, tuple(words), found[2])


def find(language: str, word: str | None = None) -> list[Block]:
    """Return the blocks of all pages in a language, with a word after it or whatever the words are."""
    every = (block for page in PAGES for block in blocks(page))
    return [block for block in every if block.language == language and (word is None or word in block.words)]


def table_column(page: Path, heading: str) -> list[str]:
    """Return the code in the first column of the table whose first column has this heading."""
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows += re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", line)[1])
    return rows


def difference(said: list[str], printed: list[str]) -> str | None:
    """Say which line of a page is not printed, or what is printed and not on the page; None when all is well.

    A page that says nothing about the output of a command agrees with every output.
    """
    wanted, got = [line for line in said if line.strip()], [line for line in printed if line.strip()]
    if not wanted:
        return None
    is_free = False
    for line in wanted:
        if line.strip() == ANYTHING:
            is_free = True
            continue
        position = next((n for n, other in enumerate(got) if _agree(line, other)), None)
        if position is None or (position and not is_free):
            return f"the page says {line.strip()!r}"
        got, is_free = got[position + 1 :], False
    return None if is_free or not got else f"the page does not say {got[0]!r}"


def _agree(said: str, printed: str) -> bool:
    """Compare two lines, word by word where nothing is left out."""
    if ANYTHING in said:
        parts = [re.escape(" ".join(part.split())).replace(r"\ ", r"\s+") for part in said.split(ANYTHING)]
        return re.fullmatch(r"\s*.*".join(parts), " ".join(printed.split())) is not None
    ours, theirs = _words(said), _words(printed)
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))


def _words(line: str) -> list[str]:
    """Split a line; rules of a table count as one sign, whatever their length."""
    return [word if set(word) != {"─"} else "─" for word in line.split()]


def _same(said: str, printed: str) -> bool:
    numbers = [re.fullmatch(r"\(?(-?[\d,]+(?:\.\d+)?)[,;)]?", word) for word in (said, printed)]
    if None in numbers:
        return said == printed
    ours, theirs = (float(number[1].replace(",", "")) for number in numbers if number)
    return abs(ours - theirs) <= TOLERANCE * max(1.0, abs(ours))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
