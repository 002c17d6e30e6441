"""Result documents: the plugin's names and presence rules, every key with a type, nothing that is no number."""

from importlib.resources import files
from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_documents import naive_documents
from pydantic import ValidationError
from streams import detector

from detector.documents import DocumentMaker, error_document
from detector.journal_entry import JournalEntry
from detector.layout import STATUS, flat_name
from detector.model.verdicts import ScoredBlock
from detector.partition import ScoredEntry
from detector.roster import Roster
from features.windows import Interval, Unit
from storage.indices import ensure_indices
from storage.results import ResultStore
from storage.retry import ONCE

HOUR_MS = 3_600_000
FEATURES = ("latency", "errors.rate")
CATEGORIES = ("host.name", "region")
ABSENT, WARMING_UP, SCORED, MISSING = range(4)
NAN = float("nan")

ALWAYS = {
    "detector_id", "schema_version", "generation", "run_id", "model_id", "status", "data_start_time",
    "data_end_time", "execution_start_time", "execution_end_time", "feature_data", "value", "expected", "lower",
    "upper",
}  # fmt: skip
OF_ENTITIES = {"entity", "entity_key", "entity_attributes"}
OF_SCORED = {"anomaly_score", "anomaly_grade", "confidence", "threshold", "is_anomaly"}
OF_ALARMS = {"relevant_attribution", "expected_values", "contribution", "direction", "reason"}


def maker(features=FEATURES, categories=CATEGORIES, **changes):
    ids = tuple(f"id-{number}" for number in range(len(features)))
    parts = {"detector_id": "d", "generation": 1, "interval": Interval(1, Unit.HOURS)} | changes
    return DocumentMaker(category_fields=categories, feature_names=features, feature_ids=ids, **parts)


def scored_entry(status, grade=0.0, *, n_features=2, value=1.5, expected=2.5, kind="windows", count=5):
    """Return one window of one entity with a status and a grade."""
    is_scored, is_alarm = status == SCORED, grade > 0
    entry = JournalEntry(
        kind=kind,
        end_times_ms=np.array([2 * HOUR_MS]),
        new_entities=(),
        rows=np.array([0], np.int32),
        values=np.full((1, 1, n_features), value),
        doc_counts=np.array([[count]]),
    )
    one = lambda number: np.full((1, 1), number if is_scored else NAN)  # noqa: E731
    each = lambda number: np.full((1, 1, n_features), number)  # noqa: E731
    scored = ScoredBlock(
        score=one(1.1),
        grade=one(grade),
        confidence=one(0.9),
        threshold=one(1.4),
        expected=each(expected),
        lower=each(expected - 1),
        upper=each(expected + 1),
        contribution=each(1 / n_features if is_alarm else NAN),
        basis=np.full((1, 1, n_features), 1, np.uint8),
        departed=np.zeros((1, 1, n_features), np.uint8),
        routine=each(NAN),
        trait=np.zeros((1, 1, n_features), np.uint8),
        lasted_ms=np.zeros((1, 1), np.int64),
        status=np.array([[status]], np.uint8),
    )
    return ScoredEntry(1, entry, scored, (count == 0) & ~np.isnan(entry.values))


def documents(scored, *, of=None, entity=("web-1", "eu")):
    roster = Roster()
    roster.add((entity,))
    return list((of or maker()).documents(roster, scored, 77))


def body(*arguments, **options):
    (document,) = documents(scored_entry(*arguments, **options))
    return orjson.loads(document.source)


def mapping():
    return orjson.loads(files("storage.mappings").joinpath("results.json").read_bytes())["mappings"]


def test_which_fields_there_are_follows_from_status_and_grade():
    """Attribution, expected values and a reason belong to alarms; a score to what was scored."""
    assert set(body(WARMING_UP)) == ALWAYS | OF_ENTITIES
    assert set(body(SCORED)) == ALWAYS | OF_ENTITIES | OF_SCORED
    assert set(body(SCORED, 0.4)) == ALWAYS | OF_ENTITIES | OF_SCORED | OF_ALARMS
    assert set(body(MISSING)) == ALWAYS | OF_ENTITIES
    assert documents(scored_entry(ABSENT)) == []


