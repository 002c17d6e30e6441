"""The profile and its rules: what a detector may say about them, and what the models get."""

import json
from pathlib import Path
from typing import Any

import pytest

from detector.configuration.config import DetectorConfig
from detector.configuration.fingerprint import fingerprint_of
from detector.configuration.load import load_detector
from detector.configuration.problem import ConfigError
from detector.job import model_settings
from detector.model.fleet import Fleet
from detector.model.profile import open_fleet

BASE: dict[str, Any] = {
    "name": "checkout",
    "time_field": "@timestamp",
    "indices": ["web-*"],
    "feature_attributes": [
        {"feature_name": name, "aggregation_query": {name: {"avg": {"field": name}}}}
        for name in ("p95", "rate")
    ],
}
TRCF = BASE | {"profile": "trcf"}


def condition(threshold: str, value: float | None = None, feature: str = "p95") -> dict[str, Any]:
    amount = {} if value is None else {"operator": "LTE", "value": value}
    return {"feature_name": feature, "threshold_type": threshold} | amount


def rule(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"action": "IGNORE_ANOMALY", "conditions": list(conditions)}


def problems_of(document: dict[str, Any], folder: Path) -> str:
    path = folder / "detector.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as caught:
        load_detector(path)
    return str(caught.value)


def test_the_default_profile_has_a_name_and_keeps_its_generation() -> None:
    """Naming the default changes nothing, also not the generation of models there are."""
    plain, named = (DetectorConfig.model_validate(one) for one in (BASE, BASE | {"profile": "multiscale"}))
    assert fingerprint_of(plain) == fingerprint_of(named)
    assert model_settings(plain) == model_settings(named)
    assert model_settings(plain).trcf is None


def test_the_plugins_profile_has_the_plugins_settings() -> None:
    """50 trees, a shingle of 8 unless another is given, and the tolerance that the plugin implies."""
    settings = model_settings(DetectorConfig.model_validate(TRCF))
    assert (settings.n_trees, settings.sample_size, settings.shingle_size) == (50, 256, 8)
    assert settings.trcf is not None
    assert settings.trcf.margin == ((0.0, 0.0), (0.0, 0.0), (0.2, 0.2), (0.2, 0.2))
    assert settings.trcf.direction == ((True, True), (True, True))
    assert model_settings(DetectorConfig.model_validate(TRCF | {"shingle_size": 4})).shingle_size == 4
    assert type(open_fleet(settings)) is not Fleet
    assert type(open_fleet(model_settings(DetectorConfig.model_validate(BASE)))) is Fleet


def test_rules_set_one_number_a_feature_and_the_last_one_holds() -> None:
    """As in the plugin: any rule removes the implied ones, features without a condition have no tolerance."""
    rules = [
        rule(condition("ACTUAL_OVER_EXPECTED_MARGIN", 5.0), condition("ACTUAL_IS_BELOW_EXPECTED")),
        rule(
            condition("ACTUAL_OVER_EXPECTED_MARGIN", 7.0),
            condition("EXPECTED_OVER_ACTUAL_RATIO", 0.1, "rate"),
        ),
    ]
    trcf = model_settings(DetectorConfig.model_validate(TRCF | {"rules": rules})).trcf
    assert trcf is not None
    assert trcf.margin == ((7.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.1))
    assert trcf.direction == ((True, True), (False, True))


def test_profile_and_rules_begin_a_new_generation() -> None:
    """They change what models are; the spelling of the same rules does not."""
    prints = [
        fingerprint_of(DetectorConfig.model_validate(one))
        for one in (
            BASE,
            TRCF,
            TRCF | {"rules": [rule(condition("ACTUAL_IS_OVER_EXPECTED"))]},
            TRCF | {"rules": [rule(condition("ACTUAL_OVER_EXPECTED_RATIO", 0.3))]},
        )
    ]
    assert len(set(prints)) == 4
    assert fingerprint_of(DetectorConfig.model_validate(TRCF | {"rules": []})) == prints[1]


def test_what_is_stored_has_the_same_rules() -> None:
    """A dump loads again and means the same."""
    rules = [rule(condition("ACTUAL_OVER_EXPECTED_RATIO", 0.3), condition("ACTUAL_IS_BELOW_EXPECTED"))]
    config = DetectorConfig.model_validate(TRCF | {"rules": rules})
    again = DetectorConfig.model_validate(
        json.loads(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    )
    assert fingerprint_of(again) == fingerprint_of(config)
    assert model_settings(again) == model_settings(config)


WRONG = [
    ({"profile": "TRCF"}, '`profile` must be the name of a profile, got "TRCF"; did you mean `trcf`?'),
    ({"profile": "multi-scale"}, "did you mean `multiscale`?"),
    ({"profile": "htm"}, "there are multiscale and trcf"),
    ({"rules": [rule(condition("ACTUAL_IS_OVER_EXPECTED"))]}, "`rules` is not supported yet; remove it"),
    ({"profile": "trcf", "rule": []}, "`rule` is not a known key; did you mean `rules`?"),
    (
        {"profile": "trcf", "rules": [rule(condition("ACTUAL_OVER_EXPECTED_RATO", 0.2))]},
        'must be a comparison the plugin knows, got "ACTUAL_OVER_EXPECTED_RATO"; did you mean',
    ),
    (
        {"profile": "trcf", "rules": [rule(condition("ACTUAL_OVER_EXPECTED_RATIO", -1))]},
        '`rules[0].conditions[0]` must have `operator` "LTE" and a `value` above 0',
    ),
    (
        {"profile": "trcf", "rules": [rule(condition("ACTUAL_IS_OVER_EXPECTED", 3))]},
        "must have neither `operator` nor `value` with ACTUAL_IS_OVER_EXPECTED; remove them",
    ),
    (
        {"profile": "trcf", "rules": [rule(condition("ACTUAL_IS_OVER_EXPECTED", feature="rates"))]},
        '`rules` must name an enabled feature, got "rates"; did you mean `rate`?',
    ),
    (
        {"profile": "trcf", "rules": [rule(condition("ACTUAL_IS_OVER_EXPECTED") | {"colour": 1})]},
        "`rules[0].conditions[0].colour` is not a known key",
    ),
    ({"profile": "trcf", "shingle_size": 128}, "at most 254 features times `shingle_size`, got 256"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_cannot_be_is_refused_with_what_to_do(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Where, what was expected, what was found, and the word that was probably meant."""
    assert message in problems_of(BASE | change, tmp_path)


def test_the_default_kind_of_model_loads_no_kernel_of_the_other() -> None:
    """Starting up costs nothing for a profile that no detector has."""
    import subprocess
    import sys

    code = (
        "import sys; from detector.job import model_settings; from detector.model.profile import open_fleet; "
        "from detector.model.fleet import ModelSettings; open_fleet(ModelSettings(1, 60_000)); "
        "print([name for name in sys.modules if name.startswith('detector.model.trcf')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
