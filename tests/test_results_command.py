"""`outrider results`: what was found, for people, for programs and for spreadsheets."""

import csv
import io
import json
import re
from typing import NamedTuple

import orjson
import pytest
from click.testing import CliRunner
from streams import stores_of

from detector.__main__ import main
from detector.commands.entity_cell import without_middle

DAY_MS = 1_400_025_600_000
"""2014-05-14 00:00 UTC."""
HOUR_MS = 3_600_000


class Result(NamedTuple):
    """A result document as the store takes it."""

    id: str
    end_time_ms: int
    source: bytes
    only_new: bool = False


def result(detector, hour, grade=0.0, *, entity=None, status="scored", **more):
    """Return a document of a window that starts at an hour of the day."""
    start = DAY_MS + hour * HOUR_MS
    body = {
        "detector_id": detector,
        "status": status,
        "data_start_time": start,
        "data_end_time": start + HOUR_MS,
        "value": {"trips": 39_197.0 + hour},
        "expected": {"trips": 24_000.0},
        "lower": {"trips": 20_000.0},
        "upper": {"trips": 28_000.0},
    }
    if status == "scored":
        body |= {"anomaly_grade": grade, "confidence": 0.97, "anomaly_score": 2.0, "threshold": 1.5}
    if grade:
        body["reason"] = f"trips is 39,197, above the expected 24,000 (hour {hour})"
    if entity:
        body |= {"entity_key": ", ".join(f"{k}={v}" for k, v in entity.items()), "entity_attributes": entity}
    return Result(f"{detector}-{hour}", start + HOUR_MS, orjson.dumps(body | more))


@pytest.fixture
def stores(client, index_prefix):
    """Return stores under a prefix of the test's own, with two detectors that have run."""
    stores = stores_of(client, index_prefix)
    for name in ("nyc-taxi", "cloudwatch"):
        stores.detectors.register(name, {}, "f", lambda _: 0, 0)
    return stores


@pytest.fixture
def ask(client, node_url, index_prefix):
    """Give a function that runs `outrider results` in a terminal of some width."""

    def run(*arguments, width=100):
        client.indices.refresh(index=f"{index_prefix}-*")
        environment = {
            "OPENSEARCH_URL": node_url,
            "OUTRIDER_INDEX_PREFIX": index_prefix,
            "COLUMNS": str(width),
        }
        return CliRunner().invoke(main, ["results", *arguments], env=environment, prog_name="outrider")

    return run


@pytest.mark.parametrize("width", [80, 120])
def test_anomalies_are_a_table_newest_first_with_their_reasons(stores, ask, width):
    """It fits the terminal."""
    stores.results.save([result("nyc-taxi", hour, grade) for hour, grade in ((1, 0.42), (2, 0), (3, 0.91))])
    shown = ask("nyc-taxi", width=width)
    assert shown.exit_code == 0
    lines = [line.rstrip() for line in shown.stdout.splitlines()]
    assert max(map(len, lines)) <= width
    title, header, _, newest, older, *rest = [line for line in lines if line]
    assert title == "nyc-taxi"
    assert header.split() == ["window", "(UTC)", "grade", "confidence", "value", "expected"]
    assert newest.split() == ["2014-05-14", "03:00", "0.91", "0.97", "39,200", "24,000"]
    assert older.split() == ["2014-05-14", "01:00", "0.42", "0.97", "39,198", "24,000"]
    text = " ".join(rest)
    assert "2014-05-14 03:00: trips is 39,197, above the expected 24,000 (hour 3)" in text
    assert "hour 2" not in text


def test_each_detector_has_its_table_and_entities_their_column(stores, ask):
    """Headed by the category fields; a reason says whose it is."""
    web = {"host": "web-1", "region": "eu"}
    stores.results.save([result("nyc-taxi", 1, 0.4), result("cloudwatch", 2, 0.8, entity=web)])
    shown = ask().stdout
    assert shown.index("cloudwatch") < shown.index("nyc-taxi")
    assert "host, region" in shown
    assert "2014-05-14 02:00  web-1, eu: trips is" in shown


