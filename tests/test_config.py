"""Configuration: what a detector's file may say, and the message for everything else."""

import json
import subprocess
import sys
from errno import EACCES
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import ValidationError

from detector.configuration.config import DetectorConfig
from detector.configuration.fingerprint import fingerprint_of
from detector.configuration.load import detector_files, load_detector, load_detectors
from detector.configuration.problem import ConfigError, path_text
from features.aggregation import KINDS
from features.feature import Feature
from features.windows import Interval, Unit

MINIMAL: dict[str, Any] = {
    "name": "checkout",
    "time_field": "@timestamp",
    "indices": ["web-*"],
    "feature_attributes": [
        {"feature_name": "latency", "aggregation_query": {"latency": {"avg": {"field": "ms"}}}}
    ],
}
PLUGIN_EXPORT: dict[str, Any] = {
    "name": "single",
    "description": "ref",
    "time_field": "timestamp",
    "indices": ["g-single", "eu:web-*"],
    "filter_query": {"match_all": {"boost": 1.0}},
    "window_delay": {"period": {"interval": 1, "unit": "Minutes"}},
    "shingle_size": 8,
    "schema_version": 0,
    "feature_attributes": [
        {
            "feature_id": "BGCXCKIBnCEGYp8nTWvo",
            "feature_name": "p95",
            "feature_enabled": True,
            "aggregation_query": {
                "p95": {
                    "percentiles": {
                        "field": "value",
                        "percents": [95.0],
                        "keyed": True,
                        "tdigest": {"compression": 100.0},
                    }
                }
            },
        },
        {
            "feature_id": "b",
            "feature_name": "off",
            "feature_enabled": False,
            "aggregation_query": {"off": {"max": {"field": "value"}}},
        },
    ],
    "recency_emphasis": 3000,
    "history": 288,
    "ui_metadata": {"features": {}},
    "user": {"name": "admin"},
    "last_update_time": 1795440463797,
    "last_ui_breaking_change_time": 1795440463797,
    "detection_interval": {"period": {"interval": 5, "unit": "MINUTES"}},
    "frequency": {"period": {"interval": 300, "unit": "seconds"}},
    "category_field": ["host", "region", "shop"],
    "detector_type": "MULTI_ENTITY",
    "auto_created": False,
    "flatten_custom_result_index": False,
    "rules": [],
    "imputation_option": None,
}


def written(folder: Path, document: object, name: str = "detector.json") -> Path:
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
    return file


def complaint(folder: Path, document: object) -> str:
    """Return everything that is said about a file, without its path."""
    file = written(folder, document)
    with pytest.raises(ConfigError) as caught:
        load_detector(file)
    return str(caught.value).replace(f"{file}:", "")


def test_a_minimal_detector_has_the_plugins_defaults(tmp_path: Path) -> None:
    """Ten minutes, no delay, 40 windows of history, one stream, everything matched."""
    config = load_detector(written(tmp_path, MINIMAL))
    assert config.interval == Interval(10, Unit.MINUTES)
    assert (config.window_delay_ms, config.history_windows, config.recency_emphasis) == (0, 40, 2560)
    assert (config.category_field, config.filter_query, config.shingle_size) == ((), None, None)
    assert config.detector_id == "checkout"
    assert config.sensitivity == 0.5


def test_an_export_of_the_plugin_loads_unchanged(tmp_path: Path) -> None:
    """With every key that keeps books, and those whose value means nothing."""
    config = load_detector(written(tmp_path, PLUGIN_EXPORT))
    assert config.interval == Interval(5, Unit.MINUTES)
    assert (config.shingle_size, config.history_windows, config.recency_emphasis) == (8, 288, 3000)
    assert config.source.category_fields == ("host", "region", "shop")
    assert [feature.feature_name for feature in config.source.features] == ["p95"]
    assert config.source.filter_query is None
    assert config.source.indices == ("g-single", "eu:web-*")


