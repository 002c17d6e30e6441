"""`outrider validate`: what a user reads about files, and what a real cluster says about detectors."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from opensearchpy import OpenSearch
from opensearchpy.helpers import bulk

from detector.__main__ import main

MINUTE = 60_000
Finding = dict[str, Any]
Validate = Callable[..., list[Finding]]


def detector_of(index: str, **changes: object) -> dict[str, Any]:
    """Return a detector for the index `web` below: three features, a minute, and time for a slow test run."""
    aggregations = {
        "mean": {"avg": {"field": "ms"}},
        "p95": {"percentiles": {"field": "ms", "percents": [95]}},
        "errors": {
            "filter": {"range": {"status": {"gte": 500}}},
            "aggs": {"n": {"value_count": {"field": "ms"}}},
        },
    }
    return {
        "name": "web",
        "time_field": "t",
        "indices": [index],
        "feature_attributes": [feature(name, body) for name, body in aggregations.items()],
        "detection_interval": {"period": {"interval": 1, "unit": "Minutes"}},
        "window_delay": {"period": {"interval": 30, "unit": "Minutes"}},
        **changes,
    }


def feature(name: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"feature_name": name, "aggregation_query": {name: body}}


def run(folder: Path, detector: object, *options: str, **environment: str) -> Result:
    file = folder / "web.json"
    file.write_text(detector if isinstance(detector, str) else json.dumps(detector))
    return CliRunner().invoke(main, ["validate", *options, str(file)], env=environment)


def create(client: OpenSearch, index: str, **types: str) -> None:
    properties = {name: {"type": kind} for name, kind in types.items()}
    client.indices.create(index=index, body={"mappings": {"properties": properties}})


@pytest.fixture(scope="module")
def web(client: OpenSearch) -> Iterator[str]:
    """Index an hour of requests of two hosts, up to now: one document a minute and host."""
    index = "t-validate-web"
    client.indices.delete(index=index, ignore_unavailable=True)
    create(client, index, t="date", host="keyword", port="long", ms="double", status="integer", words="text")
    now_ms = int(time.time() * 1000)
    documents = [
        {
            "_index": index,
            "t": now_ms - k * MINUTE,
            "host": host,
            "port": 80,
            "ms": k,
            "status": 200,
            "words": "a",
        }
        for k in range(60)
        for host in ("a", "b")
    ]
    bulk(client, documents, refresh=True)
    yield index
    client.indices.delete(index=index)


@pytest.fixture
def validate(tmp_path: Path, node_url: str) -> Validate:
    """Validate a detector online and return the findings; the exit code must fit them."""

    def ask(detector: dict[str, Any]) -> list[Finding]:
        result = run(tmp_path, detector, "--format", "json", OPENSEARCH_URL=node_url)
        assert result.exit_code in (0, 3), result.output
        answer = json.loads(result.stdout)
        has_error = any(finding["level"] == "error" for finding in answer["findings"])
        assert answer["ok"] is not has_error
        assert result.exit_code == (3 if has_error else 0)
        return [finding for finding in answer["findings"] if finding["level"] != "ok"]

    return ask


def only(findings: list[Finding]) -> tuple[str, str, str]:
    """Return level, path and message of the one thing that is wrong."""
    assert len(findings) == 1, findings
    (finding,) = findings
    return finding["level"], finding["path"], finding["message"]


def test_a_good_detector_is_well(tmp_path: Path, node_url: str, web: str) -> None:
    """Everything that was asked is shown, with the numbers the features gave."""
    result = run(tmp_path, detector_of(web, category_field=["host"]), OPENSEARCH_URL=node_url)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for part in (
        "web.json web ok the file is well formed",
        f"indices[0] `{web}` exists",
        "time_field `t` is of type date",
        "category_field[0] `host` is of type keyword",
        "indices 120 documents, the newest of 20",
        "`errors` is 0 over the 40 windows up to",
        "history 40 of the 40 windows up to",
        "category_field 2 entities in 40 windows, each with a model of its own",
        "detection_interval reading a window takes",
        "all well: 1 file",
    ):
        assert part in text


def test_patterns_and_aliases_are_resolved(client: OpenSearch, validate: Validate, web: str) -> None:
    """An alias stands for its index."""
    client.indices.put_alias(index=web, name="t-validate-alias")
    assert validate(detector_of("t-validate-al*")) == []
    assert validate(detector_of("t-validate-alias")) == []


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("nowhere", "there is no such index or alias: correct `nowhere`, or create the index first"),
        ("nowhere-*", "no index matches it: correct `nowhere-*`, or create the index first"),
    ],
)
def test_a_missing_index_is_an_error(validate: Validate, web: str, index: str, message: str) -> None:
    """At its place in the list; the other names are not blamed."""
    findings = validate(detector_of(web, indices=[web, index]))
    assert only(findings) == ("error", "indices[1]", message)


def test_what_is_left_out_is_not_missing(
    client: OpenSearch, tmp_path: Path, node_url: str, validate: Validate, index_prefix: str, web: str
) -> None:
    """`-name` after a pattern; it takes from the names before it, our own included, and must match itself."""
    create(client, f"{index_prefix}-old", words="text")
    create(client, f"{index_prefix}-results", t="date")
    names = [web, f"{index_prefix}-*", f"-{index_prefix}-res*", f"-{index_prefix}-o*"]
    result = run(
        tmp_path, detector_of(web, indices=names), OPENSEARCH_URL=node_url, OUTRIDER_INDEX_PREFIX=index_prefix
    )
    shown = " ".join(result.stdout.split())
    assert f"indices[1] no index matches it: correct `{names[1]}`" in shown
    assert f"indices[2] `{names[2]}` leaves out index `{index_prefix}-results`" in shown
    create(client, f"{index_prefix}-new", t="date")
    assert validate(detector_of(web, indices=names)) == []
    message = "no index matches it: correct `-nowhere*`, or create the index first"
    assert only(validate(detector_of(web, indices=[f"{web}*", "-nowhere*"]))) == (
        "error",
        "indices[1]",
        message,
    )
    assert only(validate(detector_of(web, indices=["-nowhere*", web])))[1] == "indices[0]"


def test_our_own_indices_are_not_to_be_read(
    client: OpenSearch, validate: Validate, index_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern that matches results would feed them back."""
    monkeypatch.setenv("OUTRIDER_INDEX_PREFIX", index_prefix)
    create(client, f"{index_prefix}-results", t="date")
    level, path, message = only(validate(detector_of(f"{index_prefix}*")))
    assert (level, path) == ("error", "indices[0]")
    assert message.endswith("what it writes would come back as data; narrow the pattern")


