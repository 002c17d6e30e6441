"""`outrider status`: what each detector is doing and how far it has come."""

import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from detector.commands import logs
from detector.commands.connection import PROBLEMS_FOUND, ask, cluster_of
from detector.commands.moment import moment_text
from detector.commands.table import plain_table
from storage.client import check_version, connect
from storage.detectors import DetectorStore
from storage.records import Registration
from storage.retry import Retry
from storage.state import StateStore

Row = dict[str, Any]

LATE_S = 180
"""A detector that has not been polled for two intervals and this long is polled by nobody."""

STYLES = {"failing": "bold red", "running": "green", "stopped": "yellow"}


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--settings", type=click.Path(path_type=Path), help="Settings file with the access to the cluster."
)
@click.pass_context
def status(ctx: click.Context, form: str, settings: Path | None) -> None:
    """Show what each detector is doing and how far it has come.

    Ends with 3 when the last poll of a detector failed.
    """
    logs.configure("text", "warning")
    cluster = cluster_of(settings)
    client = connect(cluster)
    retry = Retry(n_attempts=2, stop=threading.Event())
    ask(check_version, client)
    registrations = ask(DetectorStore(client, cluster.index_prefix, retry).find_all)
    names = [registration.detector_id for registration in registrations]
    reports = ask(StateStore(client, cluster.index_prefix, retry).reports, names)
    now_s = time.time()
    rows = [
        _row(registration, reports.get(registration.detector_id), now_s) for registration in registrations
    ]
    if form == "json":
        for row in rows:
            click.echo(orjson.dumps(row))
    else:
        _print_text(rows, cluster.index_prefix)
    if any(row["state"] == "failing" for row in rows):
        ctx.exit(PROBLEMS_FOUND)


def _row(registration: Registration, report: dict[str, Any] | None, now_s: float) -> Row:
    """Return what is known of a detector; None = not known, or never."""
    report = report or {}
    silent_s = now_s - report["updated_at"] / 1000 if report else None
    frontier = report.get("frontier")
    return {
        "detector": registration.detector_id,
        "state": _state(report, silent_s),
        "generation": registration.generation,
        "entities": report.get("entities"),
        "scored_until": frontier,
        "lag_s": None if frontier is None else round(now_s - datetime.fromisoformat(frontier).timestamp()),
        "last_poll_s": None if silent_s is None else round(silent_s),
        "failures": report.get("failures", 0),
        "error": report.get("error"),
    }


def _state(report: Row, silent_s: float | None) -> str:
    """Return the state of a detector in a word.

    `starting`: never polled yet; `replayed`: brought up to a moment by --once or --until, not watched;
    `stopped`: nobody has polled it for a while.
    """
    if silent_s is None:
        return "starting"
    if "interval_s" not in report:
        return "replayed"
    if silent_s > 2 * report["interval_s"] + LATE_S:
        return "stopped"
    return "failing" if report.get("error") else "running"


def _print_text(rows: list[Row], prefix: str) -> None:
    console = Console()
    if not rows:
        console.print(
            f"No detector has run on this cluster yet (index prefix `{prefix}`): start some with "
            "`outrider run -c FOLDER`."
        )
        return
    table = plain_table("Detectors")
    table.add_column("detector", overflow="fold")
    table.add_column("state")
    table.add_column("entities", justify="right")
    table.add_column("scored until (UTC)")
    table.add_column("lag", justify="right")
    table.add_column("last poll", justify="right")
    for row in rows:
        table.add_row(
            Text(row["detector"]),
            Text(row["state"], style=STYLES.get(row["state"], "")),
            "" if row["entities"] is None else f"{row['entities']:,}",
            _moment(row["scored_until"]),
            _duration(row["lag_s"]),
            "never" if row["last_poll_s"] is None else f"{_duration(row['last_poll_s'])} ago",
        )
    console.print(table)
    if any(row["error"] for row in rows):
        console.print()
    for row in rows:
        if row["error"]:
            times = f" ({row['failures']:,} times in a row)" if row["failures"] > 1 else ""
            console.print(Text.assemble((f"{row['detector']}", "bold red"), f"{times}: {row['error']}"))


def _moment(iso: str | None) -> str:
    return "" if iso is None else moment_text(round(datetime.fromisoformat(iso).timestamp() * 1000))


def _duration(seconds: float | None) -> str:
    """Return a duration in its largest unit that fits."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
