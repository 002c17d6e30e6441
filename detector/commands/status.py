"""`outrider status`: what each detector is doing and how far it has come."""

import threading
import time
from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import click
import orjson
from opensearchpy import OpenSearch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.commands import logs
from detector.commands.connection import PROBLEMS_FOUND, ask, client_of, cluster_of
from detector.commands.moment import iso_text, moment_text
from detector.commands.table import plain_table
from detector.roster import log_names, partition_count
from storage.client import check_version
from storage.detectors import DetectorStore
from storage.leases import MOST_SIDECARS, LeaseStore
from storage.records import Lease, Marker, Registration
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
    client = client_of(cluster)
    retry = Retry(n_attempts=2, stop=threading.Event())
    ask(check_version, client)
    now_s = time.time()
    rows, leases = ask(standing, client, cluster.index_prefix, retry, now_s)
    if form == "json":
        for row in rows:
            click.echo(orjson.dumps(row))
    else:
        _print_text(rows, leases, cluster.index_prefix, now_s)
    if any(row["state"] == "failing" for row in rows):
        ctx.exit(PROBLEMS_FOUND)


def standing(client: OpenSearch, prefix: str, retry: Retry, now_s: float) -> tuple[list[Row], list[Lease]]:
    """Return what is known of every detector, and the leases of the sidecars."""
    registrations = DetectorStore(client, prefix, retry).find_all()
    state = StateStore(client, prefix, retry)
    leases = LeaseStore(client, prefix).read() if registrations else []
    return [_row(registration, state, leases, now_s) for registration in registrations], leases


def _row(registration: Registration, state: StateStore, leases: list[Lease], now_s: float) -> Row:
    """Return what is known of a detector; None = not known, or never."""
    name, category_fields = registration.detector_id, registration.configuration.get("category_field")
    logs = log_names(name, registration.generation, partition_count(category_fields))
    markers = state.markers(logs)
    report = _report(state.reports(name, range(MOST_SIDECARS)), leases)
    silent_s = now_s - report["updated_at"] / 1000 if report else None
    frontier_ms = _frontier(registration, logs, markers) if markers else None
    return {
        "detector": name,
        "state": _state(report, silent_s),
        "generation": registration.generation,
        "entities": sum(marker.n_entities for marker in markers.values()) if markers else None,
        "scored_until": None if frontier_ms is None else iso_text(frontier_ms),
        "lag_s": None if frontier_ms is None else round(now_s - frontier_ms / 1000),
        "interval_s": report.get("interval_s"),
        "last_poll_s": None if silent_s is None else round(silent_s),
        "failures": report.get("failures", 0),
        "error": report.get("error"),
        "sidecars": {lease.holder: lease.held[name] for lease in leases if lease.held.get(name)},
    }


def _frontier(registration: Registration, logs: list[str], markers: Mapping[str, Marker]) -> int:
    """Return the end of the last window that all partitions have committed."""
    return min(markers[log].frontier_ms if log in markers else registration.start_ms for log in logs)


def _report(reports: dict[int, dict[str, Any]], leases: list[Lease]) -> Row:
    """Return the report that says most: of a sidecar that is there and fails, else the newest."""
    if not reports:
        return {}
    present = {lease.number for lease in leases}
    failing = [report for number, report in reports.items() if number in present and report.get("error")]
    return max(failing or reports.values(), key=itemgetter("updated_at"))


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


def _print_text(rows: list[Row], leases: list[Lease], prefix: str, now_s: float) -> None:
    console = Console()
    if not rows:
        console.print(
            f"No detector has run on this cluster yet (index prefix `{prefix}`): start some with "
            "`outrider run -c FOLDER`."
        )
        return
    console.print(_detectors(rows))
    if any(row["error"] for row in rows):
        console.print()
    for row in rows:
        if row["error"]:
            times = f" ({row['failures']:,} times in a row)" if row["failures"] > 1 else ""
            console.print(Text.assemble((f"{row['detector']}", "bold red"), f"{times}: {row['error']}"))
    if leases:
        console.print()
        console.print(_sidecars(leases, now_s))


def _detectors(rows: list[Row]) -> Table:
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
    return table


def _sidecars(leases: list[Lease], now_s: float) -> Table:
    """Return who shares the work. Ages are by the clocks of two hosts, so they are for the eye only."""
    table = plain_table("Sidecars")
    table.add_column("sidecar", overflow="fold")
    table.add_column("release")
    table.add_column("detectors", justify="right")
    table.add_column("partitions", justify="right")
    table.add_column("last sign of life", justify="right")
    for lease in leases:
        age_s = max(0.0, now_s - lease.updated_at / 1000)
        style = "yellow" if age_s > lease.seconds else ""
        table.add_row(
            Text(lease.holder.rpartition(":")[0]),
            Text(lease.release),
            f"{sum(count > 0 for count in lease.held.values()):,}",
            f"{sum(lease.held.values()):,}",
            Text(f"{_duration(age_s)} ago", style=style),
        )
    return table


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