def test_an_empty_index_is_an_error(client: OpenSearch, validate: Validate, index_prefix: str) -> None:
    """There is nothing to learn from."""
    index = f"{index_prefix}-empty"
    create(client, index, t="date", ms="double", status="integer")
    message = "there is no document up to now: there is nothing to learn from"
    assert only(validate(detector_of(index))) == ("error", "indices", message)


@pytest.mark.parametrize("kind", ["date", "date_nanos"])
def test_documents_dated_in_the_future_do_not_count(
    client: OpenSearch, validate: Validate, index_prefix: str, kind: str
) -> None:
    """An index with nothing else is empty, and the message says why."""
    index = f"{index_prefix}-future"
    create(client, index, t=kind, ms="double", status="integer")
    day_ms = int(time.time() * 1000) + 1440 * MINUTE
    bulk(client, [{"_index": index, "t": day_ms, "ms": 1}] * 3, refresh=True)
    empty, future = validate(detector_of(index))
    assert empty["message"].startswith("there is no document up to now")
    assert (future["level"], future["path"]) == ("warning", "time_field")
    assert future["message"].startswith(
        "3 documents are dated in the future and are read when their time has"
    )


TIME_FIELDS = [
    ("tt", "no index knows the field `tt`; there are `t`"),
    ("host", "`host` must be of type date or date_nanos, but is keyword in index `t-validate-web`"),
]


