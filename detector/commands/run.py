"""`outrider run`: the sidecar itself."""

import os
import signal
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click
import structlog

from detector.commands import logs
from detector.commands.connection import USAGE_ERROR, Failure, ask, cluster_of, open_stores
from detector.commands.moment import MOMENT, moment_text
from detector.configuration.config import DetectorConfig
from detector.configuration.load import load_detectors
from detector.configuration.problem import ConfigError
from detector.open import open_job
from detector.outcome import outcome_of
from detector.poll import poll
from detector.save import save_checkpoints
from detector.schedule import SETTLE_MS, Schedule
from detector.stores import Stores
from storage.errors import StorageError

log = structlog.get_logger(__name__)


@click.command()
@click.option(
    "-c",
    "--config",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    envvar="OUTRIDER_CONFIG",
    help="Folder with detectors, one JSON file each (or OUTRIDER_CONFIG).",
)
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="Settings file with the access to the cluster (default: outrider.toml when there is one).",
)
@click.option(
    "--start", type=MOMENT, help="Where detectors that never ran before begin, in UTC (default: now)."
)
@click.option("--until", type=MOMENT, help="Score everything up to this moment in UTC, then end.")
@click.option("--once", is_flag=True, help="Score everything up to now, then end.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar="OUTRIDER_LOG_FORMAT",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    envvar="OUTRIDER_LOG_LEVEL",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    envvar="OUTRIDER_THREADS",
    help="Detectors that are polled at the same time.",
)
def run(
    folder: Path,
    settings: Path | None,
    start: int | None,
    until: int | None,
    once: bool,  # noqa: FBT001 - click's way
    log_format: str,
    log_level: str,
    threads: int,
) -> None:
    """Watch the data: run every detector of a folder until stopped.

    The cluster is the one at OPENSEARCH_URL. SIGTERM and Ctrl-C end it within 30 seconds; state is in the
    cluster, so it goes on where it stopped.

    \b
    outrider run -c detectors/
    outrider run -c detectors/ --start 2026-01-01 --once     analyse the past, then end
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"
    logs.configure(log_format, log_level)
    stopping = threading.Event()
    _stop_on_signals(stopping)
    try:
        configs = load_detectors(folder)
    except ConfigError as error:
        raise Failure(str(error), USAGE_ERROR) from error
    cluster = cluster_of(settings)
    stores = open_stores(cluster, stopping)
    if once or until is not None:
        now_ms = time.time_ns() // 1_000_000
        _replay(configs, stores, start, until or now_ms - SETTLE_MS, stopping)
        return
    log.info(
        "started",
        version=version("outrider"),
        cluster=", ".join(cluster.url),
        index_prefix=cluster.index_prefix,
        detectors=len(configs),
    )
    _watch(configs, stores, threads, start, stopping)


def _watch(
    configs: list[DetectorConfig],
    stores: Stores,
    threads: int,
    start_ms: int | None,
    stopping: threading.Event,
) -> None:
    schedule = Schedule(configs, stores, stopping=stopping, n_threads=threads, start_ms=start_ms)
    schedule.start()
    stopping.wait()
    log.info("stopping", hint="Ctrl-C ends it at once" if sys.stderr.isatty() else None)
    unfinished = schedule.stop()
    if unfinished:
        log.warning(
            "stopped", unfinished=unfinished, reason="what they were doing is done again at the next start"
        )
        # Their threads hang in requests; leaving in the ordinary way would wait for them.
        os._exit(0)
    log.info("stopped")


def _replay(
    configs: list[DetectorConfig],
    stores: Stores,
    start_ms: int | None,
    until_ms: int,
    stopping: threading.Event,
) -> None:
    """Bring each detector up to a moment, through the same function that polls it live."""
    ask(stores.prepare)
    failed = []
    for config in configs:
        try:
            is_complete = _replay_one(config, stores, start_ms, until_ms, stopping)
        except StorageError as error:
            log.error("replay_failed", detector=config.detector_id, error=str(error))  # noqa: TRY400 - expected: no traceback
            failed.append(config.detector_id)
            is_complete = not stopping.is_set()
        if not is_complete:
            msg = "stopped before everything was scored; the same command goes on from there"
            raise Failure(msg)
    if failed:
        msg = f"{len(failed)} of {len(configs)} detectors failed: {', '.join(failed)}"
        raise Failure(msg)


def _replay_one(
    config: DetectorConfig, stores: Stores, start_ms: int | None, until_ms: int, stopping: threading.Event
) -> bool:
    """Bring one detector up to a moment; return whether it got there."""
    log.info("replaying", detector=config.detector_id, until=moment_text(until_ms))
    job = open_job(config, stores, until_ms, start_ms)
    stores.require(config)
    report = poll(job, stores, until_ms, should_stop=stopping.is_set)
    save_checkpoints(job, stores.checkpoints, every_windows=1)
    outcome = outcome_of(report, job, until_ms)
    log.info("replayed", detector=config.detector_id, **outcome)
    stores.state.save_report(config.detector_id, outcome, time.time_ns() // 1_000_000)
    return report.is_complete


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        if number == signal.SIGINT:
            # A second Ctrl-C ends the process at once, without the interpreter's waiting for threads.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