def test_a_row_is_one_line_and_names_keep_both_their_ends(stores, ask):
    """In a narrow terminal; a wide one shows them whole."""
    names = [f"ec2_disk_write_bytes_{ending}" for ending in ("1ef3de", "c0d644")]
    stores.results.save(
        [result("cloudwatch", hour, 0.8, entity={"host": name}) for hour, name in enumerate(names)]
    )
    rows = [line for line in ask(width=72).stdout.splitlines() if "0.80" in line]
    assert [re.search(r"ec2\S*…\S*(\S{3}) ", row)[1] for row in rows] == ["644", "3de"]
    rows = [line for line in ask(width=120).stdout.splitlines() if "0.80" in line]
    assert [names[1] in rows[0], names[0] in rows[1]] == [True, True]


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("web-1", 5, "web-1"),
        ("web-1", 4, "w…-1"),
        ("x" * 9 + "y" * 9, 7, "xxx…yyy"),
        ("サーバー一号機", 9, "サー…号機"),
        ("ab" * 16_000, 9, "abab…abab"),
    ],
)
def test_a_name_is_cut_in_its_middle(name, width, shown):
    """To columns of a terminal, of which some characters take two."""
    assert without_middle(name, width) == shown


def test_a_name_of_thousands_of_characters_does_not_fill_the_screen(stores, ask):
    """It is cut where it is shown, never where it is stored."""
    stores.results.save([result("cloudwatch", 1, 0.8, entity={"host": "x" * 32_000})])
    assert len(ask().stdout) < 3_000
    assert json.loads(ask("--format", "json").stdout)["entity_attributes"]["host"] == "x" * 32_000


def test_names_and_values_are_shown_as_they_are(stores, ask):
    """Square brackets mean colour to the terminal library, and are just text in names."""
    stores.results.save(
        [result("cloudwatch", 1, 0.8, entity={"host[0]": "[red]web[/red]"}, reason="[bold]so[/bold]")]
    )
    shown = ask().stdout
    assert "host[0]" in shown
    assert shown.count("[red]web[/red]") == 2
    assert "[bold]so[/bold]" in shown


def test_several_features_stand_below_each_other_and_missing_ones_are_named(stores, ask):
    """Each with its name."""
    both = {"value": {"cpu": 81.25, "disk": None}, "expected": {"cpu": 40, "disk": 7}}
    stores.results.save([result("cloudwatch", 1, 0.8, **both)])
    shown = ask().stdout
    assert re.search(r"feature +value +expected", shown)
    assert re.search(r"cpu +81\.25 +40\n", shown)
    assert re.search(r"disk +missing +7\n", shown)


def test_a_row_with_everything_fits_80_characters(stores, ask):
    """Entity, features with long names, large numbers."""
    numbers = {"cpu_utilization_of_all_cores": 81.25, "disk_write_bytes": 123_456.7}
    of = {"entity": {"instance": "rds_cpu_utilization_e47b3b"}, "value": numbers, "expected": numbers}
    stores.results.save([result("cloudwatch", 1, 0.8, **of)])
    lines = ask(width=80).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == [
        "window",
        "(UTC)",
        "instance",
        "grade",
        "confidence",
        "feature",
        "value",
        "expected",
    ]
    assert any(re.search(r"123,457 +123,457$", line) for line in lines)


def test_windows_that_are_no_anomalies_are_shown_on_request_with_their_state(stores, ask):
    """Warming up, refused by the cluster, normal."""
    refused = result("nyc-taxi", 3, status="refused", error="does not fit")
    stores.results.save([result("nyc-taxi", 1, status="warming_up"), result("nyc-taxi", 2), refused])
    assert "No anomalies were found." in ask().stderr
    shown = ask("--all").stdout
    assert [word in shown for word in ("warming up", "0.00", "refused", "does not fit")] == [True] * 4


