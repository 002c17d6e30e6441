"""`outrider doctor`: what is wrong with cluster, indices and sidecars, and what to do."""

import os
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.text import Text

from detector.check.cluster import check_cluster
from detector.check.environment import check_environment
from detector.check.finding import Finding, Level
from detector.check.sidecars import check_detectors
from detector.commands import logs
from detector.commands.connection import PROBLEMS_FOUND, ask, client_of, cluster_of
from detector.commands.status import standing
from detector.commands.verdict import findings_table, summary_text
from detector.configuration.problem import path_text
from storage.cluster import Cluster, variable
from storage.diagnosis import Diagnosis
from storage.retry import Retry
from storage.settings import SETTINGS_VARIABLE

OTHERS = (SETTINGS_VARIABLE, "OUTRIDER_ARTIFACTS", "OUTRIDER_CACHE", "OUTRIDER_TEST_OPENSEARCH")
"""Variables that are neither options of `outrider run` nor access settings."""


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--settings", type=click.Path(path_type=Path), help="Settings file with the access to the cluster."
)
@click.pass_context
def doctor(ctx: click.Context, form: str, settings: Path | None) -> None:
    """Say what is wrong with cluster, indices and sidecars, and what to do.

    Looks at the environment, the cluster's version, health, disk and clock, at Outrider's own indices, tries what
    the sidecar has to be allowed to do (one document is written and deleted again), and asks every detector how it
    is. Changes nothing.

    Exit code: 0 all well (also with warnings), 1 the cluster cannot be asked, 2 wrong command line, 3 problems.
    """
    logs.configure("text", "error")
    cluster = cluster_of(settings)
    findings = check_environment(os.environ, known_variables())
    with client_of(cluster, "outrider doctor") as client:
        findings += ask(check_cluster, Diagnosis(client, cluster.index_prefix), time.time())
        retry = Retry(n_attempts=2, stop=threading.Event())
        rows, _ = ask(standing, client, cluster.index_prefix, retry, time.time())
    findings += check_detectors(rows)
    if form == "json":
        for finding in findings:
            click.echo(
                orjson.dumps(
                    {
                        "level": finding.level.value,
                        "about": path_text(finding.path),
                        "message": finding.message,
                    }
                )
            )
    else:
        _print_text(findings, cluster)
    if any(finding.level is Level.ERROR for finding in findings):
        ctx.exit(PROBLEMS_FOUND)


def known_variables() -> list[str]:
    """Return the environment variables that we read: access settings, options of `outrider run`, and some more."""
    run: click.Command = import_module("detector.commands.run").run
    options = [str(option.envvar) for option in run.params if option.envvar]
    return sorted({*OTHERS, *options, *map(variable, Cluster.model_fields)})


def _print_text(findings: Sequence[Finding], cluster: Cluster) -> None:
    console = Console(highlight=False, soft_wrap=False)
    title = Text(", ".join(cluster.url), style="bold")
    title.append(f"  indices {cluster.index_prefix}-*", style="not bold dim")
    console.print(title)
    console.print(findings_table([(finding, None) for finding in findings]))
    console.print()
    console.print(summary_text([finding.level for finding in findings], "all well"))
