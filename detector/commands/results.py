"""`outrider results`: the anomalies in the result index."""

import csv
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click
import orjson
from opensearchpy import OpenSearch
from rich.console import Console
from rich.text import Text

from detector.commands import logs
from detector.commands.connection import USAGE_ERROR, Failure, ask, client_of, cluster_of
from detector.commands.moment import MOMENT, iso_text, moment_text
from detector.commands.table import Result, entity_text, results_table
from detector.configuration.near_miss import near_miss
from storage.detectors import DetectorStore
from storage.results import ResultStore
from storage.retry import Retry

MOST_REASONS = 5
"""Anomalies whose reason is told below a table."""


@click.command()
@click.argument("detector", required=False)
@click.option("--since", type=MOMENT, help="Windows that end after this moment in UTC.")
@click.option("--until", type=MOMENT, help="Windows that end at this moment in UTC or before.")
@click.option("--min-grade", type=click.FloatRange(0, 1), default=0.0, help="Only grades of at least this.")
@click.option("--all", "is_all", is_flag=True, help="Normal windows too, not only anomalies.")
@click.option(
    "-n", "most", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True
)
@click.option(
    "--settings", type=click.Path(path_type=Path), help="Settings file with the access to the cluster."
)
def results(
    detector: str | None,
    since: int | None,
    until: int | None,
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
    logs.configure("text", "warning")
    cluster = cluster_of(settings)
    client, retry = client_of(cluster), Retry(n_attempts=2, stop=threading.Event())
    found = ask(
        ResultStore(client, cluster.index_prefix, retry).find,
        detector_id=detector,
        min_grade=None if is_all else min_grade,
        since_ms=since,
        until_ms=until,
        most=most,
    )
    if not found:
        _explain_nothing(client, cluster.index_prefix, retry, detector)
    if form == "text":
        _print_text(found, most)
    elif form == "json":
        _print_json(found)
    else:
        _print_csv(found)


def _explain_nothing(client: OpenSearch, prefix: str, retry: Retry, detector: str | None) -> None:
    """Tell a detector without anomalies from one that does not exist; speaks on standard error."""
    known = [registered.detector_id for registered in ask(DetectorStore(client, prefix, retry).find_all)]
    if not known:
        click.echo(
            f"No detector has run on this cluster yet (index prefix `{prefix}`): start some with "
            "`outrider run -c FOLDER`.",
            err=True,
        )
    elif detector is not None and detector not in known:
        hint = near_miss(detector, known) or f"there are {', '.join(sorted(known))}"
        msg = f"no detector is called `{detector}`: {hint}"
        raise Failure(msg, USAGE_ERROR)
    else:
        whose = f"of {detector} " if detector else ""
        click.echo(
            f"No anomalies {whose}were found. --all shows normal windows too, `outrider status` what runs.",
            err=True,
        )


def _print_text(found: Sequence[Result], most: int) -> None:
    console = Console()
    for name, group in groupby(sorted(found, key=_detector_of), key=_detector_of):
        of_detector = list(group)
        console.print(results_table(name, of_detector))
        told = [result for result in of_detector if "reason" in result or "error" in result]
        if told:
            console.print()
        for result in told[:MOST_REASONS]:
            console.print(_reason_line(result))
        console.print()
    if len(found) == most:
        console.print(f"The newest {most}; -n shows more.", style="dim")


def _detector_of(result: Result) -> str:
    return str(result["detector_id"])


def _reason_line(result: Result) -> Text:
    """Return when, who and why."""
    where = f"{moment_text(result['data_start_time'])}  {entity_text(result)}".rstrip()
    return Text.assemble((f"{where}: ", "dim"), str(result.get("reason") or result.get("error")))


def _print_json(found: Sequence[Result]) -> None:
    for result in found:
        click.echo(orjson.dumps(result))


def _print_csv(found: Sequence[Result]) -> None:
    features = sorted({name for result in found for name in result.get("value", {})})
    numbers = [(part, name) for part in ("value", "expected", "lower", "upper") for name in features]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"{part}.{name}" for part, name in numbers)])
    for result in found:
        row = [result.get(part, {}).get(name) for part, name in numbers]
        writer.writerow([*_cells(result), *row])


_COLUMNS = ("detector_id", "data_start_time", "data_end_time", "entity_key", "status", "anomaly_grade",
            "confidence", "anomaly_score", "threshold", "reason")  # fmt: skip


def _cells(result: Result) -> Iterator[object]:
    for column in _COLUMNS:
        value = result.get(column)
        yield iso_text(value) if column.endswith("_time") and isinstance(value, int) else value
