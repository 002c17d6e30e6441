"""`outrider doctor`: on a real node, with things broken one by one."""

import json
import time

import pytest
from click.testing import CliRunner
from opensearchpy import OpenSearch
from streams import stores_of

from detector.__main__ import main
from detector.check.cluster import check_cluster
from detector.check.environment import check_environment
from detector.check.finding import Level
from detector.check.sidecars import check_detectors
from detector.commands.doctor import known_variables
from detector.commands.moment import iso_text
from storage.diagnosis import Diagnosis
from storage.errors import AccessDenied
from storage.records import DiskFacts, IndexFacts


@pytest.fixture
def ask(client, node_url, index_prefix):
    """Give a function that runs the command and returns exit code and findings: (level, about) to message."""

    def run(**environment):
        client.indices.refresh(index=f"{index_prefix}-*")
        given = {"OPENSEARCH_URL": node_url, "OUTRIDER_INDEX_PREFIX": index_prefix} | environment
        shown = CliRunner().invoke(main, ["doctor", "--format", "json"], env=given, prog_name="outrider")
        rows = [json.loads(line) for line in shown.stdout.splitlines()]
        return shown.exit_code, {(row["level"], row["about"]): row["message"] for row in rows}

    return run


@pytest.fixture
def stores(client, index_prefix):
    """Return stores whose indices exist."""
    return stores_of(client, index_prefix)


def add(stores, name, *, seconds_ago=1, lag_s=60, **report):
    """Register a detector and keep the report of a poll."""
    stores.detectors.register(name, {}, "f", lambda _: 0, 0)
    now_ms = int(time.time() * 1000)
    fields = {"interval_s": 60, "error": None, "failures": 0, "frontier": iso_text(now_ms - lag_s * 1000)}
    stores.state.save_report(name, fields | report, now_ms - seconds_ago * 1000)


def test_a_sidecar_that_is_well_has_a_clean_bill(stores, ask):
    """Every question has an answer, and none is a complaint; the trial leaves nothing behind."""
    add(stores, "taxi")
    code, found = ask()
    assert code == 0
    assert {about for level, about in found if level == "ok"} >= {
        "environment", "cluster", "clock", "privileges", "detectors",
    }  # fmt: skip
    assert not [about for level, about in found if level == "error"]
    assert found["ok", "privileges"] == "this user can write, read and delete in our indices"


def test_a_cluster_where_nothing_ran_yet_is_told_so(ask):
    """Nothing is created by asking."""
    code, found = ask()
    assert code == 0
    assert "none of Outrider's indices is there" in found["warning", "indices"]
    assert "none has run on this cluster" in found["warning", "detectors"]


def test_an_index_that_is_blocked_and_one_that_is_gone_are_named(client, stores, ask, index_prefix):
    """With what to set, and that what is gone comes back."""
    add(stores, "taxi")
    client.indices.put_settings(index=f"{index_prefix}-state", body={"index.blocks.write": True})
    client.indices.delete(index=f"{index_prefix}-checkpoints")
    code, found = ask()
    client.indices.put_settings(index=f"{index_prefix}-state", body={"index.blocks.write": None})
    assert code == 3
    assert found["error", f"indices.{index_prefix}-state"] == (
        "is blocked (write): set index.blocks.write to null"
    )
    assert "the next poll makes it anew" in found["warning", f"indices.{index_prefix}-checkpoints"]
    assert "this user cannot write, read and delete state" in found["error", "privileges"]


def test_an_index_in_place_of_the_alias_is_found(client, ask, index_prefix, stores):  # noqa: ARG001 - its indices
    """Something that wrote to the alias before there was one has made an index of that name."""
    client.index(index=f"{index_prefix}-results", body={"a": 1})
    code, found = ask()
    assert code == 3
    assert "the results' alias is an index of its own" in found["error", "indices"]


def test_detectors_that_fail_or_that_nobody_polls_are_named(stores, ask):
    """With the reason the log had."""
    add(stores, "good")
    add(stores, "bad", error="index web-logs does not exist", failures=7)
    add(stores, "alone", seconds_ago=4_000)
    code, found = ask()
    assert code == 3
    assert found["error", "detectors.bad"] == "7 polls in a row have failed: index web-logs does not exist"
    assert "nobody has polled it for" in found["error", "detectors.alone"]
    assert ("error", "detectors.good") not in found


