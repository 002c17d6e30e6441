"""What the demo found, beside what is known to have happened."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from detector.commands.table import Result, results_table
from detector.example_data import Event
from detector.roster import Entity

MOST_ROWS = 15
"""Rows a table in the terminal shows; beyond that the strongest are chosen."""


def print_findings(console: Console, name: str, found: Sequence[Result], events: Sequence[Event]) -> None:
    """Print the anomalies of one detector with the known events beside them, and what was missed.

    Parameters
    ----------
    found
        Result documents with a grade above 0.
    events
        What is known to have happened.
    """
    notes = {id(result): _event_of(result, events) for result in found}
    strongest = sorted(found, key=lambda result: -result["anomaly_grade"])[:MOST_ROWS]
    shown = sorted(strongest, key=lambda result: (result["data_end_time"], result.get("entity_key", "")))
    console.print()
    console.print(results_table(name, shown, [_text(notes[id(result)]) for result in shown]))
    if len(found) > len(shown):
        console.print(f"… the strongest {len(shown)} of {len(found)} anomalies", style="dim")
    console.print(_summary(found, notes, events))


def _event_of(result: Result, events: Sequence[Event]) -> Event | None:
    entity = _entity_of(result)
    start_ms, end_ms = result["data_start_time"], result["data_end_time"]
    return next((event for event in events if event.covers(entity, start_ms, end_ms)), None)


def _entity_of(result: Result) -> Entity:
    return tuple(result.get("entity_attributes", {}).values())


def _text(event: Event | None) -> str:
    return "" if event is None else event.name or "labelled"


def _summary(found: Sequence[Result], notes: dict[int, Event | None], events: Sequence[Event]) -> Text:
    """Return a line that counts hits and misses."""
    hit = {event for event in notes.values() if event is not None}
    missed = [event for event in events if event not in hit]
    beside = sum(event is None for event in notes.values())
    line = Text(
        f"{len(hit)} of {len(events)} known events found", style="bold green" if not missed else "bold"
    )
    line.append(f", {beside} of {len(found)} anomalies at other times", style="not bold default")
    names = sorted({event.name for event in missed if event.name})
    if names:
        line.append(f"; missed: {', '.join(names)}", style="not bold default")
    return line
