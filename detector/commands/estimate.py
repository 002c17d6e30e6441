"""`outrider estimate`: what detectors will cost, before they run."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.text import Text

from detector.check.data import check_data
from detector.check.history import count_entities, time_of_a_page
from detector.commands import logs
from detector.commands.connection import USAGE_ERROR, Failure, ask, client_of, cluster_of
from detector.commands.table import plain_table, short_text
from detector.configuration.config import DetectorConfig
from detector.configuration.load import load_detectors
from detector.configuration.problem import ConfigError
from detector.estimate import Estimate
from detector.estimate import estimate as estimate_of
from detector.reason import number_text
from storage.client import check_version
from storage.probe import Probe

BUSY, TOO_MUCH = 0.5, 1.0
"""Parts of the interval from which a detector leaves little room, and cannot keep up."""

LEAST_SHARE = 0.001
"""Below this part a table says only that it is less."""


@click.command()
@click.argument("places", metavar="FILE|DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--entities",
    type=click.IntRange(1, 100_000_000),
    help="Entities in a window; asks no cluster. Default: counted in the cluster.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--settings", type=click.Path(path_type=Path), help="Settings file with the access to the cluster."
)
def estimate(places: tuple[Path, ...], entities: int | None, form: str, settings: Path | None) -> None:
    """Say what detectors will cost before they run: memory, time a window, disk a day.

    Counts the entities of the newest 40 windows and times one query; with --entities nothing is asked. The other
    numbers come from the benchmarks in docs/performance.md.

    \b
    outrider estimate checkout.json
    outrider estimate --entities 100000 checkout.json
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"
    logs.configure("text", "warning")
    configs = _configs(places)
    if entities is None:
        estimates = _asked(configs, settings)
    else:
        estimates = [
            estimate_of(config, entities if config.category_field else 1, None) for config in configs
        ]
    if form == "json":
        for one in estimates:
            click.echo(orjson.dumps(dataclasses.asdict(one)))
    else:
        _print_text(estimates)


def _configs(places: Sequence[Path]) -> list[DetectorConfig]:
    try:
        return [config for place in places for config in load_detectors(place)]
    except ConfigError as error:
        raise Failure(str(error), USAGE_ERROR) from error


def _asked(configs: Sequence[DetectorConfig], settings: Path | None) -> list[Estimate]:
    """Count entities and time a query in the cluster."""
    with client_of(cluster_of(settings)) as client:
        ask(check_version, client)
        probe, now_ms = Probe(client), int(time.time() * 1000)
        return [ask(_measured, config, probe, now_ms) for config in configs]


def _measured(config: DetectorConfig, probe: Probe, now_ms: int) -> Estimate:
    findings, span = check_data(config, probe, now_ms)
    if span is None:
        reason = next(finding.message for finding in findings if finding.level == "error")
        msg = f"{config.name}: {reason}; to estimate without data, give --entities"
        raise Failure(msg)
    n_entities = count_entities(config, probe, span)[0] if config.category_field else 1
    return estimate_of(config, max(1, n_entities), time_of_a_page(config, probe, span))


def _print_text(estimates: Sequence[Estimate]) -> None:
    console = Console(highlight=False)
    table = plain_table("Estimates")
    table.add_column("detector", overflow="fold")
    for name in ("entities", "memory", "a window", "share", "results/day", "disk/day", "kept"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in estimates:
        style = "bold red" if one.share > TOO_MUCH else "yellow" if one.share > BUSY else ""
        table.add_row(
            Text(one.detector),
            short_text(one.n_entities),
            size_text(one.memory_bytes),
            time_text(one.work_s + (one.read_s or 0.0)),
            Text(f"{one.share:.1%}" if one.share >= LEAST_SHARE else f"< {LEAST_SHARE:.1%}", style=style),
            short_text(one.results_a_day),
            size_text(one.result_bytes_a_day),
            size_text(one.journal_bytes + one.checkpoint_bytes),
        )
    console.print(table)
    console.print()
    for one in estimates:
        if one.share > TOO_MUCH:
            hint = "take a longer interval, fewer entities, or several sidecars"
            console.print(Text(f"{one.detector} cannot keep up on two cores: {hint}", style="bold red"))
    untimed = any(one.read_s is None for one in estimates)
    what = "scoring and writing, without reading" if untimed else "reading, scoring and writing"
    console.print(
        f"A window: {what}, on two cores shared with the cluster; its share of the interval. Disk is without "
        "replicas; results stay until you delete them, journal and models are kept at the size shown.",
        style="dim",
    )


def time_text(seconds: float) -> str:
    """Return a short time in milliseconds, a longer one in seconds."""
    return f"{number_text(round(seconds))} s" if seconds >= 10 else f"{seconds * 1000:,.1f} ms"


def size_text(n_bytes: float) -> str:
    """Return a size in the unit that fits, two significant digits or more."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:,.0f} {unit}" if n_bytes >= 10 or unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"