@pytest.mark.parametrize(("field", "message"), TIME_FIELDS)
def test_a_wrong_time_field_is_an_error(validate: Validate, web: str, field: str, message: str) -> None:
    """With the date fields there are, or the type it has."""
    assert only(validate(detector_of(web, time_field=field))) == ("error", "time_field", message)


def test_the_time_field_must_be_known_everywhere(
    client: OpenSearch, validate: Validate, index_prefix: str
) -> None:
    """One index of a pattern without it is named."""
    create(client, f"{index_prefix}-a", t="date", ms="double", status="integer")
    create(client, f"{index_prefix}-b", ms="double")
    level, path, message = only(validate(detector_of(f"{index_prefix}-*")))
    assert (level, path) == ("error", "time_field")
    assert message.startswith(f"`t` is not known to index `{index_prefix}-b`: leave those indices out")


def test_nanoseconds_are_fine(client: OpenSearch, validate: Validate, index_prefix: str) -> None:
    """A time field of type date_nanos is read like any other."""
    index = f"{index_prefix}-nanos"
    create(client, index, t="date_nanos", ms="double", status="integer")
    now_ms = int(time.time() * 1000)
    bulk(client, [{"_index": index, "t": now_ms - k * MINUTE, "ms": k} for k in range(60)], refresh=True)
    assert validate(detector_of(index)) == []


CATEGORIES = [
    ("hots", "error", "no index knows the field `hots`; did you mean `host`?"),
    (
        "words",
        "error",
        "`words` must be of type keyword or ip, but is text in index `t-validate-web`; map it as",
    ),
    ("ms", "error", "`ms` must be of type keyword or ip, but is double in index"),
    ("port", "warning", "`port` is of type long: its values are used as names, written as text"),
]


@pytest.mark.parametrize(("field", "level", "message"), CATEGORIES)
def test_category_fields_must_hold_names(
    validate: Validate, web: str, field: str, level: str, message: str
) -> None:
    """Each is judged by its type."""
    findings = validate(detector_of(web, category_field=["host", field]))
    found_level, path, found = only(findings)
    assert (found_level, path) == (level, "category_field[1]")
    assert found.startswith(message)


@pytest.mark.parametrize("kinds", [("keyword", "long"), ("boolean", "keyword"), ("ip", "keyword")])
def test_a_category_field_should_be_of_one_kind_everywhere(
    client: OpenSearch, validate: Validate, index_prefix: str, kinds: tuple[str, str]
) -> None:
    """Side by side in one window a cluster cannot order them and answers with an error for good."""
    for kind in kinds:
        create(client, f"{index_prefix}-{kind}", t="date", ms="double", status="integer", code=kind)
    # Without documents there is a second finding.
    findings = validate(detector_of(f"{index_prefix}-*", category_field=["code"]))
    level, path, message = only([each for each in findings if each["path"] != "indices"])
    assert (level, path) == ("warning", "category_field[0]")
    first, second = sorted(kinds)
    assert message.startswith(
        f"`code` is {first} in index `{index_prefix}-{first}` and {second} in index `{index_prefix}-{second}`; a window"
    )


def test_a_constant_names_no_entity(client: OpenSearch, validate: Validate, index_prefix: str) -> None:
    """A cluster finds documents by its value and aggregates them by the name of the index; until that is mended."""
    index = f"{index_prefix}-constant"
    fields = {"t": "date", "ms": "double", "status": "integer"}
    properties = {name: {"type": kind} for name, kind in fields.items()}
    properties["zone"] = {"type": "constant_keyword", "value": "north"}
    client.indices.create(index=index, body={"mappings": {"properties": properties}})
    now_ms = int(time.time() * 1000)
    bulk(client, [{"_index": index, "t": now_ms - k * MINUTE, "ms": k} for k in range(60)], refresh=True)
    body = {"size": 0, "aggs": {"zones": {"terms": {"field": "zone"}}}}
    (zone,) = client.search(index=index, body=body)["aggregations"]["zones"]["buckets"]
    assert zone["key"] == index
    level, path, message = only(validate(detector_of(index, category_field=["zone"])))
    assert (level, path) == ("error", "category_field[0]")
    assert message.startswith("`zone` must be of type keyword or ip, but is constant_keyword in index")


