"""`outrider run`: the sidecar itself."""

import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click
import structlog

from detector.commands import logs
from detector.commands.connection import RUNTIME_ERROR, USAGE_ERROR, Failure, cluster_of, open_stores
from detector.commands.duration import DURATION
from detector.commands.moment import MOMENT
from detector.commands.observed import AddressType, Observed
from detector.commands.replay import Replay
from detector.commands.sidecar import membership_of
from detector.commands.size import SIZE
from detector.configuration.load import load_detectors
from detector.configuration.problem import ConfigError
from detector.keeper import Keeper
from detector.membership import Membership
from detector.memory import Memory
from detector.monitor import Address
from detector.schedule import Schedule

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
@click.option(
    "--memory",
    "memory_bytes",
    type=SIZE,
    envvar="OUTRIDER_MEMORY",
    help="Most memory for models, such as 8g; those that do not fit take turns (default: no limit).",
)
@click.option(
    "--lease",
    "lease_s",
    type=click.FloatRange(1, 3600),
    default=30,
    show_default=True,
    envvar="OUTRIDER_LEASE",
    help="Seconds after which the other sidecars of the cluster take over from one that is silent.",
)
@click.option(
    "--catch-up",
    "catch_up_ms",
    type=DURATION,
    envvar="OUTRIDER_CATCH_UP",
    help="After an outage go back at most so far, such as 6h or 7d, and mark older windows as skipped (default: all).",
)
@click.option(
    "--monitor",
    "address",
    type=AddressType(),
    envvar="OUTRIDER_MONITOR",
    help="Serve /metrics, /healthz and /readyz there; a port alone is on loopback (default: not at all).",
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
    memory_bytes: int | None,
    lease_s: float,
    catch_up_ms: int | None,
    address: Address | None,
) -> None:
    """Watch the data: run every detector of a folder until stopped.

    The cluster is the one at OPENSEARCH_URL; several sidecars with the same detectors share the work. SIGTERM and
    Ctrl-C end it within 30 seconds; state is in the cluster, so it goes on where it stopped.

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
    observed = Observed(configs)
    stores = open_stores(cluster, stopping, observed.note_request)
    memory = Memory(memory_bytes, len(configs))
    membership = membership_of(configs, stores.leases, lease_s)
    if once or until is not None:
        Replay(stores, membership, memory, start_ms=start, until_ms=until, stopping=stopping).run(configs)
        return
    schedule = Schedule(
        configs,
        stores,
        stopping=stopping,
        n_threads=threads,
        start_ms=start,
        catch_up_ms=catch_up_ms,
        membership=membership,
        on_poll=observed.note_poll,
        on_turn=observed.health.turn,
        memory=memory,
    )
    with observed.served_at(address) as monitor:
        log.info(
            "started",
            version=version("outrider"),
            cluster=", ".join(cluster.url),
            index_prefix=cluster.index_prefix,
            detectors=len(configs),
            monitor=None if monitor is None else f"http://{monitor.address}/metrics",
        )
        _watch(schedule, membership, stopping)


def _watch(schedule: Schedule, membership: Membership, stopping: threading.Event) -> None:
    with Keeper(membership, stopping, on_change=schedule.poll_now, on_jump=schedule.poll_all_now) as keeper:
        schedule.start()
        stopping.wait()
        log.info("stopping", hint="Ctrl-C ends it at once" if sys.stderr.isatty() else None)
        unfinished = schedule.stop()
        if unfinished:
            log.warning(
                "stopped",
                unfinished=unfinished,
                reason="what they were doing is done again at the next start",
            )
            # Their threads hang in requests; leaving in the ordinary way would wait for them.
            os._exit(RUNTIME_ERROR if keeper.refusal or schedule.refusal else 0)
    log.info("stopped")
    if refusal := keeper.refusal or schedule.refusal:
        raise Failure(refusal)


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        if number == signal.SIGINT:
            # A second Ctrl-C ends the process at once, without the interpreter's waiting for threads.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
