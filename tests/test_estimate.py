"""`outrider estimate`: numbers that follow from the detector, and a count from a real node."""

import json

import pytest
from click.testing import CliRunner
from streams import detector, index_stream

from detector.__main__ import main
from detector.commands.estimate import size_text
from detector.estimate import estimate


@pytest.fixture
def run(node_url, index_prefix):
    """Give a function that runs the command."""

    def call(*arguments, **environment):
        given = {
            "OPENSEARCH_URL": node_url,
            "OUTRIDER_INDEX_PREFIX": index_prefix,
            "COLUMNS": "100",
        } | environment
        return CliRunner().invoke(main, ["estimate", *map(str, arguments)], env=given, prog_name="outrider")

    return call


@pytest.fixture
def file(tmp_path, index_prefix):
    """Write the detector of the streams into a file."""
    path = tmp_path / "load.json"
    config = detector(f"{index_prefix}-load")
    path.write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    return path


def test_costs_grow_with_entities_features_and_windows():
    """Twice the entities, twice the models and documents; half the interval, twice the documents."""
    one = estimate(detector("i"), 10_000, 0.5)
    two = estimate(detector("i"), 20_000, 0.5)
    short = estimate(
        detector("i", detection_interval={"period": {"interval": 30, "unit": "Seconds"}}), 10_000, 0.5
    )
    assert two.results_a_day == 2 * one.results_a_day == 2 * short.results_a_day / 2 * 1
    assert two.checkpoint_bytes == pytest.approx(2 * one.checkpoint_bytes)
    assert two.read_s == 2 * one.read_s
    assert short.share == pytest.approx(2 * one.share)
    assert one.memory_bytes > 10_000 * 50_000


def test_entities_are_counted_in_the_cluster(client, run, file, index_prefix):
    """And one query is timed; for programs one object a line."""
    index_stream(client, f"{index_prefix}-load", n_hosts=12, n_windows=5)
    shown = run("--format", "json", file)
    assert shown.exit_code == 0, shown.output
    (row,) = map(json.loads, shown.stdout.splitlines())
    assert (row["detector"], row["n_entities"], row["n_features"]) == ("load", 12, 2)
    assert row["read_s"] >= 0
    assert row["results_a_day"] == 12 * 1_440
    table = run(file).stdout
    assert "17,280" in table
    assert max(map(len, table.splitlines())) <= 100


def test_nothing_is_asked_when_the_entities_are_given(run, file):
    """Also without a cluster; a detector that cannot keep up is said to."""
    shown = run("--entities", 1_000_000, file, OPENSEARCH_URL="http://127.0.0.1:9")
    assert shown.exit_code == 0
    assert "load cannot keep up on two cores" in shown.stdout
    assert "without reading" in " ".join(shown.stdout.split())


def test_a_cluster_that_is_away_or_empty_is_said_so(run, file):
    """With the way without."""
    shown = run(file, OPENSEARCH_URL="http://127.0.0.1:9")
    assert shown.exit_code == 1
    assert "127.0.0.1:9" in shown.output
    shown = run(file)
    assert shown.exit_code == 1
    assert "does not exist" in shown.output


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 B"), (1_500, "1.5 kB"), (12_345_678, "12 MB"), (7.4e9, "7.4 GB"), (5e12, "5.0 TB")],
)
def test_sizes_are_short(size, text):
    """In the unit that fits."""
    assert size_text(size) == text
