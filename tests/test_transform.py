"""Values to columns: means, residuals, the frozen scale, and what is done about missing and strange values."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.model.season import Season, allocate_season, open_slot, reset_season, rhythm_of
from detector.model.transform import (
    Transform,
    allocate_transform,
    clean,
    freeze_scale,
    push,
    repeat_missing,
    reset_scale,
    reset_transform,
    scaled,
    write_columns,
    write_shingle,
)

INTERVAL_MS = 3_600_000
RHYTHM = rhythm_of(INTERVAL_MS)


def fresh(n_metrics: int = 1, shingle_size: int = 0) -> tuple[Transform, Season]:
    transform = allocate_transform(1, n_metrics, shingle_size)
    season = allocate_season(1, n_metrics, RHYTHM)
    reset_transform(transform, 0)
    reset_scale(transform, 0)
    reset_season(season, 0)
    return transform, season


def enter(transform: Transform, season: Season, rows: NDArray[np.float64], start: int = 0) -> list[bool]:
    """Push rows an hour apart; return which were novel."""
    novel = []
    for offset, row in enumerate(rows):
        time_ms = (start + offset + 1) * INTERVAL_MS
        novel.append(push(transform, season, RHYTHM, 0, time_ms, row))
        place = open_slot(season, RHYTHM, 0, time_ms)
        season.low[0, place] = np.fmin(season.low[0, place], row)
        season.high[0, place] = np.fmax(season.high[0, place], row)
    return novel


def test_means_are_over_the_last_values_or_those_there_are() -> None:
    """Of 1, 4, 16 and 64 values."""
    transform, season = fresh()
    values = np.random.default_rng(0).normal(size=(100, 1))
    for end in (1, 3, 10, 40, 100):
        reset_transform(transform, 0)
        enter(transform, season, values[:end])
        wanted = [values[max(0, end - span) : end].mean() for span in (1, 4, 16, 64)]
        np.testing.assert_allclose(transform.feature[0, 0, :4], wanted)


def test_the_residual_is_how_far_outside_yesterdays_range() -> None:
    """Within two hours of the time a day ago; 0 inside, and without data a day ago."""
    transform, season = fresh()
    day = np.arange(24.0)[:, None]
    enter(transform, season, day[:22])
    assert transform.residual[0, 0].tolist() == [0.0] * 16
    enter(transform, season, day[22:], start=22)
    enter(transform, season, np.array([[0.0], [3.0], [10.0], [-1.0], [4.0]]), start=24)
    expected = [0.0, 0.0, 10.0 - 4.0, -1.0 - 1.0, 0.0]
    assert [transform.residual[0, 0, (24 + i) % 16] for i in range(5)] == expected
    assert transform.feature[0, 0, 4] == pytest.approx(transform.residual[0, 0].mean())


def test_a_value_is_novel_beyond_a_twentieth_of_the_range() -> None:
    """Of all values seen; the first one is not, and after equal ones any other is."""
    transform, season = fresh()
    rows = np.array([[5.0], [5.0], [6.0], [5.5], [6.04], [6.1], [4.96], [4.9], [-90.0]])
    novel = enter(transform, season, rows)
    assert novel == [False, False, True, False, False, True, False, True, True]


def test_every_column_has_its_own_scale() -> None:
    """Median and deviation of the column over the warm-up; the residual goes with the value."""
    transform, season = fresh()
    values = np.random.default_rng(1).gamma(2, 3, (200, 1))
    freeze_scale(transform, 0, values)
    rolled = [
        np.array([values[max(0, end - span) : end].mean() for end in range(1, 201)])
        for span in (1, 4, 16, 64)
    ]
    np.testing.assert_allclose(transform.center[0, 0, :4], [np.median(column) for column in rolled])
    np.testing.assert_allclose(transform.spread[0, 0, :4], [column.std() for column in rolled])
    assert transform.center[0, 0, 4] == 0
    assert transform.spread[0, 0, 4] == transform.spread[0, 0, 0]
    enter(transform, season, values)
    point = np.full(5, np.nan, np.float32)
    write_columns(transform, 0, point)
    wanted = (transform.feature[0, 0] - transform.center[0, 0]) / transform.spread[0, 0]
    np.testing.assert_allclose(point, wanted, rtol=1e-6)


def test_after_a_constant_the_first_change_is_the_unit() -> None:
    """Whatever its size: there is nothing else to measure with."""
    for change in (1e-9, 1.0, 1e12):
        transform, season = fresh()
        freeze_scale(transform, 0, np.full((50, 1), 4.0))
        enter(transform, season, np.full((50, 1), 4.0))
        point = np.empty(5, np.float32)
        write_columns(transform, 0, point)
        assert not point.any()
        enter(transform, season, np.array([[4.0 + change]]), start=50)
        write_columns(transform, 0, point)
        np.testing.assert_allclose(point[:3], [1, 1 / 4, 1 / 16], rtol=1e-5)


def test_far_values_keep_their_order() -> None:
    """Linear up to 16 deviations, logarithmic beyond, within what the forest can tell apart."""
    sizes = [0.0, 0.5, 15.9, 16.0, 16.1, 100.0, 1e3, 1e4]
    for sign in (1.0, -1.0):
        values = [sign * scaled(sign * size * 2.0, 0.0, 2.0) for size in sizes]
        assert values == sorted(set(values))
        assert values[:4] == sizes[:4]
    assert scaled(1e300, 0.0, 1e-300) == 127.0
    assert scaled(-1e300, 1e300, 5e-324) == -127.0


def test_missing_values_leave_everything_as_it_was() -> None:
    """No ring, no mean, no range moves; a metric without values has zeros."""
    transform, season = fresh(n_metrics=2)
    freeze_scale(transform, 0, np.array([[1.0, np.nan], [3.0, np.nan]]))
    enter(transform, season, np.array([[1.0, np.nan], [3.0, np.nan]]))
    before = [array.copy() for array in transform]
    enter(transform, season, np.array([[np.nan, np.nan]]), start=2)
    for old, new in zip(before, transform, strict=True):
        assert old.tobytes() == new.tobytes()
    point = np.full(10, np.nan, np.float32)
    write_columns(transform, 0, point)
    assert np.isfinite(point).all()
    assert not point[5:].any()
    for start, late in enumerate((1e9, 3e9, 2e9)):
        enter(transform, season, np.array([[2.0, late]]), start=100 + start)
        write_columns(transform, 0, point)
        assert point[5] == (late - 1e9) / 2e9


def test_a_shingle_holds_the_last_values_oldest_first() -> None:
    """One value a window and metric: the first is repeated at first, a missing one is the one before."""
    transform, season = fresh(n_metrics=2, shingle_size=4)
    freeze_scale(transform, 0, np.array([[0.0, 0.0], [2.0, 2.0]]))
    point = np.empty(8, np.float32)
    rows = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 4.0]])
    for index, row in enumerate(rows):
        enter(transform, season, row[None], start=index)
        repeat_missing(transform, 0, row)
    write_shingle(transform, 0, point)
    assert point.tolist() == [0, 0, 1, 2, 1, 1, 1, 3]


def test_infinite_values_are_missing_and_huge_ones_are_cut() -> None:
    """So that sums over a window stay finite."""
    row = np.empty(5)
    assert clean(np.array([np.inf, -np.inf, np.nan, 1.7e308, -3.0]), row) == 2
    np.testing.assert_array_equal(row, [np.nan, np.nan, np.nan, 1e300, -3.0])
