"""Parts of the model that the benchmark turns off are off, and the rest stays."""

import numpy as np
import pytest

from detector.model.fleet import Fleet, ModelSettings
from detector.model.parts import ALL_PARTS, mute
from detector.model.transform import N_COLUMNS
from detector.model.walk import FIRST_SCORED, MAX_WARM_UP

MINUTES_MS = 300_000


def test_columns_that_are_turned_off_never_change() -> None:
    """Those of the one metric, not of its neighbour."""
    for part, kept in (("has_means", [1, 0, 0, 0, 1]), ("has_residual", [1, 1, 1, 1, 0])):
        point = np.ones(2 * N_COLUMNS, np.float32)
        mute(ALL_PARTS._replace(**{part: False}), point, N_COLUMNS)
        assert point.tolist() == [1.0] * N_COLUMNS + kept
    point = np.ones(N_COLUMNS, np.float32)
    mute(ALL_PARTS, point, 0)
    assert point.tolist() == [1.0] * N_COLUMNS


def test_without_a_second_scale_that_of_the_first_40_windows_stays() -> None:
    """Values that grow wider later are measured by how wide they were."""
    values = np.random.default_rng(1).normal(size=MAX_WARM_UP + 1)
    values[FIRST_SCORED:] *= 10
    spreads = []
    for freezes_again in (False, True):
        settings = ModelSettings(
            1, MINUTES_MS, n_trees=2, parts=ALL_PARTS._replace(freezes_again=freezes_again)
        )
        fleet = Fleet(settings)
        fleet.add(np.zeros(1, np.uint64))
        times_ms = MINUTES_MS * np.arange(1, len(values) + 1)
        scored = fleet.observe(
            np.zeros(1, np.int64), times_ms, values[:, None, None], np.ones((len(values), 1), np.bool_)
        )
        assert int(np.argmax(np.isfinite(scored.score[:, 0]))) + 1 == FIRST_SCORED
        spreads.append(fleet.save(0, 1)["metric.transform.spread"][0, 0, 0])
    assert spreads[0] == pytest.approx(np.std(values[:FIRST_SCORED]))
    assert spreads[1] > 3 * spreads[0]


def test_skewed_metrics_are_straightened_or_not() -> None:
    """The same noise of one long tail; the scale of its values tells."""
    values = np.exp(np.random.default_rng(1).normal(size=MAX_WARM_UP + 1))
    units = []
    for straightens in (False, True):
        fleet = Fleet(
            ModelSettings(1, MINUTES_MS, n_trees=2, parts=ALL_PARTS._replace(straightens=straightens))
        )
        fleet.add(np.zeros(1, np.uint64))
        times_ms = MINUTES_MS * np.arange(1, len(values) + 1)
        fleet.observe(
            np.zeros(1, np.int64), times_ms, values[:, None, None], np.ones((len(values), 1), np.bool_)
        )
        units.append(fleet.save(0, 1)["metric.transform.skew.unit"][0, 0])
    assert units[0] == 0
    assert units[1] > 0
