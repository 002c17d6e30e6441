"""`outrider status`: who runs, how far, and what is wrong."""

import json
import time

import pytest
from click.testing import CliRunner
from streams import stores_of

from detector.__main__ import main
from storage.records import Lease, Marker


@pytest.fixture
def stores(client, index_prefix):
    """Return stores under a prefix of the test's own."""
    return stores_of(client, index_prefix)


@pytest.fixture
def ask(client, node_url, index_prefix):
    """Give a function that runs `outrider status` in a terminal of some width."""

    def run(*arguments, width=100):
        client.indices.refresh(index=f"{index_prefix}-*")
        environment = {
            "OPENSEARCH_URL": node_url,
            "OUTRIDER_INDEX_PREFIX": index_prefix,
            "COLUMNS": str(width),
        }
        return CliRunner().invoke(main, ["status", *arguments], env=environment, prog_name="outrider")

    return run


def add(stores, name, *, polled_s_ago=None, lag_s=0, interval_s=60, **report):
    """Register a detector, and keep the report of a poll as the schedule does."""
    stores.detectors.register(name, {}, "f", lambda _: 0, 0)
    if polled_s_ago is None:
        return
    polled_ms = int((time.time() - polled_s_ago) * 1000)
    frontier_ms = int((time.time() - lag_s) * 1000)
    stores.state.advance([Marker(f"{name}~1~00", 1, frontier_ms, 1_234)], 0)
    fields = {"error": None, "failures": 0}
    live = {} if interval_s is None else {"interval_s": interval_s}
    stores.state.save_report(name, fields | live | report, polled_ms)


ERROR = "index web-logs does not exist: correct the name, or create it"


@pytest.fixture
def five(stores):
    """Have one detector in each state."""
    add(stores, "running", polled_s_ago=20, lag_s=70)
    add(stores, "failing", polled_s_ago=5, lag_s=7_300, error=ERROR, failures=12)
    add(stores, "stopped", polled_s_ago=90_000, lag_s=90_100)
    add(stores, "starting")
    add(stores, "replayed", polled_s_ago=4_000, lag_s=5_000, interval_s=None)


def test_every_detector_has_its_state(five, ask):  # noqa: ARG001 - the detectors there are
    """For programs: one object a line, seconds as numbers, null where nothing is known."""
    shown = ask("--format", "json")
    rows = {row["detector"]: row for row in map(json.loads, shown.stdout.splitlines())}
    assert {name: row["state"] for name, row in rows.items()} == {name: name for name in rows}
    assert len(rows) == 5
    assert rows["running"]["entities"] == 1_234
    assert 60 <= rows["running"]["lag_s"] <= 100
    assert 15 <= rows["running"]["last_poll_s"] <= 60
    assert (rows["failing"]["error"], rows["failing"]["failures"]) == (ERROR, 12)
    nothing = ("entities", "scored_until", "lag_s", "last_poll_s", "error")
    assert {rows["starting"][key] for key in nothing} == {None}


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_says_below_what_is_wrong(five, ask, width):  # noqa: ARG001
    """How long ago in the unit that fits."""
    shown = ask(width=width)
    lines = [line.rstrip() for line in shown.stdout.splitlines()]
    assert max(map(len, lines)) <= width
    row = {line.split()[0]: line for line in reversed(lines) if line}
    assert "1,234" in row["running"]
    assert row["stopped"].endswith("25 h ago")
    assert row["starting"].endswith("never")
    assert "2 h" in row["failing"]
    assert f"failing (12 times in a row): {ERROR}" in " ".join(lines)


def test_a_failing_detector_gives_an_exit_code_of_its_own(stores, ask):
    """3, for scripts that watch; 0 when all is well."""
    add(stores, "good", polled_s_ago=1)
    assert ask().exit_code == 0
    add(stores, "bad", polled_s_ago=1, error=ERROR, failures=1)
    shown = ask()
    assert shown.exit_code == 3
    assert f"bad: {ERROR}" in shown.stdout.replace("\n", " ")


def test_the_sidecars_and_what_each_works_on_are_shown(stores, ask):
    """One that fails is heard, also when another one was polled later."""
    add(stores, "load", polled_s_ago=30, error=ERROR, failures=2)
    stores.state.save_report("load", {"error": None, "failures": 0}, int(time.time() * 1000), 1)
    now_ms = int(time.time() * 1000)
    for number, (host, silent_s) in enumerate({"alpha": 2, "beta": 600}.items()):
        lease = Lease(number, f"{host}:17:ab12cd34", "0.1.0", {}, 30.0, {"load": 64}, {"load": 30 + number})
        stores.leases.write(lease, now_ms - silent_s * 1000)
    shown = ask(width=80)
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["alpha:17", "0.1.0", "1", "30"] in [line[:4] for line in lines]
    assert ["beta:17", "0.1.0", "1", "31", "10", "min", "ago"] in lines
    assert shown.exit_code == 3
    (row,) = map(json.loads, ask("--format", "json").stdout.splitlines())
    assert (row["state"], row["error"]) == ("failing", ERROR)
    assert row["sidecars"] == {"alpha:17:ab12cd34": 30, "beta:17:ab12cd34": 31}


def test_long_names_and_brackets_in_messages_are_shown_as_they_are(stores, ask):
    """A name of 64 characters is folded, text is never taken for a colour."""
    name = "checkout-latency-and-errors-of-all-regions-and-both-data-centres"
    add(stores, name, polled_s_ago=1, error="Field [load] of type [keyword] is not supported", failures=1)
    shown = ask(width=80)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "Field [load] of type [keyword] is not supported" in " ".join(shown.stdout.split())


def test_before_anything_has_run_it_is_told_how_to_begin(ask, index_prefix):
    """Without any index of ours, and with empty ones."""
    shown = ask(width=200)
    assert shown.exit_code == 0
    assert (
        f"No detector has run on this cluster yet (index prefix `{index_prefix}`): start some" in shown.stdout
    )
    assert ask("--format", "json").stdout == ""


def test_a_cluster_that_is_away_is_an_error_in_one_line():
    """Exit code 1, one line."""
    shown = CliRunner().invoke(main, ["status"], env={"OPENSEARCH_URL": "http://127.0.0.1:1"})
    assert shown.exit_code == 1
    assert shown.stderr.startswith("Error: http://127.0.0.1:1: no connection")