def test_results_are_chosen_by_detector_time_grade_and_number(stores, ask):
    """Since is exclusive and until inclusive, of the ends of windows."""
    stores.results.save([result("nyc-taxi", hour, hour / 10) for hour in range(1, 9)])
    stores.results.save([result("cloudwatch", 1, 0.9)])

    def hours(*arguments):
        rows = map(json.loads, ask(*arguments, "--format", "json").stdout.splitlines())
        return [(row["data_start_time"] - DAY_MS) // HOUR_MS for row in rows]

    assert hours("nyc-taxi") == [8, 7, 6, 5, 4, 3, 2, 1]
    assert hours("nyc-taxi", "--since", "2014-05-14T03:00", "--until", "2014-05-14 06:00") == [5, 4, 3]
    assert hours("nyc-taxi", "--min-grade", "0.7") == [8, 7]
    assert hours("--min-grade", "0.9") == [1]
    assert hours("-n", "2") == [8, 7]
    assert "The newest 2; -n shows more." in ask("-n", "2").stdout


def test_csv_has_a_row_each_and_columns_for_every_feature(stores, ask):
    """Times in ISO 8601, what is not there empty; it comes back through a reader of CSV."""
    stores.results.save([result("nyc-taxi", 1, 0.4, reason='a "quoted", reason'), result("nyc-taxi", 2, 0.5)])
    _, first = csv.DictReader(io.StringIO(ask("--format", "csv").stdout))
    assert first["data_start_time"] == "2014-05-14T01:00:00Z"
    assert (first["reason"], first["entity_key"]) == ('a "quoted", reason', "")
    assert [first[f"{part}.trips"] for part in ("value", "expected", "lower", "upper")] == [
        "39198.0", "24000.0", "20000.0", "28000.0",
    ]  # fmt: skip


def test_nothing_found_is_told_beside_the_output_so_that_programs_read_nothing(stores, ask):
    """Exit code 0: a day without anomalies is no failure."""
    assert stores.results.find() == []
    for form in ("text", "json"):
        shown = ask("--format", form)
        assert (shown.exit_code, shown.stdout) == (0, "")
        assert "No anomalies were found. --all shows normal windows too" in shown.stderr
    assert ask("nyc-taxi", "--format", "csv").stdout.startswith("detector_id,")
    assert "No anomalies of nyc-taxi were found." in ask("nyc-taxi").stderr


def test_an_unknown_detector_is_told_from_one_without_anomalies(stores, ask):
    """With the name that was probably meant, or with those that there are."""
    assert stores.results.find() == []
    near, far = ask("nyc-taxy"), ask("weather")
    assert (near.exit_code, far.exit_code) == (2, 2)
    assert near.stderr == "Error: no detector is called `nyc-taxy`: did you mean `nyc-taxi`?\n"
    assert far.stderr == "Error: no detector is called `weather`: there are cloudwatch, nyc-taxi\n"


def test_before_anything_has_run_it_is_told_how_to_begin(client, node_url, index_prefix):
    """On a cluster without any index of ours."""
    environment = {"OPENSEARCH_URL": node_url, "OUTRIDER_INDEX_PREFIX": index_prefix}
    shown = CliRunner().invoke(main, ["results", "nyc-taxi"], env=environment)
    assert shown.exit_code == 0
    assert f"No detector has run on this cluster yet (index prefix `{index_prefix}`)" in shown.stderr
    assert not client.indices.exists(index=f"{index_prefix}-*", allow_no_indices=False)


def test_a_cluster_that_is_away_is_an_error_in_one_line():
    """Exit code 1."""
    shown = CliRunner().invoke(main, ["results"], env={"OPENSEARCH_URL": "http://127.0.0.1:1"})
    assert shown.exit_code == 1
    assert "Error: http://127.0.0.1:1: no connection: Connection refused" in shown.stderr
