"""`outrider status`: what each detector is doing and how far it has come."""

import threading
import time
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from detector.commands.connection import PROBLEMS_FOUND, ask, cluster_of
from detector.commands.table import moment_text, plain_table
from storage.client import check_version, connect
from storage.detectors import DetectorStore
from storage.errors import MissingIndex
from storage.records import Registration
from storage.retry import Retry
from storage.state import StateStore

Row = dict[str, Any]


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--settings", type=click.Path(path_type=Path), help="Settings file with the access to the cluster.")
@click.pass_context
def status(ctx: click.Context, form: str, settings: Path | None) -> None:
    """Show what each detector is doing and how far it has come.

    Ends with 3 when the last poll of a detector failed.
    """
    cluster = cluster_of(settings)
    client = connect(cluster)
    retry = Retry(n_attempts=2, stop=threading.Event())
    ask(check_version, client)
    try:
        registrations = ask(DetectorStore(client, cluster.index_prefix, retry).find_all)
        names = [registration.detector_id for registration in registrations]
        reports = ask(StateStore(client, cluster.index_prefix, retry).reports, names)
    except click.ClickException as error:
        if not isinstance(error.__cause__, MissingIndex):
            raise
        registrations, reports = [], {}
    rows = [_row(registration, reports.get(registration.detector_id)) for registration in registrations]
    _print_json(rows) if form == "json" else _print_text(rows)
    if any(row["error"] for row in rows):
        ctx.exit(PROBLEMS_FOUND)


def _row(registration: Registration, report: dict[str, Any] | None) -> Row:
    """Return what is known of a detector; times in epoch milliseconds, None = never yet."""
    report = report or {}
    error = report.get("error")
    return {
        "detector": registration.detector_id,
        "state": "failing" if error else "running" if report else "starting",
        "generation": registration.generation,
        "entities": report.get("entities"),
        "scored_until": report.get("frontier_ms"),
        "lag_s": report.get("lag_s"),
        "last_poll": report.get("updated_at"),
        "error": error,
    }


def _print_json(rows: list[Row]) -> None:
    for row in rows:
        click.echo(orjson.dumps(row))


def _print_text(rows: list[Row]) -> None:
    console = Console()
    if not rows:
        console.print("No detector has run on this cluster yet: start some with `outrider run -c FOLDER`.")
        return
    table = plain_table("Detectors")
    for name in ("detector", "state", "entities", "scored until (UTC)", "lag", "last poll"):
        table.add_column(name)
    for row in rows:
        style = {"failing": "red", "running": "green"}.get(row["state"], "")
        table.add_row(
            row["detector"],
            f"[{style}]{row['state']}[/]" if style else row["state"],
            _text(row["entities"]),
            moment_text(row["scored_until"]) if row["scored_until"] else "",
            _duration(row["lag_s"]),
            _duration(time.time() - row["last_poll"] / 1000) + " ago" if row["last_poll"] else "never",
        )
    console.print(table)
    for row in rows:
        if row["error"]:
            console.print(f"[red]{row['detector']}[/]: {row['error']}", highlight=False)


def _text(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _duration(seconds: float | None) -> str:
    """Return a duration in its largest unit that fits."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
