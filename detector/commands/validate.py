"""`outrider validate`: check detector files, offline and against the cluster."""

import time
from pathlib import Path

import click

from detector.check.detector import check_detector
from detector.commands import logs
from detector.commands.connection import PROBLEMS_FOUND, USAGE_ERROR, Failure, ask, client_of
from detector.commands.verdict import Verdict, print_json, print_text, verdicts_of
from detector.configuration.config import DetectorConfig
from detector.configuration.load import detector_files, load_files
from detector.configuration.problem import ConfigError
from storage.client import check_version
from storage.cluster import Cluster, ClusterSettingsError
from storage.probe import Probe
from storage.settings import load_cluster


@click.command()
@click.argument("places", metavar="FILE|DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--offline", is_flag=True, help="Look at the files only; ask no cluster.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, JSON for scripts.",
)
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="Settings file with the access to the cluster (default: outrider.toml when there is one).",
)
def validate(places: tuple[Path, ...], *, offline: bool, output: str, settings: Path | None) -> None:
    """Check detectors before they run.

    Offline: whether the files can be read and say something possible. Online also: whether indices, fields and
    types are there, the filter leaves documents, every feature gives a number, how much history there is, how
    many entities, and what a query costs.

    \b
    outrider validate --offline detectors/
    OPENSEARCH_URL=https://search:9200 outrider validate checkout.json
    outrider validate --format json detectors/ | jq '.findings[] | select(.level == "error")'

    Exit code: 0 all well (also with warnings), 1 the cluster cannot be asked, 2 wrong command line, 3 problems.
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"
    logs.configure("text", "warning")
    detectors, problems = load_files(_files(places))
    verdicts = verdicts_of(detectors, problems)
    if not offline and detectors:
        verdicts = _asked(verdicts, detectors, _cluster(settings))
    (print_json if output == "json" else print_text)(verdicts)
    if any(verdict.has_error for verdict in verdicts):
        raise SystemExit(PROBLEMS_FOUND)


def _files(places: tuple[Path, ...]) -> list[Path]:
    """Return the files that were named, each once; a place that is none ends the command."""
    try:
        return list(dict.fromkeys(file for place in places for file in detector_files(place)))
    except ConfigError as error:
        raise Failure(str(error), USAGE_ERROR) from error


def _cluster(settings: Path | None) -> Cluster:
    """Return the access settings; without any the command ends and names the way without a cluster."""
    try:
        return load_cluster(settings)
    except ClusterSettingsError as error:
        msg = f"{error}\nTo check the files only, add --offline."
        raise Failure(msg, USAGE_ERROR) from error


def _asked(verdicts: list[Verdict], detectors: dict[Path, DetectorConfig], cluster: Cluster) -> list[Verdict]:
    """Add what the cluster says about each detector that could be read."""
    with client_of(cluster) as client:
        ask(check_version, client)
        probe, now_ms = Probe(client), int(time.time() * 1000)
        return [
            verdict.with_findings(
                ask(check_detector, detectors[verdict.file], probe, cluster.index_prefix, now_ms)
            )
            if verdict.file in detectors
            else verdict
            for verdict in verdicts
        ]