def test_a_silent_window_says_which_values_were_filled_in():
    """A count is 0 there, an average is missing; the sentence begins with what happened."""
    silent = body(SCORED, 0.4, value=np.array([0.0, NAN]), count=0)
    assert silent["feature_imputed"] == [
        {"feature_id": "id-0", "imputed": True},
        {"feature_id": "id-1", "imputed": False},
    ]
    assert silent["value"] == {"latency": 0.0, "errors_rate": None}
    assert silent["reason"].startswith("no documents: latency has dropped to 0 from the 2.5 expected")
    assert silent["direction"] == {"latency": "below", "errors_rate": None}


def test_no_more_layouts_are_kept_than_a_process_can_hold(monkeypatch):
    """Features that come and go make a form of each set of missing ones."""
    monkeypatch.setattr("detector.documents.MOST_LAYOUTS", 3)
    one = maker()
    for value in ((1, 2), (NAN, 2), (1, NAN), (NAN, NAN)) * 2:
        (document,) = documents(scored_entry(SCORED, value=np.array(value)), of=one)
        expected = [None if np.isnan(number) else number for number in value]
        assert list(orjson.loads(document.source)["value"].values()) == expected
        assert len(one._layouts) <= 3


def test_a_single_stream_has_no_entity():
    """As in the plugin."""
    (document,) = documents(scored_entry(SCORED, 0.4), of=maker(categories=()), entity=())
    assert set(orjson.loads(document.source)) == ALWAYS | OF_SCORED | OF_ALARMS


def test_every_key_of_a_document_has_a_type_in_the_mapping():
    """At every depth; those of the flat objects by a template each."""
    templates = {
        name.split(".")[0]
        for rule in mapping()["dynamic_templates"]
        for name in [next(iter(rule.values()))["path_match"]]
    }
    everything = body(SCORED, 0.4) | error_body()

    def look(value, properties, path):
        for key, inner in value.items():
            assert key in properties, f"{path}{key} has no type"
            if properties[key].get("dynamic") == "true":
                assert key in templates
                assert all(not isinstance(leaf, dict | list) for leaf in inner.values())
            for item in inner if isinstance(inner, list) else []:
                look(item, properties[key]["properties"], f"{path}{key}.")

    look(everything, mapping()["properties"], "")
    assert everything.keys() >= OF_ALARMS | {"error"}


def error_body():
    (document,) = documents(scored_entry(SCORED, 0.4))
    return orjson.loads(error_document(document, "does not fit").source)


def test_numbers_stand_under_the_names_and_ids_of_their_features():
    """Nested as in the plugin, and flat, where a dot would nest."""
    alarm = body(SCORED, 0.4)
    assert alarm["feature_data"] == [
        {"feature_id": "id-0", "feature_name": "latency", "data": 1.5},
        {"feature_id": "id-1", "feature_name": "errors.rate", "data": 1.5},
    ]
    assert alarm["value"] == {"latency": 1.5, "errors_rate": 1.5}
    assert (alarm["lower"]["latency"], alarm["expected"]["latency"], alarm["upper"]["latency"]) == (
        1.5,
        2.5,
        3.5,
    )
    assert alarm["contribution"] == {"latency": 0.5, "errors_rate": 0.5}
    assert alarm["relevant_attribution"][1] == {
        "feature_id": "id-1",
        "feature_name": "errors.rate",
        "data": 0.5,
    }
    (expected,) = alarm["expected_values"]
    assert expected["likelihood"] == 1.0
    assert [item["data"] for item in expected["value_list"]] == [2.5, 2.5]
    assert alarm["reason"].startswith("latency is 1.5, within its usual range")


def test_entities_are_named_by_their_fields_in_one_order():
    """Nested, flat and as one key."""
    found = body(SCORED)
    assert found["entity"] == [{"name": "host.name", "value": "web-1"}, {"name": "region", "value": "eu"}]
    assert found["entity_attributes"] == {"host_name": "web-1", "region": "eu"}
    assert found["entity_key"] == "host.name=web-1, region=eu"
    turned = maker(categories=CATEGORIES[::-1])
    (document,) = documents(scored_entry(SCORED), of=turned, entity=("eu", "web-1"))
    assert orjson.loads(document.source)["entity"] == found["entity"]


@pytest.mark.parametrize("missing", [{"value": NAN}, {"expected": NAN}])
def test_what_is_missing_is_null_when_flat_and_left_out_when_nested(missing):
    """No document holds NaN, which JSON does not know."""
    (document,) = documents(scored_entry(SCORED, 0.4, **missing))
    assert b"NaN" not in document.source
    alarm = orjson.loads(document.source)
    if "value" in missing:
        assert (alarm["value"], alarm["feature_data"]) == ({"latency": None, "errors_rate": None}, [])
        assert alarm["reason"] == "latency is missing; errors.rate is missing"
    else:
        assert alarm["expected"] == alarm["upper"] == {"latency": None, "errors_rate": None}
        assert alarm["expected_values"] == [{"likelihood": 1.0, "value_list": []}]


