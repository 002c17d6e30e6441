"""`imputation_option`: what a detector may say, what stands in for missing numbers, and that documents tell it."""

import json
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import MINUTE_MS, START_MS, detector, index_stream, stores_of, written

from detector.configuration.config import DetectorConfig
from detector.configuration.fingerprint import fingerprint_of
from detector.configuration.load import load_detector
from detector.configuration.problem import ConfigError
from detector.open import open_job
from detector.poll import poll
from detector.save import save_checkpoints
from detector.silence import filler_of

N_WINDOWS = 60
END_MS = START_MS + N_WINDOWS * MINUTE_MS

BASE: dict[str, Any] = {
    "name": "checkout",
    "time_field": "@timestamp",
    "indices": ["web-*"],
    "feature_attributes": [
        {"feature_name": "p95", "aggregation_query": {"p95": {"avg": {"field": "a"}}}},
        {"feature_name": "errors", "aggregation_query": {"errors": {"sum": {"field": "b"}}}},
    ],
}
FILLS = [{"feature_name": "errors", "data": 3}, {"feature_name": "p95", "data": 40}]


def config(option: object) -> DetectorConfig:
    return DetectorConfig.model_validate(BASE | {"imputation_option": option})


@pytest.mark.parametrize(
    ("option", "values", "repeats", "fills_gaps"),
    [
        (None, [nan, 0], False, False),
        ({}, [0, 0], False, True),
        ({"method": "zero"}, [0, 0], False, True),
        ({"method": "FIXED_VALUES", "default_fill": FILLS}, [40, 3], False, True),
        ({"method": "PREVIOUS", "default_fill": []}, [nan, nan], True, True),
    ],
)
def test_each_method_has_its_filler(option, values, repeats, fills_gaps):
    """In any case of letters; fixed values in any order."""
    filler = filler_of(config(option))
    np.testing.assert_array_equal(filler.values, values)
    assert (filler.repeats, filler.fills_gaps) == (repeats, fills_gaps)


def test_each_method_has_models_of_its_own():
    """What stands in is what they learn."""
    fixed = {"method": "FIXED_VALUES", "default_fill": FILLS}
    other = {"method": "FIXED_VALUES", "default_fill": [FILLS[0], FILLS[1] | {"data": 41}]}
    options = (None, {"method": "ZERO"}, {"method": "PREVIOUS"}, fixed, other)
    assert len({fingerprint_of(config(option)) for option in options}) == len(options)
    assert fingerprint_of(config({})) == fingerprint_of(config({"method": "ZERO"}))


def test_the_plugins_kind_of_model_sees_silent_windows_where_something_stands_in():
    """As the plugin; without, it has a document for none."""
    trcf = BASE | {"profile": "trcf"}
    assert DetectorConfig.model_validate(trcf).longest_silence_ms == 0
    filled = DetectorConfig.model_validate(trcf | {"imputation_option": {"method": "PREVIOUS"}})
    assert filled.longest_silence_ms > 23 * 60 * MINUTE_MS


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"method": "ZEROS"}, 'must be a way to fill in, got "ZEROS"; did you mean `ZERO`?'),
        ({"method": 3}, "`imputation_option.method` must be"),
        ({"methods": "ZERO"}, "`imputation_option.methods` is not a known key; did you mean `method`?"),
        ({"method": "FIXED_VALUES"}, "with FIXED_VALUES; add p95, errors"),
        ({"method": "FIXED_VALUES", "default_fill": FILLS[:1]}, "with FIXED_VALUES; add p95"),
        (
            {"method": "FIXED_VALUES", "default_fill": [*FILLS, {"feature_name": "eror", "data": 1}]},
            'must name an enabled feature, got "eror"; ',
        ),
        ({"method": "FIXED_VALUES", "default_fill": [*FILLS, FILLS[0]]}, "errors"),
        ({"method": "ZERO", "default_fill": FILLS}, "must have no `default_fill` with ZERO; remove it"),
        (
            {"method": "FIXED_VALUES", "default_fill": [{"feature_name": "p95", "value": 1}]},
            "is not a known key",
        ),
        ("ZERO", "`imputation_option` must be an object"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(tmp_path: Path, option: object, said: str) -> None:
    """With what was expected."""
    path = tmp_path / "detector.json"
    path.write_text(json.dumps(BASE | {"imputation_option": option}))
    with pytest.raises(ConfigError) as caught:
        load_detector(path)
    assert said in str(caught.value)


def test_the_last_number_stands_in_on_a_node_whatever_restarts(client, index_prefix):
    """One poll over everything, and polls with checkpoints and restarts between, write the same documents."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=3, n_windows=N_WINDOWS)
    own = detector(source, imputation_option={"method": "PREVIOUS"})
    calm, torn = f"{index_prefix}-calm", f"{index_prefix}-torn"
    stores = stores_of(client, calm)
    poll(open_job(own, stores, START_MS), stores, END_MS)
    documents = written(client, calm)

    imputed = {key: document for key, document in documents.items() if "feature_imputed" in document}
    assert imputed
    by_end = {(one["entity_key"], one["data_end_time"]): one for one in documents.values()}
    for document in imputed.values():
        before = by_end[document["entity_key"], document["data_end_time"] - MINUTE_MS]
        assert document["value"] == before["value"]
        assert {each["imputed"] for each in document["feature_imputed"]} == {True}
        assert document["status"] == before["status"]

    windows = sorted((one["data_end_time"] - START_MS) // MINUTE_MS for one in imputed.values())
    for window in (windows[0] - 1, windows[2], N_WINDOWS):
        stores = stores_of(client, torn)
        job = open_job(own, stores, START_MS)
        poll(job, stores, START_MS + window * MINUTE_MS)
        save_checkpoints(job, stores.checkpoints, every_entries=1)
    assert written(client, torn) == documents
