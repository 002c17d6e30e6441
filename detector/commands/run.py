"""`outrider run`: the sidecar itself."""

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
import structlog

from detector.commands import logs
from detector.commands.connection import USAGE_ERROR, Failure, ask, cluster_of, open_stores
from detector.config import DetectorConfig
from detector.load import load_detectors
from detector.open import open_job
from detector.poll import poll
from detector.problem import ConfigError
from detector.save import save_checkpoints
from detector.schedule import Schedule
from detector.stores import Stores

log = structlog.get_logger(__name__)

TIME = click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"])
"""Moments on the command line are in UTC."""


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
@click.option("--start", type=TIME, help="Where detectors that never ran before begin, in UTC (default: now).")
@click.option("--until", type=TIME, help="Score everything up to this moment in UTC, then end.")
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
    start: datetime | None,
    until: datetime | None,
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
    try:
        configs = load_detectors(folder)
    except ConfigError as error:
        raise Failure(str(error), USAGE_ERROR) from error
    stopping = threading.Event()
    _stop_on_signals(stopping)
    stores = open_stores(cluster_of(settings), stopping)
    if once or until is not None:
        ask(_replay, configs, stores, _ms(start), _ms(until or datetime.now(UTC)), stopping)
    else:
        _watch(configs, stores, threads, _ms(start), stopping)


def _watch(
    configs: list[DetectorConfig],
    stores: Stores,
    threads: int,
    start_ms: int | None,
    stopping: threading.Event,
) -> None:
    schedule = Schedule(configs, stores, stopping=stopping, n_threads=threads, start_ms=start_ms)
    schedule.start()
    log.info("started", detectors=[config.detector_id for config in configs])
    stopping.wait()
    log.info("stopping")
    is_clean = schedule.stop()
    log.info("stopped", clean=is_clean)


def _replay(
    configs: list[DetectorConfig],
    stores: Stores,
    start_ms: int | None,
    until_ms: int | None,
    stopping: threading.Event,
) -> None:
    """Bring each detector up to a moment, through the same function that polls it live."""
    now_ms = until_ms or 0
    stores.prepare()
    for config in configs:
        log.info("replaying", detector=config.detector_id, until_ms=now_ms)
        job = open_job(config, stores, now_ms, start_ms)
        report = poll(job, stores, now_ms, should_stop=stopping.is_set)
        save_checkpoints(job, stores.checkpoints, every_windows=1)
        log.info("replayed", detector=config.detector_id, **vars(report))


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _ms(moment: datetime | None) -> int | None:
    """Return epoch milliseconds of a moment in UTC."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