def test_variables_that_nobody_reads_are_hinted_at(ask):
    """Ours when they are unknown, the shared prefix when they are nearly one of ours."""
    _, found = ask(OUTRIDER_INDX_PREFIX="x", OPENSEARCH_PASWORD="x", OPENSEARCH_JAVA_HOME="/x")
    assert "did you mean `OUTRIDER_INDEX_PREFIX`?" in found["warning", "environment.OUTRIDER_INDX_PREFIX"]
    assert "did you mean `OPENSEARCH_PASSWORD`?" in found["warning", "environment.OPENSEARCH_PASWORD"]
    assert not [about for _, about in found if "JAVA" in about]


def test_every_variable_that_we_read_is_known():
    """Options of `outrider run`, access settings, and the few others."""
    known = known_variables()
    assert {"OUTRIDER_MONITOR", "OUTRIDER_CONFIG", "OPENSEARCH_URL", "OUTRIDER_INDEX_PREFIX"} <= {*known}
    (finding,) = check_environment([*known, "HOME"], known)
    assert finding.level is Level.OK


class Facts:
    """A cluster in any state: what a node cannot be brought into within a test."""

    def __init__(self, **answers):
        well = {
            "version": "3.8.0",
            "health": {"status": "green", "number_of_data_nodes": 3, "unassigned_shards": 0},
            "clock_s": 1_000.0,
            "indices": [IndexFacts("outrider-state", 1, 1, (), 20, 1_000)],
            "missing": [],
            "misplaced_alias": False,
            "disk": DiskFacts("n1", 0.5, 0.85, 0.95),
            "try_writing": None,
            "try_bulk": None,
        }
        self._answers = well | answers

    def __getattr__(self, name):
        def answer():
            if isinstance(self._answers[name], Exception):
                raise self._answers[name]
            return self._answers[name]

        return answer


@pytest.mark.parametrize(
    ("answers", "level", "text"),
    [
        (
            {"health": {"status": "red", "number_of_data_nodes": 3, "unassigned_shards": 2}},
            "error",
            "2 shards",
        ),
        ({"clock_s": 900.0}, "warning", "100 s ahead of the cluster's; windows are read by the cluster's"),
        ({"clock_s": 1_060.0}, "warning", "60 s behind the cluster's; windows are read late"),
        ({"disk": DiskFacts("n1", 0.87, 0.85, 0.95)}, "warning", "n1, uses 87% of its disk: above 85%"),
        ({"disk": DiskFacts("n1", 0.96, 0.85, 0.95)}, "error", "above 95% the cluster blocks writing"),
        ({"indices": [IndexFacts("outrider-state", 2, 1, (), 20, 1_000)]}, "error", "has schema version 2"),
        (
            {"indices": [IndexFacts("outrider-results-1", 1, 1, (), 950, 1_000)]},
            "warning",
            "950 of at most 1,000",
        ),
        (
            {"health": AccessDenied("no", status=403, reason="no permissions for [monitor]")},
            "warning",
            "[monitor]",
        ),
    ],
)
def test_every_state_of_a_cluster_has_its_finding(answers, level, text):
    """What it is, and what to do."""
    findings = check_cluster(Facts(**answers), 1_000.0)
    complaints = [finding for finding in findings if finding.level is not Level.OK]
    assert [finding.level for finding in complaints] == [level]
    assert text in complaints[0].message


def test_a_well_cluster_has_no_complaint():
    """The other side of the above."""
    assert {finding.level for finding in check_cluster(Facts(), 1_000.0)} == {Level.OK}


def test_a_detector_far_behind_is_a_warning():
    """It is being caught up, or it is too much for one sidecar."""
    row = {"detector": "a", "state": "running", "lag_s": 10_000, "interval_s": 60, "last_poll_s": 3}
    (finding,) = check_detectors([row])
    assert (finding.level, finding.path) == (Level.WARNING, ("detectors", "a"))
    (finding,) = check_detectors([row | {"interval_s": 3_600}])
    assert finding.level is Level.OK


def test_the_facts_of_a_node_are_read(client: OpenSearch, stores, index_prefix):  # noqa: ARG001 - its indices
    """Time, disk, fields and versions, from a real answer."""
    diagnosis = Diagnosis(client, index_prefix)
    disk = diagnosis.disk()
    assert abs(diagnosis.clock_s() - time.time()) < 30
    assert 0 < disk.used < 1
    assert (disk.low, disk.flood) == (0.85, 0.95)
    facts = {index.name: index for index in diagnosis.indices()}
    assert facts[f"{index_prefix}-journal"].n_fields >= 3
    assert facts[f"{index_prefix}-journal"].most_fields == 1_000