@pytest.mark.parametrize(
    "wrapped",
    [
        {"_id": "a", "_version": 1, "_primary_term": 1, "_seq_no": 0, "anomaly_detector": PLUGIN_EXPORT},
        {"_index": ".x", "_id": "a", "_score": 1.0, "_source": PLUGIN_EXPORT},
        {"took": 3, "hits": {"total": {"value": 1}, "hits": [{"_id": "a", "_source": PLUGIN_EXPORT}]}},
    ],
    ids=["get", "a hit of a search", "a search"],
)
def test_an_export_loads_as_the_plugin_wraps_it(tmp_path: Path, wrapped: dict[str, Any]) -> None:
    """The answer of its get and of its search can be saved as it is."""
    assert load_detector(written(tmp_path, wrapped)) == DetectorConfig.model_validate(PLUGIN_EXPORT)


def test_several_detectors_in_one_file_are_refused(tmp_path: Path) -> None:
    """A search with two hits must be taken apart."""
    answer = {"hits": {"hits": [{"_source": PLUGIN_EXPORT}, {"_source": PLUGIN_EXPORT}]}}
    assert "`hits.hits` must be one detector, a JSON object, got [" in complaint(tmp_path, answer)
    assert "give each its own file" in complaint(tmp_path, answer)


def test_complaints_about_an_export_name_the_path_in_the_file(tmp_path: Path) -> None:
    """The path begins with the key that wraps the detector."""
    message = complaint(tmp_path, {"_id": "a", "anomaly_detector": {**MINIMAL, "history": 0}})
    assert "`anomaly_detector.history` must be at least 1, got 0" in message


def test_null_means_the_default(tmp_path: Path) -> None:
    """For every key that has one."""
    nulls = {key: None for key, field in DetectorConfig.model_fields.items() if not field.is_required()}
    del nulls["json_schema"]
    assert load_detector(written(tmp_path, {**MINIMAL, **nulls})) == DetectorConfig.model_validate(MINIMAL)


def test_history_follows_the_shingle_when_it_is_not_given() -> None:
    """32 windows beyond those of the first shingle."""
    config = DetectorConfig.model_validate({**MINIMAL, "shingle_size": 128})
    assert config.history_windows == 160


def test_days_follow_the_time_zone() -> None:
    """`timezone` is our own key."""
    day = {"period": {"interval": 1, "unit": "Days"}}
    config = DetectorConfig.model_validate({**MINIMAL, "timezone": "Asia/Tokyo", "detection_interval": day})
    assert config.interval == Interval(1, Unit.DAYS, "Asia/Tokyo")


def test_what_is_stored_loads_again() -> None:
    """A dump without nulls gives the same detector, and leaves out what has no effect."""
    config = DetectorConfig.model_validate(PLUGIN_EXPORT)
    dump = config.model_dump(mode="json", exclude_none=True)
    again = DetectorConfig.model_validate(json.loads(json.dumps(dump)))
    assert fingerprint_of(again) == fingerprint_of(config)
    assert again.model_dump() == config.model_dump()
    assert not {"ui_metadata", "rules", "frequency", "json_schema"} & set(dump)


KEPT: list[dict[str, Any]] = [
    {"description": "other"},
    {"history": 100},
    {"window_delay": {"period": {"interval": 3, "unit": "Minutes"}}},
    {"detection_interval": {"period": {"interval": 600, "unit": "Seconds"}}},
    {"filter_query": {"term": {"a": 1}}},
    {"time_field": "t"},
    {"indices": ["web-1", "web-2"]},
    {"ui_metadata": {"a": 1}},
]
RENEWED: list[dict[str, Any]] = [
    {"timezone": "Europe/Berlin"},
    {"empty_windows": 0},
    {"detection_interval": {"period": {"interval": 5, "unit": "Minutes"}}},
    {"category_field": ["host"]},
    {"shingle_size": 8},
    {"recency_emphasis": 100},
    {"sensitivity": 0.8},
    {"alarms_per_week": 0.5},
    {
        "feature_attributes": [
            {"feature_name": "latency", "aggregation_query": {"a": {"max": {"field": "ms"}}}}
        ]
    },
]


@pytest.mark.parametrize("change", RENEWED, ids=lambda change: next(iter(change)))
def test_the_fingerprint_changes_with_what_models_depend_on(change: dict[str, Any]) -> None:
    """A new generation of models begins."""
    before = fingerprint_of(DetectorConfig.model_validate(MINIMAL))
    after = fingerprint_of(DetectorConfig.model_validate({**MINIMAL, **change}))
    assert before != after
    assert len(after) == 32


