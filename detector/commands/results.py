"""`outrider results`: the anomalies in the result index."""

import csv
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
from rich.console import Console

from detector.commands.connection import ask, cluster_of
from detector.commands.table import Result, moment_text, results_table
from storage.client import connect
from storage.results import ResultStore
from storage.retry import Retry

TIME = click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"])
"""Moments on the command line are in UTC."""


@click.command()
@click.argument("detector", required=False)
@click.option("--since", type=TIME, help="Windows that end after this moment in UTC.")
@click.option("--until", type=TIME, help="Windows that end at this moment in UTC or before.")
@click.option("--min-grade", type=click.FloatRange(0, 1), default=0.0, help="Only grades of at least this.")
@click.option("--all", "is_all", is_flag=True, help="Normal windows too, not only anomalies.")
@click.option("-n", "most", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True
)
@click.option("--settings", type=click.Path(path_type=Path), help="Settings file with the access to the cluster.")
def results(
    detector: str | None,
    since: datetime | None,
    until: datetime | None,
    min_grade: float,
    is_all: bool,  # noqa: FBT001 - click's way
    most: int,
    form: str,
    settings: Path | None,
) -> None:
    """Show the anomalies that were found, newest first.

    \b
    outrider results                         the last 20 of all detectors
    outrider results nyc-taxi --format csv
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"
    cluster = cluster_of(settings)
    store = ResultStore(connect(cluster), cluster.index_prefix, Retry(n_attempts=2, stop=threading.Event()))
    found = ask(
        store.find,
        detector_id=detector,
        min_grade=None if is_all else min_grade,
        since_ms=_ms(since),
        until_ms=_ms(until),
        most=most,
    )
    {"text": _print_text, "json": _print_json, "csv": _print_csv}[form](found)


def _print_text(found: list[Result]) -> None:
    console = Console()
    if not found:
        console.print("No anomalies. Normal windows are shown with --all; `outrider status` tells what runs.")
        return
    names = sorted({result["detector_id"] for result in found})
    for name in names:
        console.print(results_table(name, [result for result in found if result["detector_id"] == name]))
    for result in found[:5]:
        if "reason" in result:
            console.print(f"{moment_text(result['data_start_time'])}  {result['reason']}", style="dim")


def _print_json(found: list[Result]) -> None:
    for result in found:
        click.echo(orjson.dumps(result))


def _print_csv(found: list[Result]) -> None:
    columns = ["detector_id", "data_start_time", "data_end_time", "entity_key", "anomaly_grade", "confidence"]
    columns += ["anomaly_score", "threshold", "reason"]
    features = sorted({name for result in found for name in result.get("value", {})})
    writer = csv.writer(sys.stdout)
    writer.writerow([*columns, *(f"value.{name}" for name in features), *(f"expected.{name}" for name in features)])
    for result in found:
        row = [result.get(column, "") for column in columns]
        row += [result.get(part, {}).get(name, "") for part in ("value", "expected") for name in features]
        writer.writerow(row)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
