"""`outrider node`: an OpenSearch of one's own, left running until it is stopped."""

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import click
import orjson
from rich.console import Console

from detector.commands.bars import bars, node_bars
from detector.commands.connection import Failure
from storage.embedded.node_cache import default_data_folder
from storage.embedded.node_error import NodeError
from storage.embedded.node_status import NodeStatus, node_status, stop_node
from storage.node import HEAP, EmbeddedNode

NOT_RUNNING = 3
"""Exit code of `outrider node status` when there is no node, as system services have it."""

data_folder_option = click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=partial(default_data_folder, os.environ),
    show_default="your data folder, /var/lib/outrider/node for root",
    help="Where the node keeps its data from one start to the next.",
)


@click.group()
def node() -> None:
    """Start, stop or look at the embedded OpenSearch node.

    A real OpenSearch on this machine, for trying things out; neither Docker nor Java has to be installed, and only
    programs on this machine can reach it. The first start downloads 161 MB.

    \b
    outrider node start                 start it, or say where it runs
    outrider node status                is it up, where, and how is it
    outrider node stop                  stop it; the data stay for the next start
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"


@node.command()
@data_folder_option
@click.option("--heap", default=HEAP, show_default=True, help="Java heap, such as 512m or 2g.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port (default: a free one).")
def start(data_folder: Path, heap: str, port: int) -> None:
    """Start the node and leave it running."""
    try:
        running = node_status(data_folder)
        if running is None or not running.record.is_detached:
            running = _start(data_folder, heap, port)
    except NodeError as error:
        raise Failure(str(error)) from error
    record = running.record
    click.echo(
        f"OpenSearch {record.version} runs at {record.url} (process {record.pid}, data in {data_folder})"
    )
    click.echo(f"\n    export OPENSEARCH_URL={record.url}\n")


@node.command()
@data_folder_option
def stop(data_folder: Path) -> None:
    """Stop the node; its data stay."""
    try:
        was_running = stop_node(data_folder)
    except NodeError as error:
        raise Failure(str(error)) from error
    click.echo("Stopped." if was_running else "No node was running.")


@node.command()
@data_folder_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def status(ctx: click.Context, data_folder: Path, form: str) -> None:
    """Tell whether the node runs, where, and how it is.

    Ends with 3 when it does not run.
    """
    try:
        running = node_status(data_folder)
    except NodeError as error:
        raise Failure(str(error)) from error
    facts = _facts(data_folder, running)
    if form == "json":
        click.echo(orjson.dumps(facts))
    else:
        for name, fact in facts.items():
            click.echo(f"{name.replace('_', ' '):<12}  {fact}")
    if running is None:
        ctx.exit(NOT_RUNNING)


def _start(data_folder: Path, heap: str, port: int) -> NodeStatus:
    with bars(Console(stderr=True)) as progress:
        started = EmbeddedNode(data_folder, heap, port, node_bars(progress)).start()
        started.detach()
    running = node_status(data_folder)
    if running is None:
        msg = f"the node ended right after its start: see {data_folder / 'node.log'}"
        raise NodeError(msg)
    return running


def _facts(data_folder: Path, running: NodeStatus | None) -> dict[str, object]:
    if running is None:
        return {"state": "stopped", "data_folder": str(data_folder)}
    return {
        "state": "running",
        "url": running.record.url,
        "version": running.record.version,
        "process": running.record.pid,
        "uptime": str(timedelta(seconds=round(running.uptime_s))),
        "data_folder": str(data_folder),
        "heap": f"{running.record.heap_mb} MB",
        "memory": f"{running.resident_mb} MB",
        "java": running.record.java,
        "health": running.health,
    }
