"""Values to columns: means, residuals, the frozen scale, and what is done about missing and strange values."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.model.season import MOMENT, allocate_ring, enter, reset_season, rhythm_of, slots_of, turn_to
from detector.model.shingle import allocate_shingle, push_shingle, reset_shingle, write_shingle
from detector.model.state import METRIC
from detector.model.transform import (
    NOVEL,
    clean,
    freeze_scale,
    push,
    reset_columns,
    reset_scale,
    scaled,
    write_columns,
)

INTERVAL_MS = 3_600_000
RHYTHM = rhythm_of(INTERVAL_MS)
ROOM = np.empty(400), np.empty(400)


class Bench:
    """Columns and season of one model, of values an hour apart."""

    def __init__(self, n_metrics: int = 1) -> None:
        self.metric = np.zeros(n_metrics, METRIC)
        self.ring = allocate_ring(1, n_metrics, RHYTHM)
        self.moment = np.zeros(1, MOMENT)[0]
        reset_season(self.ring, 0, self.moment, self.metric)
        for record in self.metric:
            reset_columns(record["transform"])
            reset_scale(record["transform"])

    def freeze(self, rows: NDArray[np.float64]) -> None:
        for index, record in enumerate(self.metric):
            freeze_scale(record["transform"], rows[:, index], len(rows), True, *ROOM)  # noqa: FBT003 - kernels have no keywords

    def enter(self, rows: NDArray[np.float64], start: int = 0) -> list[float]:
        """Push rows an hour apart; return how far out they lay."""
        reaches = []
        for offset, row in enumerate(rows):
            slot = slots_of(RHYTHM, np.array([(start + offset + 1) * INTERVAL_MS]))[0]
            turn_to(self.ring, RHYTHM, 0, self.moment, self.metric, slot)
            found = [0.0]
            for record, value in zip(self.metric, row, strict=True):
                span = record["season"]
                if not np.isnan(value):
                    found.append(push(record["transform"], span["past_low"], span["past_high"], value))
                    enter(span, value)
            reaches.append(max(found))
        return reaches

    def point(self) -> NDArray[np.float32]:
        point = np.full(5 * len(self.metric), np.nan, np.float32)
        for index, record in enumerate(self.metric):
            write_columns(record["transform"], point, 5 * index)
        return point

    @property
    def columns(self) -> NDArray[np.void]:
        columns: NDArray[np.void] = self.metric["transform"]
        return columns


def test_means_are_over_the_last_values_or_those_there_are() -> None:
    """Of 1, 4, 16 and 64 values."""
    bench = Bench()
    values = np.random.default_rng(0).normal(size=(100, 1))
    for end in (1, 3, 10, 40, 100):
        reset_columns(bench.metric[0]["transform"])
        bench.enter(values[:end])
        wanted = [values[max(0, end - span) : end].mean() for span in (1, 4, 16, 64)]
        np.testing.assert_allclose(bench.columns["feature"][0, :4], wanted)


def test_the_residual_is_how_far_outside_yesterdays_range() -> None:
    """Within two hours of the time a day ago; 0 inside, and without data a day ago."""
    bench = Bench()
    day = np.arange(24.0)[:, None]
    bench.enter(day[:22])
    assert bench.columns["residuals"][0].tolist() == [0.0] * 16
    bench.enter(day[22:], start=22)
    bench.enter(np.array([[0.0], [3.0], [10.0], [-1.0], [4.0]]), start=24)
    expected = [0.0, 0.0, 10.0 - 4.0, -1.0 - 1.0, 0.0]
    assert [bench.columns["residuals"][0, (24 + i) % 16] for i in range(5)] == expected
    assert bench.columns["feature"][0, 4] == pytest.approx(bench.columns["residuals"][0].mean())


def test_a_value_is_as_far_out_as_it_is_from_the_farther_end_of_all_before() -> None:
    """In units of their range; the first one is not, and after equal ones any other is infinitely far out."""
    bench = Bench()
    rows = np.array([[5.0], [5.0], [6.0], [5.5], [5.9], [6.04], [4.96], [-95.0]])
    expected = [0.0, 0.0, np.inf, 0.5, 0.9, 1.04, 1.08 / 1.04, 101.04 / 1.08]
    np.testing.assert_allclose(bench.enter(rows), expected)
    high = Bench()
    assert high.enter(np.array([[1e300], [-1e300], [1e300]])) == [0.0, np.inf, 1.0]


def test_a_value_is_novel_beyond_a_twentieth_of_the_range() -> None:
    """Of all values seen; the first one is not, and after equal ones any other is."""
    bench = Bench()
    rows = np.array([[5.0], [5.0], [6.0], [5.5], [6.04], [6.1], [4.96], [4.9], [-90.0]])
    novel = [reach > NOVEL for reach in bench.enter(rows)]
    assert novel == [False, False, True, False, False, True, False, True, True]


def test_every_column_has_its_own_scale() -> None:
    """Median and deviation of the column over the warm-up; the residual goes with the value."""
    bench = Bench()
    values = np.random.default_rng(1).gamma(2, 3, (200, 1))
    bench.freeze(values)
    rolled = [
        np.array([values[max(0, end - span) : end].mean() for end in range(1, 201)])
        for span in (1, 4, 16, 64)
    ]
    np.testing.assert_allclose(bench.columns["center"][0, :4], [np.median(column) for column in rolled])
    np.testing.assert_allclose(bench.columns["spread"][0, :4], [column.std() for column in rolled])
    assert bench.columns["center"][0, 4] == 0
    assert bench.columns["spread"][0, 4] == bench.columns["spread"][0, 0]
    bench.enter(values)
    point = bench.point()
    wanted = (bench.columns["feature"][0] - bench.columns["center"][0]) / bench.columns["spread"][0]
    np.testing.assert_allclose(point, wanted, rtol=1e-6)


def test_after_a_constant_the_first_change_is_the_unit() -> None:
    """Whatever its size: there is nothing else to measure with."""
    for change in (1e-9, 1.0, 1e12):
        bench = Bench()
        bench.freeze(np.full((50, 1), 4.0))
        bench.enter(np.full((50, 1), 4.0))
        point = bench.point()
        assert not point.any()
        bench.enter(np.array([[4.0 + change]]), start=50)
        point = bench.point()
        np.testing.assert_allclose(point[:3], [1, 1 / 4, 1 / 16], rtol=1e-5)


def test_far_values_keep_their_order() -> None:
    """Linear up to 4 deviations, logarithmic beyond, within what the forest can tell apart."""
    sizes = [0.0, 0.5, 3.9, 4.0, 4.1, 100.0, 1e3, 1e6]
    for sign in (1.0, -1.0):
        values = [sign * scaled(sign * size * 2.0, 0.0, 2.0) for size in sizes]
        assert values == sorted(set(values))
        assert values[:4] == sizes[:4]
    assert scaled(1e300, 0.0, 1e-300) == 62.0
    assert scaled(-1e300, 1e300, 5e-324) == -62.0


def test_missing_values_leave_everything_as_it_was() -> None:
    """No ring, no mean, no range moves; a metric without values has zeros."""
    bench = Bench(n_metrics=2)
    bench.freeze(np.array([[1.0, np.nan], [3.0, np.nan]]))
    bench.enter(np.array([[1.0, np.nan], [3.0, np.nan]]))
    before = bench.columns.copy()
    bench.enter(np.array([[np.nan, np.nan]]), start=2)
    assert before.tobytes() == bench.columns.tobytes()
    point = bench.point()
    assert np.isfinite(point).all()
    assert not point[5:].any()
    for start, late in enumerate((1e9, 3e9, 2e9)):
        bench.enter(np.array([[2.0, late]]), start=100 + start)
        point = bench.point()
        assert point[5] == (late - 1e9) / 2e9


def test_a_shingle_holds_the_last_values_oldest_first() -> None:
    """One value a window and metric: the first is repeated at first, a missing one is the one before."""
    bench, shingle = Bench(n_metrics=2), allocate_shingle(1, 2, 4)
    reset_shingle(shingle, 0)
    bench.freeze(np.array([[0.0, 0.0], [2.0, 2.0]]))
    point = np.empty(8, np.float32)
    rows = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 4.0]])
    for index, row in enumerate(rows):
        bench.enter(row[None], start=index)
        for metric, columns in enumerate(bench.columns):
            push_shingle(shingle, 0, metric, columns["last"], columns["pushed"])
            write_shingle(shingle, 0, metric, columns, point)
    assert point.tolist() == [0, 0, 1, 2, 1, 1, 1, 3]


def test_infinite_values_are_missing_and_huge_ones_are_cut() -> None:
    """So that sums over a window stay finite."""
    row = np.empty(5)
    assert clean(np.array([np.inf, -np.inf, np.nan, 1.7e308, -3.0]), row) == 2
    np.testing.assert_array_equal(row, [np.nan, np.nan, np.nan, 1e300, -3.0])