def test_numbers_of_several_widths_are_one_kind(
    client: OpenSearch, validate: Validate, index_prefix: str
) -> None:
    """They are ordered as one."""
    now_ms = int(time.time() * 1000)
    for kind in ("integer", "long"):
        create(client, f"{index_prefix}-{kind}", t="date", ms="double", status="integer", code=kind)
        rows = [{"t": now_ms - k * MINUTE, "code": 5, "ms": k} for k in range(60)]
        bulk(client, [{"_index": f"{index_prefix}-{kind}", **row} for row in rows], refresh=True)
    level, _, message = only(validate(detector_of(f"{index_prefix}-*", category_field=["code"])))
    assert level == "warning"
    assert message.startswith("`code` is of type integer and long: its values are used as names")


def test_a_text_field_points_to_its_keyword(
    client: OpenSearch, validate: Validate, index_prefix: str
) -> None:
    """Dynamic mappings make both."""
    index = f"{index_prefix}-dynamic"
    create(client, index, t="date", status="integer")
    client.index(index=index, body={"t": int(time.time() * 1000), "host": "a", "ms": 1.5}, refresh=True)
    level, _, message = only(validate(detector_of(index, category_field=["host"])))
    assert level == "error"
    assert message.endswith("is text in index `" + index + "`; use `host.keyword`")


def test_documents_without_an_entity_are_counted(
    client: OpenSearch, validate: Validate, index_prefix: str
) -> None:
    """They are left out, which may be a mistake."""
    index = f"{index_prefix}-partly"
    create(client, index, t="date", host="keyword", ms="double", status="integer")
    now_ms = int(time.time() * 1000)
    rows = [{"t": now_ms - k * MINUTE, "ms": 1, **({"host": "a"} if k % 4 else {})} for k in range(40)]
    bulk(client, [{"_index": index, **row} for row in rows], refresh=True)
    level, path, message = only(validate(detector_of(index, category_field=["host"])))
    assert (level, path) == ("warning", "category_field")
    assert message.startswith("10 of 40 documents lack a value and belong to no entity")


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"nosuch": {}}, "the cluster refuses this query: unknown query [nosuch]: "),
    ({"term": {"host": "c"}}, "none of 120 documents matches; check its fields and values"),
]


@pytest.mark.parametrize(("query", "message"), FILTERS)
def test_a_filter_that_does_not_work_is_an_error(
    validate: Validate, web: str, query: dict[str, Any], message: str
) -> None:
    """With the cluster's own reason, or that nothing is left."""
    level, path, found = only(validate(detector_of(web, filter_query=query)))
    assert (level, path) == ("error", "filter_query")
    assert found.startswith(message)


def test_a_filter_that_works_is_no_finding(validate: Validate, web: str) -> None:
    """Half of the documents match."""
    assert validate(detector_of(web, filter_query={"term": {"host": "a"}})) == []


SCRIPT = {
    "init_script": "state.n = 0",
    "map_script": "state.n += 1",
    "combine_script": "return state.n",
    "reduce_script": "return ['n': 3]",
}
FEATURES: list[tuple[dict[str, Any], str]] = [
    ({"avg": {"field": "mss"}}, "no index knows the field `mss`; did you mean `ms`?"),
    ({"sum": {"field": "statos"}}, "no index knows the field `statos`; did you mean `status`?"),
    ({"avg": {"field": "words"}}, "`f`: the cluster refuses this aggregation: "),
    (
        {"max": {"field": "host"}},
        "`f`: the cluster refuses this aggregation: Field [host] of type [keyword] is not",
    ),
    ({"avg": {"feild": "ms"}}, "`f`: the cluster refuses this aggregation: "),
    (
        {"scripted_metric": SCRIPT},
        "feature `f` must come back as a number, got {'n': 3}; change its aggregation",
    ),
    (
        {"filter": {"term": {"status": 500}}, "aggs": {"m": {"avg": {"field": "ms"}}}},
        "`f` gives no number over the 40 windows up to ",
    ),
]


