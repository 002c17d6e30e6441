"""The command line `outrider`: names the sub-commands and imports one only when it is called.

`outrider --help` must answer in 0.3 s, so nothing heavy (numba, pydantic, opensearchpy) is imported here.
"""

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version

import click

COMMANDS = {
    "run": "Watch the data: run every detector of a folder until stopped.",
    "demo": "Show what Outrider does, on real data and a real OpenSearch node.",
    "validate": "Check detector files, offline and against the cluster.",
    "results": "Show the anomalies that were found.",
    "status": "Show what each detector is doing and how far it has come.",
    "estimate": "Say what detectors will cost before they run.",
    "doctor": "Say what is wrong with cluster, indices and sidecars, and what to do.",
    "schema": "Print the JSON Schema of a detector.",
    "node": "Start, stop or look at the embedded OpenSearch node.",
}
"""Sub-command to one-line help; `detector/commands/<name>.py` holds a click command called `<name>`."""


class LazyGroup(click.Group):
    """A click group that lists its sub-commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one sub-command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"detector.commands.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a sub-command; a misspelt one is answered with the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            msg = f"{error.message} Did you mean `{near[0]}`?"
            raise click.UsageError(msg, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of sub-commands from their one-line helps."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("outrider"), prog_name="outrider")
def main() -> None:
    """Streaming anomaly detection for OpenSearch: a sidecar, no plugin.

    \b
    outrider demo                       see it work on real data, nothing to install
    outrider validate checkout.json     check a detector before it runs
    outrider run -c detectors/          watch the cluster at OPENSEARCH_URL
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"


if __name__ == "__main__":
    main()
