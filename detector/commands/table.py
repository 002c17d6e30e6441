"""Tables of results for the terminal, shared by the commands that show anomalies."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from detector.commands.entity_cell import NARROWEST, EntityCell, without_middle
from detector.commands.moment import moment_text
from detector.reason import number_text

Result = Mapping[str, Any]
"""A result document."""

LONGEST_ENTITY = 60
"""Columns of an entity's name that are shown: a name may be thousands of characters long."""

WIDEST_FEATURE = 12
"""Characters of a feature's name beside its numbers, so that a row with entities fits 80; reasons have it whole."""

STRONG, CLEAR = 0.7, 0.3
"""Grades from which a row is red, or yellow."""


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
        collapse_padding=True,
        show_edge=False,
    )


def results_table(title: str, results: Sequence[Result], notes: Sequence[str] | None = None) -> Table:
    """Return a table of results, one row each: time, entity, grade, confidence, value and expected.

    With several features each has a line of its own within the row. `notes`, one a result, adds a last column: what
    is known about the time.
    """
    has_entities = any("entity_key" in result for result in results)
    has_features = any(len(result.get("value", {})) > 1 for result in results)
    table = plain_table(escape(title))
    table.add_column("window (UTC)", no_wrap=True)
    if has_entities:
        table.add_column(_entity_header(results), min_width=NARROWEST)
    for name in ("grade", "confidence"):
        table.add_column(name, justify="right", no_wrap=True)
    if has_features:
        table.add_column("feature", no_wrap=True, overflow="ellipsis", max_width=WIDEST_FEATURE)
    for name in ("value", "expected"):
        table.add_column(name, justify="right", no_wrap=True)
    if notes is not None:
        table.add_column("known event", min_width=len("labelled"))
    for index, result in enumerate(results):
        cells: list[Text | str | EntityCell] = [moment_text(result["data_start_time"])]
        cells += [EntityCell(entity_text(result))] if has_entities else []
        cells += [_grade(result), _ratio(result.get("confidence"))]
        cells += [Text("\n".join(result.get("value", {})))] if has_features else []
        cells += [Text(_numbers(result.get(part, {}))) for part in ("value", "expected")]
        cells += [Text(notes[index])] if notes is not None else []
        table.add_row(*cells)
    return table


def entity_text(result: Result) -> str:
    """Return the entity of a result in one line; empty for a single stream."""
    text = ", ".join(str(value) for value in result.get("entity_attributes", {}).values())
    return without_middle(text, LONGEST_ENTITY)


def _entity_header(results: Sequence[Result]) -> str:
    """Return the category fields, in the order in which `entity_text` names their values."""
    fields = next(result["entity_attributes"] for result in results if "entity_attributes" in result)
    return escape(", ".join(fields))


def _grade(result: Result) -> Text:
    grade = result.get("anomaly_grade")
    if grade is None:
        return Text(str(result.get("status", "")).replace("_", " "), style="dim")
    return Text(f"{grade:.2f}", style="bold red" if grade >= STRONG else "yellow" if grade >= CLEAR else "")


def _ratio(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


def short_text(number: float) -> str:
    """Return a number for a narrow column: from a million on with the letter of its magnitude."""
    for letter, size in (("G", 1e9), ("M", 1e6)):
        if size <= abs(number) < 1000 * size:
            return number_text(number / size) + letter
    return number_text(number)


def _numbers(by_feature: Mapping[str, float | None]) -> str:
    """Return the numbers of a result, each feature's on a line of its own."""
    return "\n".join("missing" if value is None else short_text(value) for value in by_feature.values())