@pytest.mark.parametrize("change", KEPT, ids=lambda change: next(iter(change)))
def test_the_fingerprint_outlives_other_edits(change: dict[str, Any]) -> None:
    """Models stay."""
    before = fingerprint_of(DetectorConfig.model_validate(MINIMAL))
    assert fingerprint_of(DetectorConfig.model_validate({**MINIMAL, **change})) == before


def test_the_fingerprint_does_not_depend_on_spelling() -> None:
    """What the plugin fills in on export makes no new generation."""
    export = {"latency": {"percentiles": {"field": "x", "percents": [95.0, 99], "keyed": True}}}
    by_hand = {"p": {"percentiles": {"percents": [95], "field": "x"}}}
    first, second = (
        DetectorConfig.model_validate(
            {**MINIMAL, "feature_attributes": [{"feature_name": "p", "aggregation_query": query}]}
        )
        for query in (export, by_hand)
    )
    assert fingerprint_of(first) == fingerprint_of(second)


def test_a_day_in_another_zone_is_another_generation() -> None:
    """The zone counts where windows follow it."""
    day = {"detection_interval": {"period": {"interval": 1, "unit": "Days"}}}
    here = DetectorConfig.model_validate({**MINIMAL, **day})
    there = DetectorConfig.model_validate({**MINIMAL, **day, "timezone": "Asia/Tokyo"})
    assert fingerprint_of(here) != fingerprint_of(there)


YES = True


def period(interval: object, unit: object = "Minutes") -> dict[str, Any]:
    return {"period": {"interval": interval, "unit": unit}}