def test_times_are_those_of_the_window_and_of_the_scoring():
    """Start inclusive, end exclusive; also for a day that is not 24 hours long."""
    found = body(SCORED)
    assert (found["data_start_time"], found["data_end_time"]) == (HOUR_MS, 2 * HOUR_MS)
    assert (found["execution_start_time"], found["execution_end_time"]) == (77, 77)
    day = Interval(1, Unit.DAYS, "Europe/Berlin")
    ends = [day.next(day.floor(1_774_700_000_000))]
    for _ in range(3):
        ends.append(day.next(ends[-1]))
    entry = scored_entry(SCORED)
    lengths = set()
    for end in ends:
        moved = entry._replace(entry=JournalEntry(**vars(entry.entry) | {"end_times_ms": np.array([end])}))
        (document,) = documents(moved, of=maker(interval=day))
        source = orjson.loads(document.source)
        lengths.add((source["data_end_time"] - source["data_start_time"]) / HOUR_MS)
    assert lengths == {23.0, 24.0}


class TestIds:
    """The same window of the same series is the same document."""

    def test_ids_sort_by_time_and_hold_nothing_of_what_was_found(self):
        """Fixed width; a repeat overwrites whatever stood there."""
        (calm,), (alarm,) = documents(scored_entry(SCORED)), documents(scored_entry(SCORED, 0.4))
        assert calm.id == alarm.id
        assert calm.id.startswith(f"{2 * HOUR_MS:013d}-")
        assert (calm.end_time_ms, calm.is_anomaly, alarm.is_anomaly) == (2 * HOUR_MS, False, True)

    def test_detector_run_generation_and_entity_make_the_series(self):
        """Each on its own makes another."""
        one = scored_entry(SCORED)
        ids = [
            documents(one, of=maker(**change))[0].id
            for change in ({}, {"detector_id": "e"}, {"generation": 2}, {"run_id": "h1"})
        ]
        ids += [documents(one, entity=("web-1", "us"))[0].id, documents(one, entity=("web-1,eu", ""))[0].id]
        assert len(set(ids)) == len(ids)

    def test_history_never_rewrites_a_live_result(self):
        """It is written only where nothing stands."""
        assert documents(scored_entry(SCORED, kind="history"))[0].only_new
        assert not documents(scored_entry(SCORED))[0].only_new

    def test_a_refused_document_keeps_its_id_and_times_and_says_why(self):
        """Nothing of what was refused is in it."""
        (document,) = documents(scored_entry(SCORED, 0.4))
        error = error_document(document, "does not fit")
        assert (error.id, error.end_time_ms) == (document.id, document.end_time_ms)
        source = orjson.loads(error.source)
        assert (source["status"], source["error"], source["data_end_time"]) == (
            "refused",
            "does not fit",
            2 * HOUR_MS,
        )
        assert not source.keys() & (OF_ENTITIES | OF_SCORED | OF_ALARMS | {"value", "feature_data"})


def test_windows_come_entity_by_entity_in_ascending_order():
    """Only those that are there."""
    n_windows, n_entities = 4, 3
    status = np.array([[2, 0, 1], [2, 3, 0], [0, 2, 2], [2, 2, 2]], np.uint8)
    shape = (n_windows, n_entities)
    entry = JournalEntry(
        "windows",
        np.arange(1, 5) * HOUR_MS,
        (),
        np.array([2, 0, 1], np.int32),
        np.ones((*shape, 2)),
        np.ones(shape, np.int64),
    )
    flat, cubic = np.zeros(shape), np.zeros((*shape, 2))
    codes, lengths = cubic.astype(np.uint8), flat.astype(np.int64)
    scored = ScoredBlock(*(flat,) * 4, *(cubic,) * 4, codes, codes, cubic, codes, lengths, status)
    roster = Roster()
    roster.add((("a", "x"), ("b", "x"), ("c", "x")))
    found = [
        orjson.loads(one.source)
        for one in maker().documents(roster, ScoredEntry(1, entry, scored, np.zeros((*shape, 2), bool)), 0)
    ]
    assert len(found) == np.count_nonzero(status)
    assert [one["entity"][0]["value"] for one in found] == ["c"] * 3 + ["a"] * 3 + ["b"] * 3
    ends = [one["data_end_time"] for one in found]
    assert sum(second < first for first, second in pairwise(ends)) == 2
    assert {one["status"] for one in found} == set(STATUS[1:])


