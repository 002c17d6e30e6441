"""Local time: a season ago is the same clock time, on days of 23 and 25 hours too."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from checks import fleet_of, seeds_for
from hypothesis import given
from hypothesis import strategies as st

from detector.model.fleet import ModelSettings
from features.windows import local_times_ms

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
QUARTERS = ModelSettings(n_features=1, interval_ms=15 * MINUTE_MS, n_trees=2, sample_size=16)
ZONE = "Europe/Berlin"
CHANGES = {"spring": datetime(2025, 3, 30, tzinfo=UTC), "autumn": datetime(2025, 10, 26, tzinfo=UTC)}


@given(
    moment=st.integers(0, 2_000_000_000).map(lambda second: second * 1000),
    zone=st.sampled_from(
        ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
    ),
)
def test_local_times_are_what_clocks_show(moment: int, zone: str) -> None:
    """As if it were UTC."""
    shown = datetime.fromtimestamp(moment // 1000, ZoneInfo(zone)).replace(tzinfo=UTC)
    assert local_times_ms(np.array([moment]), zone).tolist() == [int(shown.timestamp()) * 1000]


@pytest.mark.parametrize("change", CHANGES)
def test_a_rhythm_of_local_time_is_followed_over_a_time_change(change: str) -> None:
    """Opening hours move by an hour of UTC; the expectation moves with them, and does not where it knows UTC only."""
    middle = int(CHANGES[change].timestamp()) * 1000
    times = np.arange(middle - 14 * DAY_MS, middle + 4 * DAY_MS, QUARTERS.interval_ms)
    local = local_times_ms(times, ZONE)
    is_open = (local % DAY_MS >= 8 * HOUR_MS) & (local % DAY_MS < 18 * HOUR_MS)
    values = np.where(is_open, 100.0, 10.0) + np.random.default_rng(1).normal(0, 1, len(times))
    values = values[:, np.newaxis, np.newaxis]
    there = np.ones(values.shape[:2], np.bool_)
    errors = {}
    for name, shown in (("local", local), ("utc", None)):
        fleet = fleet_of(QUARTERS, seeds_for(values))
        scored = fleet.observe(np.zeros(1, np.int64), times, values, there, shown)
        errors[name] = np.abs(scored.expected - values)[times >= middle, 0, 0]
    first_day = slice(0, DAY_MS // QUARTERS.interval_ms)
    assert errors["local"][first_day].max() < 30
    assert errors["utc"][first_day].max() > 80


def test_a_window_needs_its_local_time() -> None:
    """Of the number of windows, or it is refused."""
    fleet = fleet_of(QUARTERS, np.zeros(1, np.uint64))
    with pytest.raises(ValueError, match=r"`local_times_ms` must be int64 of shape \(2,\)"):
        fleet.observe(
            np.zeros(1, np.int64),
            np.array([1, 2]),
            np.zeros((2, 1, 1)),
            np.ones((2, 1), np.bool_),
            np.array([1, 2, 3]),
        )