LATENCY = MINIMAL["feature_attributes"][0]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, '`name` must be 1 to 64 letters (a-z, A-Z), digits, `.`, `_` or `-`, got ""'),
    ({"name": "a b!"}, 'digits, `.`, `_` or `-`, got "a b!"'),
    ({"name": "n" * 65}, "`name` must be 1 to 64 letters"),
    ({"name": 5}, "`name` must be text, got 5"),
    ({"description": "d" * 1001}, "`description` must be at most 1000 characters"),
    ({"time_field": " "}, '`time_field` must not be blank and must have no spaces around it, got " "'),
    ({"indices": []}, "`indices` must name at least one index, alias or pattern, got []"),
    ({"indices": "web"}, '`indices` must be a list, got "web"; write ["web"]'),
    (
        {"indices": ["a", "b,c"]},
        '`indices[1]` must be one index name, alias or pattern, got "b,c"; give each',
    ),
    ({"indices": [""]}, '`indices[0]` must be one index name, alias or pattern, got ""'),
    ({"filter_query": "a:b"}, '`filter_query` must be an object, got "a:b"'),
    (
        {"feature_attributes": []},
        "`feature_attributes` must hold at least one enabled feature, got none; add one",
    ),
    (
        {"feature_attributes": [{**LATENCY, "feature_enabled": False}]},
        "`feature_attributes` must hold at least one enabled feature, got 1 that are disabled; enable one",
    ),
    (
        {"feature_attributes": [LATENCY, LATENCY]},
        '`feature_attributes` must not repeat a feature_name, got "latency" more than once',
    ),
    (
        {"feature_attributes": [LATENCY, {**LATENCY, "feature_name": "other"}]},
        '`feature_attributes` must not repeat a name of an aggregation, got "latency" more than once',
    ),
    (
        {
            "feature_attributes": [
                {"feature_name": f"f{k}", "aggregation_query": {f"f{k}": {"avg": {}}}} for k in range(101)
            ]
        },
        "`feature_attributes` must be at most 100 features, got 101; split the detector",
    ),
    (
        {"feature_attributes": [{**LATENCY, "feature_enabled": "yes"}]},
        '`feature_attributes[0].feature_enabled` must be true or false, got "yes"',
    ),
    (
        {"feature_attributes": [{**LATENCY, "feature_name": "\0a"}]},
        "`feature_attributes[0].feature_name` must hold no control characters, got '\\x00a'",
    ),
    (
        {"feature_attributes": [{**LATENCY, "feature_id": "a\x1b[2J"}]},
        "`feature_attributes[0].feature_id` must hold no control characters, got 'a\\x1b[2J'",
    ),
    (
        {"feature_attributes": [{**LATENCY, "enabled": True}]},
        "`feature_attributes[0].enabled` is not a known key; did you mean `feature_enabled`?",
    ),
    (
        {"feature_attributes": [{**LATENCY, "aggregation_query": {"f": {"terms": {"field": "x"}}}}]},
        "`feature_attributes[0].aggregation_query` aggregation `f` is of kind `terms`",
    ),
    (
        {"detection_interval": period(0)},
        "`detection_interval` must be a whole number of at least 1, got 0 Minutes",
    ),
    ({"detection_interval": period(-1)}, "`detection_interval` must be a whole number of at least 1, got -1"),
    (
        {"detection_interval": period(1.5)},
        "`detection_interval.period.interval` must be a whole number, got 1.5",
    ),
    (
        {"detection_interval": period("5")},
        '`detection_interval.period.interval` must be a whole number, got "5"',
    ),
    (
        {"detection_interval": period(YES)},
        "`detection_interval.period.interval` must be a whole number, got true",
    ),
    (
        {"detection_interval": period(10**9)},
        "`detection_interval` must be at most 366 days, got 1000000000 Minutes",
    ),
    ({"detection_interval": period(2, "Days")}, "`detection_interval` in Days must be exactly 1"),
    (
        {"detection_interval": period(5, "Minuts")},
        'must be one of Seconds, Minutes, Hours, Days, Weeks, got "Minuts"; did you mean `Minutes`?',
    ),
    (
        {"detection_interval": period(5, 5)},
        "`detection_interval.period.unit` must be one of Seconds, Minutes, ",
    ),
    ({"detection_interval": {"interval": 5}}, "`detection_interval.period` is required: how long, such as"),
    ({"detection_interval": "10m"}, '`detection_interval` must be an object, got "10m"'),
    ({"window_delay": period(-1)}, "`window_delay` must be at least 0 and at most 366 days, got -1 Minutes"),
    (
        {"window_delay": period(367, "Days")},
        "`window_delay` must be at least 0 and at most 366 days, got 367 Days",
    ),
    ({"category_field": "host"}, '`category_field` must be a list, got "host"; write ["host"]'),
    ({"category_field": ["a", "b", "a"]}, '`category_field` must not repeat a field, got "a" more than once'),
    ({"history": 0}, "`history` must be at least 1, got 0"),
    ({"history": 10_001}, "`history` must be at most 10000, got 10001"),
    ({"history": 2.0}, "`history` must be a whole number, got 2.0"),
    ({"sensitivity": 1.5}, "`sensitivity` must be at most 1.0, got 1.5"),
    ({"sensitivity": -0.1}, "`sensitivity` must be at least 0.0, got -0.1"),
    ({"alarms_per_week": 0}, "`alarms_per_week` must be more than 0.0, got 0"),
    ({"alarms_per_week": 2_000}, "`alarms_per_week` must be at most 1000.0, got 2000"),
    (
        {"alarms_per_week": 1, "sensitivity": 0.7},
        "must not set both `sensitivity` and `alarms_per_week`, got 0.7 and 1.0",
    ),
    (
        {"alarms_per_week": 1, "profile": "trcf"},
        "must not set `alarms_per_week` with the profile `trcf`; use `rules` there",
    ),
    ({"recency_emphasis": 1}, "`recency_emphasis` must be at least 2, got 1"),
    ({"recency_emphasis": 10**10}, "`recency_emphasis` must be at most 2147483647, got 1000"),
    ({"shingle_size": 0}, "`shingle_size` must be at least 1, got 0"),
    ({"shingle_size": 129}, "`shingle_size` must be at most 128, got 129"),
    (
        {"timezone": "Europe/Berlim"},
        '`timezone` must be the name of a time zone, got "Europe/Berlim"; did you mean',
    ),
    ({"timezone": "../etc/passwd"}, "`timezone` must be the name of a time zone"),
    (
        {"timezone": ""},
        '`timezone` must be the name of a time zone, got ""; use a name such as "Europe/Berlin"',
    ),
    ({"foo": 1}, "`foo` is not a known key; remove it, or see `outrider schema`"),
    (
        {"detection_intervall": 1},
        "`detection_intervall` is not a known key; did you mean `detection_interval`?",
    ),
    ({"seasonality": 24}, "`seasonality` is not a known key; did you mean `suggested_seasonality`?"),
    (
        {"rules": [{"action": "IGNORE_ANOMALY"}]},
        "`rules` is not supported yet; remove it; where none are given",
    ),
    ({"frequency": period(20)}, "`frequency` is not supported yet; remove it: every window is scored"),
    ({"frequency": 5}, "`frequency` is not supported yet"),
    (
        {"suggested_seasonality": 24},
        "`suggested_seasonality` is not supported yet; remove it, or set `shingle_size`",
    ),
    ({"detection_date_range": {}}, "`detection_date_range` is not supported yet"),
    (
        {"result_index": "opensearch-ad-plugin-result-a"},
        "`result_index` is not supported yet; remove it: results go",
    ),
    ({"result_index_ttl": 0}, "`result_index_ttl` is not supported yet"),
    ({"result_index_min_age": 7}, "`result_index_min_age` is not supported yet"),
    ({"result_index_min_size": 7}, "`result_index_min_size` is not supported yet"),
    ({"flatten_custom_result_index": True}, "`flatten_custom_result_index` is not supported yet; remove it"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=lambda value: str(value)[:50])
