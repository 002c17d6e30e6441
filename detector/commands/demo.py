"""`outrider demo`: real data, a real OpenSearch node, and the code that runs in production."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import click
from opensearchpy import OpenSearch
from rich.console import Console
from rich.progress import Progress

from detector.commands import logs
from detector.commands.bars import bars, node_bars
from detector.commands.connection import Failure, build_stores
from detector.commands.demo_data import Sample, sample_as_of, sample_as_recorded
from detector.commands.demo_serve import serve
from detector.commands.findings import print_findings
from detector.commands.table import Result
from detector.configuration.config import DetectorConfig
from detector.configuration.load import load_detector
from detector.example_data import EXAMPLES, MAPPINGS, examples_folder
from detector.open import open_job
from detector.poll import PollReport, poll
from detector.save import save_checkpoints
from detector.stores import Stores
from storage.client import connect
from storage.cluster import Cluster
from storage.embedded.node_cache import default_data_folder
from storage.embedded.node_error import NodeError
from storage.errors import StorageError
from storage.ingest import add_documents, replace_index
from storage.node import EmbeddedNode
from storage.results import ResultStore
from storage.retry import ONCE

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

PREFIX = "outrider"
"""Prefix of the indices, as a user's cluster has it."""

MOST_ANOMALIES = 1_000


@click.command()
@click.option("--serve", "is_served", is_flag=True, help="Keep it running and feed live data, until Ctrl-C.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Port of the node (default: a free one)."
)
def demo(is_served: bool, port: int) -> None:  # noqa: FBT001 - click's way
    """Show what Outrider does, on real data and a real OpenSearch node.

    Starts an embedded OpenSearch, loads New York taxi rides (one stream) and 17 metrics of AWS servers (one
    model each), runs a detector over both, prints what was found beside what is known to have happened, and stops
    everything again. It can be run any number of times.

    With --serve the data are moved so that each series has an event ahead; they go on arriving as time passes.
    """
    console = Console()
    logs.configure("text", "warning")
    try:
        _demo(console, port, is_served=is_served)
    except (NodeError, StorageError) as error:
        raise Failure(str(error)) from error
    except KeyboardInterrupt:
        console.print("\nStopped.")
        raise SystemExit(INTERRUPTED) from None


def _demo(console: Console, port: int, *, is_served: bool) -> None:
    started = time.monotonic()
    warming_up = threading.Thread(target=_warm_up, daemon=True)
    warming_up.start()
    folder = default_data_folder(os.environ).parent / "demo"
    with (
        bars(console) as progress,
        EmbeddedNode(folder, port=port, progress=node_bars(progress), keeps_data=False) as node,
        connect(_access(node)) as client,
    ):
        samples = _samples(is_moved=is_served)
        _load(client, samples, progress)
        stopping = threading.Event()
        stores = build_stores(client, PREFIX, stopping)
        stores.prepare()
        warming_up.join()
        configs = [load_detector(_detector_file(sample.name)) for sample in samples]
        _detect(stores, configs, samples, progress, stopping)
        progress.stop()
        for sample in samples:
            print_findings(console, sample.name, _anomalies(client, sample.name), sample.labels)
        console.print(f"\nDone in {time.monotonic() - started:.0f} s.", style="dim")
        if is_served:
            _print_queries(console, node.url)
            serve(console, client, stores, configs, samples, stopping)
            return
    _print_next_steps(console, folder)


def _warm_up() -> None:
    """Compile the kernels, or load them from numba's cache, while the node starts."""
    from detector.model.warm_up import warm_up  # noqa: PLC0415 - importing numba takes a second

    warm_up()


def _access(node: EmbeddedNode) -> Cluster:
    return Cluster(url=(node.url,))


def _samples(*, is_moved: bool) -> list[Sample]:
    now_ms = time.time_ns() // 1_000_000
    return [sample_as_of(name, now_ms) if is_moved else sample_as_recorded(name) for name in EXAMPLES]


def _detector_file(name: str) -> Path:
    return examples_folder() / "detectors" / f"{name}.json"


def _load(client: OpenSearch, samples: list[Sample], progress: Progress) -> None:
    for sample in samples:
        task = progress.add_task(f"Loading {sample.name}", total=len(sample.past))
        replace_index(client, sample.name, MAPPINGS[sample.name])
        add_documents(client, sample.name, sample.past, partial(progress.advance, task))


def _detect(
    stores: Stores,
    configs: list[DetectorConfig],
    samples: list[Sample],
    progress: Progress,
    stopping: threading.Event,
) -> None:
    """Run the detectors over everything that was loaded, side by side."""
    with ThreadPoolExecutor(len(configs)) as pool:
        runs = [
            pool.submit(_run_detector, stores, config, sample, progress, stopping)
            for config, sample in zip(configs, samples, strict=True)
        ]
        try:
            for run in runs:
                run.result()
        finally:
            # After Ctrl-C, or when one failed, the others end with their block.
            stopping.set()
    stopping.clear()


def _run_detector(
    stores: Stores,
    config: DetectorConfig,
    sample: Sample,
    progress: Progress,
    stopping: threading.Event,
) -> None:
    total = sample.until_ms - sample.start_ms
    task = progress.add_task(f"Detecting in {sample.name}", total=total)
    job = open_job(config, stores, sample.until_ms, sample.start_ms)

    def show(_: PollReport) -> None:
        progress.update(task, completed=job.frontier_ms - sample.start_ms)

    poll(job, stores, sample.until_ms, should_stop=stopping.is_set, on_progress=show)
    save_checkpoints(job, stores.checkpoints, every_entries=1)
    progress.update(task, completed=total)


def _anomalies(client: OpenSearch, name: str) -> list[Result]:
    client.indices.refresh(index=f"{PREFIX}-results-*")
    store = ResultStore(client, PREFIX, ONCE)
    return list(store.find(detector_id=name, min_grade=0.0, most=MOST_ANOMALIES))


def _print_queries(console: Console, url: str) -> None:
    console.print(
        f"""
Look further, in another terminal:
  [bold]export OPENSEARCH_URL={url}[/]
  [bold]outrider results nyc-taxi[/]
  [bold]outrider status[/]
  [bold]curl "$OPENSEARCH_URL/outrider-results/_search?q=is_anomaly:true&sort=anomaly_grade:desc&pretty"[/]
""",
        highlight=False,
        soft_wrap=True,
    )


def _print_next_steps(console: Console, folder: Path) -> None:
    console.print(
        f"""
Look further:
  [bold]outrider node start --data-folder {folder}[/]   start the node again with what was found
  [bold]outrider results nyc-taxi[/]   with the OPENSEARCH_URL that it prints
  [bold]curl "$OPENSEARCH_URL/outrider-results/_search?q=is_anomaly:true&sort=anomaly_grade:desc&pretty"[/]
  [bold]outrider demo --serve[/]   keep it running, with live data
""",
        highlight=False,
        soft_wrap=True,
    )