@pytest.mark.parametrize(("body", "message"), FEATURES, ids=lambda value: str(value)[:40])
def test_a_feature_without_a_number_is_an_error(
    validate: Validate, web: str, body: dict[str, Any], message: str
) -> None:
    """At its place in the file; the feature before it is not blamed."""
    features = [feature("mean", {"avg": {"field": "ms"}}), feature("f", body)]
    level, path, found = only(validate(detector_of(web, feature_attributes=features)))
    assert (level, path) == ("error", "feature_attributes[1].aggregation_query")
    assert found.startswith(message)


def test_more_names_than_a_request_line_holds_are_asked_for_in_parts(
    client: OpenSearch, validate: Validate, index_prefix: str
) -> None:
    """A hundred features of long names; the one that no index knows is found among them."""
    index = f"{index_prefix}-wide"
    names = [f"system.network.summary.tcp.connections_state_{k:03}" for k in range(99)]
    create(client, index, t="date", **dict.fromkeys(names, "long"))
    features = [feature(f"f{k}", {"sum": {"field": name}}) for k, name in enumerate([*names, "système"])]
    now_ms = int(time.time() * 1000)
    bulk(client, [{"_index": index, "t": now_ms - k * MINUTE} for k in range(60)], refresh=True)
    level, path, message = only(validate(detector_of(index, feature_attributes=features)))
    assert (level, path) == ("error", "feature_attributes[99].aggregation_query")
    assert message.startswith("no index knows the field `système`")


OWN = {**SCRIPT, "params": {"field": "none"}, "reduce_script": "return 3"}
FINE: list[dict[str, Any]] = [
    {"value_count": {"field": "_index"}},
    {"scripted_metric": OWN},
    {"avg": {"script": {"source": "doc['ms'].value + params.field.length()", "params": {"field": "x"}}}},
]


@pytest.mark.parametrize("body", FINE, ids=lambda value: str(value)[:40])
def test_what_is_no_field_of_the_data_may_be_used_too(
    validate: Validate, web: str, body: dict[str, Any]
) -> None:
    """Fields of OpenSearch itself, and what a script calls its parameters."""
    assert validate(detector_of(web, feature_attributes=[feature("f", body)], category_field=["host"])) == []


def test_every_broken_feature_is_reported(validate: Validate, web: str) -> None:
    """Not only the first; a disabled one is not asked for, and keeps its place in the count."""
    disabled = {**feature("off", {"avg": {"field": "none"}}), "feature_enabled": False}
    broken = [feature(name, {"avg": {"field": "host"}}) for name in ("f", "g")]
    findings = validate(detector_of(web, feature_attributes=[disabled, *broken]))
    assert [finding["path"] for finding in findings] == [
        "feature_attributes[1].aggregation_query",
        "feature_attributes[2].aggregation_query",
    ]


def series(client: OpenSearch, index: str, ages_min: list[int]) -> None:
    """Index a document for each of these ages."""
    create(client, index, t="date", ms="double", status="integer")
    now_ms = int(time.time() * 1000)
    bulk(client, [{"_index": index, "t": now_ms - age * MINUTE, "ms": 1} for age in ages_min], refresh=True)


HISTORIES: list[tuple[list[int], str, str]] = [
    (
        list(range(10)),
        "history",
        "10 of the 40 windows .* have documents, as the data begin there; a model needs 30",
    ),
    (
        list(range(0, 200, 5)),
        "detection_interval",
        "8 of the 40 windows .* take a .* at least 5 times the length",
    ),
    (
        list(range(45, 120)),
        "window_delay",
        "46 minutes ago, but windows close earlier; .* set it to 46 Minutes",
    ),
    (
        list(range(5000, 5100)),
        "indices",
        "the newest of .*, 3 days ago: nothing is found until new ones arrive",
    ),
]


