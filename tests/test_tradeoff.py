"""What the table and the plot of trees and samples are made of."""

import json

import numpy as np
import pytest

from benchmarks.performance import TABLES, TRADEOFF
from benchmarks.tradeoff import average_precision, settings_for


def test_average_precision_is_one_when_every_change_scores_highest() -> None:
    """And the share of changes when scores are the wrong way round."""
    changed = np.array([False, True, False, True, False])
    assert average_precision(np.array([0.0, 3.0, 1.0, 2.0, 1.5]), changed) == 1.0
    assert average_precision(np.array([3.0, 0.0, 2.0, 0.5, 1.0]), changed) == pytest.approx(
        (1 / 4 + 2 / 5) / 2
    )


def test_settings_have_the_shape_that_was_asked_for() -> None:
    """Trees, samples, and five columns a metric or a shingle."""
    assert settings_for(10, 64)(3, 60_000).forest_shape[:3] == (15, 10, 64)
    assert settings_for(10, 64, 8)(3, 60_000).forest_shape[:3] == (24, 10, 64)


def test_the_table_has_a_row_a_shape() -> None:
    """With the range of the seeds where they differ, and the ratio of speeds."""
    lines = [
        {"case": "10x64", "metric": metric, "ours": 5.0, "low": 4.0, "high": 6.0}
        for metric in TRADEOFF.values()
    ]
    lines[1]["ratio"] = 2.5
    rows = TABLES["tradeoff"](json.loads(json.dumps(lines))).splitlines()
    assert len(rows) == 3
    assert rows[2].startswith("| 10x64 | 5.0 | 2.5 | 5.0 (4.0 to 6.0) |")
    assert len({row.count("|") for row in rows}) == 1