NAMES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=6)


@given(
    st.lists(NAMES, min_size=1, max_size=4, unique_by=flat_name),
    st.lists(NAMES, max_size=2, unique_by=flat_name),
    st.integers(0, 2**32),
    st.sampled_from(["windows", "history"]),
)
def test_documents_are_those_of_the_naive_twin(features, categories, seed, kind):
    """Whatever the names, the status of each window, and what is missing in it."""
    draw = np.random.default_rng(seed)
    shape = n_windows, n_entities = (3, 4)
    every = (*shape, len(features))
    numbers = lambda *size: np.where(draw.random(size) < 0.2, np.nan, draw.normal(0, 1e3, size))  # noqa: E731
    status = draw.integers(0, 4, shape).astype(np.uint8)
    grade = np.where(status == SCORED, np.maximum(0, draw.normal(0, 1, shape)), np.nan)
    single = numbers(*shape), grade, numbers(*shape), numbers(*shape)
    basis, departed, trait = (draw.integers(0, most, every).astype(np.uint8) for most in (7, 4, 11))
    lasted_ms = draw.choice([0, 90 * 60_000, 5 * HOUR_MS], shape)
    bands = (numbers(*every) for _ in range(4))
    scored = ScoredBlock(*single, *bands, basis, departed, numbers(*every), trait, lasted_ms, status)
    ends, rows = np.arange(1, n_windows + 1) * HOUR_MS, draw.permutation(n_entities).astype(np.int32)
    entry = JournalEntry(kind, ends, (), rows, numbers(*every), draw.integers(0, 3, shape))
    roster = Roster()
    roster.add(tuple((*map(str, [k] * len(categories)),) or (str(k),) for k in range(n_entities)))
    of = maker(tuple(features), tuple(categories))
    imputed = draw.random(every) < 0.2
    expected = list(naive_documents(of, roster, ScoredEntry(1, entry, scored, imputed), 77))
    assert len(expected) == np.count_nonzero(status)
    for _ in range(2):  # the second time from what was kept
        made = of.documents(roster, ScoredEntry(1, entry, scored, imputed), 77)
        assert [(one.id, orjson.loads(one.source)) for one in made] == expected
        assert [one.is_anomaly for one in made] == [bool(fields.get("is_anomaly")) for _, fields in expected]
        assert all(one.only_new == (kind == "history") for one in made)


@given(st.text(min_size=1))
def test_a_flat_name_is_one_key(name):
    """Whatever the name, no level is made of it."""
    assert "." not in flat_name(name)
    assert len(flat_name(name)) == len(name)


STRANGE = (
    "a.b",
    "..",
    " a ",
    "ü*?",
    "x" * 256,
    "_id",
    "#1",
    'say "hi"',
    "a,b",
    "a\tb",
    "null",
    "0",
    "a/b\\c",
    "$",
)


def test_the_cluster_takes_documents_with_strange_names_of_features_and_fields(client, index_prefix):
    """Names come from people; every one is a number that can be searched."""
    ensure_indices(client, index_prefix, ONCE)
    strange = maker(features=STRANGE, categories=STRANGE[:6])
    (document,) = documents(
        scored_entry(SCORED, 0.4, n_features=len(STRANGE)), of=strange, entity=STRANGE[:6]
    )
    store = ResultStore(client, index_prefix, ONCE)
    assert store.save([document]) == []
    client.indices.refresh(index=f"{index_prefix}-results-*")
    for name in STRANGE:
        field = f"value.{flat_name(name)}"
        assert (
            client.count(index=f"{index_prefix}-results", body={"query": {"term": {field: 1.5}}})["count"]
            == 1
        ), name


@pytest.mark.parametrize("key", ["feature_attributes", "category_field"])
def test_names_that_would_be_one_key_are_refused_with_the_file(key):
    """Else one of the two numbers would be missing from the flat fields, without a word."""
    names = ["errors.rate", "errors_rate"]
    features = [
        {"feature_name": name, "aggregation_query": {name: {"avg": {"field": name}}}} for name in names
    ]
    changes = {key: features if key == "feature_attributes" else names}
    with pytest.raises(ValidationError, match=r"must not hold both .errors\.rate. and .errors_rate."):
        detector("x", **changes)
