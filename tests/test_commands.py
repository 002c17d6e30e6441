"""What all commands have in common: how they end when they cannot ask the cluster, and what a terminal must show."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pages import ROOT

from detector.__main__ import main
from detector.commands.run import run
from detector.resume import PARTITIONS_AT_ONCE
from storage.client import CONNECTIONS_PER_HOST

DETECTOR = str(ROOT / "examples" / "detectors" / "nyc-taxi.json")


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["results"],
        ["doctor"],
        ["estimate", DETECTOR],
        ["validate", DETECTOR],
        ["run", "-c", DETECTOR],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_setting_that_cannot_be_used_is_an_error_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    """It is found when the client is made, later than the others; the exit code is that of a wrong setting."""
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    environment = {"OPENSEARCH_URL": "https://127.0.0.1:9", "OPENSEARCH_CA_FILE": str(authority)}
    answer = CliRunner().invoke(main, arguments, env=environment, prog_name="outrider")
    assert answer.exit_code == 2
    assert answer.stderr == (
        f"Error: `ca_file` {authority} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)\n"
    )


def test_all_threads_find_a_connection() -> None:
    """One that is opened for a single request and thrown away costs a handshake, and a warning of the library."""
    (threads,) = [parameter for parameter in run.params if parameter.name == "threads"]
    assert isinstance(threads.type, click.IntRange)
    assert threads.type.max is not None
    assert threads.type.max * PARTITIONS_AT_ONCE < CONNECTIONS_PER_HOST


def commands() -> Iterator[click.Command]:
    """Every command, those in groups too."""
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        yield from command.commands.values() if isinstance(command, click.Group) else [command]


def test_help_can_be_shown_by_every_terminal() -> None:
    """Also where the encoding is Latin-1 or plain ASCII, in which a single sign would end the command."""
    pages = [command.get_help(click.Context(command)) for command in commands()]
    assert len(pages) > 8
    assert [page for page in pages if not page.isascii()] == []
