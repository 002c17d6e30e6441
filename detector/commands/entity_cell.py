"""An entity's name in a cell of a table: on one line, however narrow the terminal."""

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

NARROWEST = 8
"""Columns of a terminal below which a name is not cut: it would tell nothing."""


class EntityCell:
    """A name of which the middle is left out where it does not fit: names of a kind differ at their ends."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the fewest columns it can be shown in, and those it takes whole."""
        return Measurement(min(NARROWEST, cell_len(self.name)), cell_len(self.name))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the name as it fits."""
        yield Text(without_middle(self.name, options.max_width), no_wrap=True)


def without_middle(text: str, width: int) -> str:
    """Return a text in at most so many columns of a terminal, at least 3, an ellipsis in place of its middle."""
    if cell_len(text) <= width:
        return text
    head, tail = text[: min(len(text) // 2, width)], text[max(len(text) // 2, len(text) - width) :]
    while cell_len(head) + 1 + cell_len(tail) > width:
        if cell_len(head) >= cell_len(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"
