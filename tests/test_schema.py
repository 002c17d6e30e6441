"""`outrider schema`: the schema agrees with the model that reads detectors."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from detector.__main__ import main
from detector.commands.schema import detector_schema
from detector.configuration.config import DetectorConfig
from detector.example_data import EXAMPLES, examples_folder
from features.aggregation import KINDS


@pytest.fixture
def validator() -> Draft202012Validator:
    """Check against what `outrider schema` prints."""
    printed = CliRunner().invoke(main, ["schema"])
    assert printed.exit_code == 0
    schema = json.loads(printed.stdout)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_fit_the_schema(validator: Draft202012Validator, example: str) -> None:
    """What the README shows is what editors accept."""
    text = (examples_folder() / "detectors" / f"{example}.json").read_text()
    validator.validate(json.loads(text))


def test_every_key_is_described() -> None:
    """For the help an editor shows."""
    schema = detector_schema()
    assert set(schema["properties"]) >= {"name", "$schema", "rules", "timezone"}
    for owner in (schema, *schema["$defs"].values()):
        for key, value in owner.get("properties", {}).items():
            assert value.get("description"), key


def example_document() -> dict[str, Any]:
    text = (examples_folder() / "detectors" / "cloudwatch.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return document


MISTAKES: list[dict[str, Any]] = [
    {"name": "a b"},
    {"indices": []},
    {"history": 0},
    {"shingle_size": 129},
    {"recency_emphasis": 1},
    {"category_field": ["a", "a"]},
    {"category_field": "a"},
    {"detection_interval": {"period": {"interval": 5, "unit": "Parsecs"}}},
    {"detection_interval": {"period": {"interval": 1.5, "unit": "Minutes"}}},
    {"feature_attributes": []},
    {"feature_attributes": [{"feature_name": "f", "aggregation_query": {"f": {"terms": {"field": "x"}}}}]},
    {"feature_attributes": [{"feature_name": "f", "aggregation_query": {}}]},
    {"rules": [{"action": "IGNORE_ANOMALY"}]},
    {"flatten_custom_result_index": True},
    {"result_index": "a"},
    {"foo": 1},
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_editors_mark_what_the_loader_refuses(
    validator: Draft202012Validator, mistake: dict[str, Any]
) -> None:
    """Schema and model refuse the same."""
    document = {**example_document(), **mistake}
    assert not validator.is_valid(document)
    with pytest.raises(ValueError, match="validation error"):
        DetectorConfig.model_validate(document)


MEANINGLESS: list[dict[str, Any]] = [
    {"rules": []},
    {"flatten_custom_result_index": False},
    {"result_index": None},
    {"ui_metadata": {"any": "thing"}},
    {"$schema": "../detector.schema.json"},
]


@pytest.mark.parametrize("value", MEANINGLESS, ids=str)
def test_editors_accept_what_the_loader_lets_through(
    validator: Draft202012Validator, value: dict[str, Any]
) -> None:
    """Schema and model accept the same."""
    document = {**example_document(), **value}
    validator.validate(document)
    DetectorConfig.model_validate(document)


@pytest.mark.parametrize("kind", KINDS)
def test_every_allowed_aggregation_fits_the_schema(validator: Draft202012Validator, kind: str) -> None:
    """The list in the schema is the one that is checked."""
    body: dict[str, Any] = {kind: {"field": "x"}}
    if kind == "filter":
        body = {"filter": {"term": {"a": 1}}, "aggs": {"n": {"avg": {"field": "x"}}}}
    feature = {"feature_name": "f", "aggregation_query": {"f": body}}
    document = {**example_document(), "feature_attributes": [feature]}
    validator.validate(document)
    DetectorConfig.model_validate(document)
