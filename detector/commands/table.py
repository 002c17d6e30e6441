"""Tables of results for the terminal, shared by the commands that show anomalies."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table

from detector.reason import number_text

Result = Mapping[str, Any]
"""A result document."""


def moment_text(time_ms: int) -> str:
    """Return a time in UTC as people write it."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def plain_table(title: str, *, caption: str | None = None) -> Table:
    """Return an empty table in the one style that all commands use."""
    return Table(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        pad_edge=False,
    )


def results_table(title: str, results: Sequence[Result], notes: Sequence[str] | None = None) -> Table:
    """Return a table of results, one row each: time, entity, grade, confidence, value and expected.

    `notes`, one a result, adds a last column: what is known about the time.
    """
    has_entities = any("entity_key" in result for result in results)
    table = plain_table(title)
    table.add_column("window (UTC)", no_wrap=True)
    if has_entities:
        table.add_column("entity", overflow="fold")
    for name in ("grade", "confidence"):
        table.add_column(name, justify="right")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("expected", justify="right", overflow="fold")
    if notes is not None:
        table.add_column("known event", overflow="fold")
    for index, result in enumerate(results):
        cells = [moment_text(result["data_start_time"])]
        cells += [_entity_text(result)] if has_entities else []
        cells += [_ratio(result.get("anomaly_grade")), _ratio(result.get("confidence"))]
        cells += [_numbers(result.get("value", {})), _numbers(result.get("expected", {}))]
        cells += [notes[index]] if notes is not None else []
        table.add_row(*cells)
    return table


def _entity_text(result: Result) -> str:
    return ", ".join(str(value) for value in result.get("entity_attributes", {}).values())


def _ratio(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


def _numbers(by_feature: Mapping[str, float | None]) -> str:
    """Return the numbers of a result; with several features each on a line with its name."""
    texts = {name: "missing" if value is None else number_text(value) for name, value in by_feature.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"{name} {text}" for name, text in texts.items())