@pytest.mark.parametrize(
    ("ages_min", "path", "message"), HISTORIES, ids=["short", "sparse", "late", "stopped"]
)
def test_data_that_do_not_suit_are_a_warning(
    client: OpenSearch, validate: Validate, index_prefix: str, ages_min: list[int], path: str, message: str
) -> None:
    """It runs, but not as meant; the message says what to change."""
    series(client, f"{index_prefix}-series", ages_min)
    finding, *others = validate(detector_of(f"{index_prefix}-series"))
    assert others == []
    assert (finding["level"], finding["path"]) == ("warning", path)
    assert re.search(message, finding["message"]), finding["message"]


def test_days_in_a_zone_are_checked_too(client: OpenSearch, validate: Validate, index_prefix: str) -> None:
    """40 calendar days with their clock changes."""
    series(client, f"{index_prefix}-days", [k * 720 for k in range(100)])
    day = {"period": {"interval": 1, "unit": "Days"}}
    detector = detector_of(f"{index_prefix}-days", detection_interval=day, timezone="Europe/Berlin")
    assert validate(detector) == []


def test_a_cluster_that_is_away_is_a_failure_of_its_own(tmp_path: Path) -> None:
    """Exit code 1: nothing was found out about the detector."""
    result = run(tmp_path, detector_of("web"), OPENSEARCH_URL="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.stderr


def test_without_a_cluster_the_way_offline_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2: the command line lacks something."""
    monkeypatch.chdir(tmp_path)
    result = run(tmp_path, detector_of("web"))
    assert result.exit_code == 2
    assert "no cluster is named" in result.stderr
    assert "To check the files only, add --offline." in result.stderr


def test_offline_no_cluster_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file alone is judged."""
    monkeypatch.chdir(tmp_path)
    result = run(tmp_path, detector_of("web"), "--offline")
    assert result.exit_code == 0
    assert "the file is well formed" in result.stdout


def test_offline_every_mistake_is_shown_with_its_place(tmp_path: Path) -> None:
    """Exit code 3, and all of them at once."""
    text = json.dumps(detector_of("web", history=0, histroy=1), indent=1)
    result = run(tmp_path, text, "--offline")
    shown = " ".join(result.stdout.split())
    assert result.exit_code == 3
    assert "history must be at least 1, got 0" in shown
    assert "histroy is not a known key; did you mean `history`?" in shown
    assert f"line {text[: text.index('histroy')].count(chr(10)) + 1}, column 2" in shown
    assert shown.endswith("2 errors, 0 warnings")


def test_scripts_get_every_part_of_a_finding(tmp_path: Path) -> None:
    """Level, file, path, line, column and message, each in its own key."""
    result = run(tmp_path, '{\n "name": 5\n}', "--offline", "--format", "json")
    (finding, *_) = [f for f in json.loads(result.stdout)["findings"] if f["path"] == "name"]
    assert finding == {
        "level": "error",
        "file": str(tmp_path / "web.json"),
        "detector": None,
        "path": "name",
        "line": 2,
        "column": 2,
        "message": "must be text, got 5",
    }


def test_a_folder_is_checked_as_a_whole(tmp_path: Path) -> None:
    """Also that names are not given twice."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(detector_of("web")))
    result = CliRunner().invoke(main, ["validate", "--offline", "--format", "json", str(tmp_path)])
    assert result.exit_code == 3
    (finding,) = [f for f in json.loads(result.stdout)["findings"] if f["level"] == "error"]
    assert finding["message"] == f'must be unique, got "web", which {tmp_path / "a.json"} has too; rename one'


def test_a_place_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    """Exit code 2."""
    for name, message in (
        ("none.json", "no such file or folder"),
        ("n" * 300, "cannot be read: File name too long"),
    ):
        result = CliRunner().invoke(main, ["validate", "--offline", str(tmp_path / name)])
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())
