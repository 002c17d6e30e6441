"""Progress bars of the commands, in one style, and how the embedded node's long steps become bars."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from storage.embedded.distribution import Progress as NodeProgress


def bars(console: Console) -> Progress:
    """Return a display of bars; a context manager."""
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return Progress(*columns, TimeElapsedColumn(), console=console)


def node_bars(progress: Progress) -> NodeProgress:
    """Return what shows a bar for each long step of a node's start: download, unpacking, starting."""
    tasks: dict[str, TaskID] = {}

    def show(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = progress.add_task(step, total=total or None)
        progress.update(tasks[step], completed=done, total=total or None)

    return show