def test_a_mistake_is_refused_in_words(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """With the JSON path, the constraint, what was found, and what to do."""
    assert message in complaint(tmp_path, {**MINIMAL, **change})


MISSING: list[tuple[str, str]] = [
    ("name", "`name` is required: unique name of the detector"),
    ("time_field", "`time_field` is required: field of type date or date_nanos"),
    ("indices", "`indices` is required: index names, aliases or patterns to read"),
    ("feature_attributes", "`feature_attributes` is required: the features"),
]


@pytest.mark.parametrize(("key", "message"), MISSING)
def test_a_missing_key_is_named_with_its_meaning(tmp_path: Path, key: str, message: str) -> None:
    """At the object that lacks it."""
    document = {other: value for other, value in MINIMAL.items() if other != key}
    assert f"1:1: {message}" in complaint(tmp_path, document)


def test_every_mistake_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    """Each on its own line with line and column, in the order of the file."""
    text = """{
  "name": "a b",
  "time_field": "t",
  "indices": "web",
  "feature_attributes": [
    {"feature_name": "x",
     "aggregation_query": {"x": {"terms": {}}}}
  ],
  "name": "again and again",
  "histroy": 12
}"""
    lines = complaint(tmp_path, text).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["4:3:", "7:6:", "9:3:", "9:3:", "10:3:"]
    assert lines[2] == "9:3: `name` is given more than once; remove all but one"
    assert lines[4] == "10:3: `histroy` is not a known key; did you mean `history`?"


SYNTAX: list[tuple[str, str]] = [
    ("", "1:1: is not valid JSON: Expecting value"),
    ("{", "1:2: is not valid JSON: Expecting property name"),
    ('{\n "a": 1,\n}', "is not valid JSON"),
    ('{\n "a": 1\n "b": 2}', "3:2: is not valid JSON: Expecting ',' delimiter"),
    ('{\n "a": NaN}', "2:7: is not valid JSON: NaN is not a number there"),
    (
        '{"history": ' + "9" * 5000 + "}",
        "1:1: is not valid JSON for a detector: a number in it has thousands",
    ),
    (
        '{"a": "1e400",\n "b": [-1e400]}',
        "2:8: is not valid JSON for a detector: -1e400 is beyond the numbers of 64",
    ),
    ('{"a": 18446744073709551616}', "1:7: is not valid JSON for a detector: 18446744073709551616 is beyond"),
    ('{"a": -9223372036854775809}', "1:7: is not valid JSON for a detector: -9223372036854775809 is beyond"),
    ('{"name": "\\ud800"}', "1:1: is not valid text: it holds '\\ud800', half of a character"),
    ('{"\\u001b[2J": 1}', '`"\\u001b[2J"` is not a known key'),
    ("[" * 100_000, "1:1: is nested too deeply for a detector"),
    ("[]", "1:1: must be one detector, a JSON object, got []; give each its own file"),
    ("null", "1:1: must be one detector, a JSON object, got null"),
]


@pytest.mark.parametrize(("text", "message"), SYNTAX, ids=lambda value: value[:20])
def test_what_is_no_json_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """Line and column are where the text stops being JSON."""
    assert message in complaint(tmp_path, text)


def test_the_largest_numbers_load(tmp_path: Path) -> None:
    """All that 64 bits can hold, signed or not."""
    numbers = [2**64 - 1, -(2**63), 1.7976931348623157e308, 5e-324]
    query = {"terms": {"a": numbers}}
    assert load_detector(written(tmp_path, {**MINIMAL, "filter_query": query})).filter_query == query


def test_a_file_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    """Some editors write one."""
    file = tmp_path / "bom.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode())
    assert load_detector(file).name == "checkout"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """The message says which byte."""
    file = tmp_path / "binary.json"
    file.write_bytes(b'{"a\xff": 1}')
    with pytest.raises(ConfigError, match="must be text in UTF-8, got a byte that is not at offset 3"):
        load_detector(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        load_detector(tmp_path / "none.json")


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    """Only `*.json`, hidden files left out."""
    for name in ("b", "a", "c"):
        written(tmp_path, {**MINIMAL, "name": name}, f"{name}.json")
    written(tmp_path, "not a detector", "notes.txt")
    written(tmp_path, "not a detector", ".hidden.json")
    assert [config.name for config in load_detectors(tmp_path)] == ["a", "b", "c"]
    assert [config.name for config in load_detectors(tmp_path / "b.json")] == ["b"]


def test_a_folder_without_detectors_is_refused(tmp_path: Path) -> None:
    """So is one that is not there: a sidecar that watches nothing is a mistake."""
    with pytest.raises(ConfigError, match=r"the folder holds no file named \*\.json; put a detector there"):
        load_detectors(tmp_path)
    with pytest.raises(ConfigError, match="no such file or folder"):
        detector_files(tmp_path / "none")


def test_a_place_the_system_refuses_is_a_mistake_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is too long, and a folder that may not be entered or listed."""
    with pytest.raises(ConfigError, match="xx: cannot be read: File name too long"):
        detector_files(tmp_path / ("x" * 300))

    def refuse(_: Path) -> NoReturn:
        raise PermissionError(EACCES, "Permission denied")

    for method in ("stat", "iterdir"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, method, refuse)
            with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
                detector_files(tmp_path)


def test_two_detectors_of_one_name_are_refused_with_both_files(tmp_path: Path) -> None:
    """Their results could not be told apart."""
    first = written(tmp_path, MINIMAL, "a.json")
    second = written(tmp_path, MINIMAL, "b.json")
    with pytest.raises(ConfigError) as caught:
        load_detectors(tmp_path)
    assert str(caught.value) == (
        f'{second}: `name` must be unique, got "checkout", which {first} has too; rename one'
    )


def test_every_mistake_of_a_folder_is_reported_at_once(tmp_path: Path) -> None:
    """Files that are wrong do not hide each other."""
    for name in ("a", "b"):
        written(tmp_path, {**MINIMAL, "history": 0}, f"{name}.json")
    with pytest.raises(ConfigError) as caught:
        load_detectors(tmp_path)
    assert [problem.file.name for problem in caught.value.problems if problem.file] == ["a.json", "b.json"]


def test_a_detector_cannot_be_changed() -> None:
    """Frozen, as everything made from it is."""
    config = DetectorConfig.model_validate(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        config.name = "other"  # type: ignore[misc]


def test_every_key_says_what_it_means() -> None:
    """The schema and the messages are made of these descriptions."""
    for name, field in DetectorConfig.model_fields.items():
        assert field.description, name


def test_every_key_is_documented() -> None:
    """The page about the detector's JSON names each, also those without effect."""
    page = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()
    for name, field in {**DetectorConfig.model_fields, **Feature.model_fields}.items():
        assert f"`{field.alias or name}`" in page
    for kind in KINDS:
        assert f"`{kind}`" in page


def test_a_path_is_written_as_people_write_it() -> None:
    """Positions in brackets, keys after dots."""
    assert path_text(("a", 0, "b", 1)) == "a[0].b[1]"


def test_reading_detectors_stays_quick_to_import() -> None:
    """No compiler, client or scheduler is imported for it."""
    heavy = {"numba", "opensearchpy", "apscheduler", "rich"}
    code = f"import sys, detector.configuration.load; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
