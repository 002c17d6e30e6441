"""What departs from the routine of a metric, by the numbers of its twin and in plain cases."""

import math

import naive_model
import numpy as np
import pytest

from detector.model.routine import (
    AS_USUAL,
    AT_ONCE,
    LASTING_ABOVE,
    LASTING_BELOW,
    ROUTINE,
    Departure,
    Shape,
    allocate_shape,
    departure_of,
    places_of,
    reset_routine,
)
from detector.model.season import DAY_MS, into_slots, rhythm_of, slots_of

INTERVAL_MS = 900_000
DAY = DAY_MS // INTERVAL_MS
RHYTHM = rhythm_of(INTERVAL_MS)


def said(values: np.ndarray, interval_ms: int = INTERVAL_MS) -> list[Departure]:
    """Return what is said of each value of a metric."""
    rhythm = rhythm_of(interval_ms)
    shape: Shape = allocate_shape(1, 1, rhythm)
    routine = np.zeros(1, ROUTINE)[0]
    reset_routine(shape, 0, 0, routine)
    times = 1_400_000_000_000 + interval_ms * np.arange(len(values))
    slots, into_ms = slots_of(rhythm, times), into_slots(rhythm, times)
    places = places_of(rhythm, interval_ms, slots, into_ms)
    return [
        departure_of(shape, 0, 0, routine, place, value)
        for place, value in zip(places, values.tolist(), strict=True)
    ]


def departures(values: np.ndarray, interval_ms: int = INTERVAL_MS) -> np.ndarray:
    """Return how many times the record each value of a metric departs."""
    return np.array([departure.times for departure in said(values, interval_ms)])


def days(n_days: int, noise: float = 5.0, seed: int = 1) -> np.ndarray:
    """Return quarters of an hour of a daily rhythm with a job of an hour."""
    window = np.arange(n_days * DAY)
    values = (
        100
        + 50 * np.sin(2 * np.pi * window / DAY)
        + noise * np.random.default_rng(seed).normal(size=len(window))
    )
    values[window % DAY // 4 == 5] += 80
    return values


@pytest.mark.parametrize("interval_ms", [INTERVAL_MS, 7_200_000, DAY_MS])
@pytest.mark.parametrize("seed", range(3))
def test_departures_are_those_of_the_twin(interval_ms: int, seed: int) -> None:
    """Jumps, outliers and heavy tails; a day of windows, and a week of days."""
    rng = np.random.default_rng(seed)
    windows = np.arange(1500)
    values = 10 * np.sin(2 * np.pi * windows * interval_ms / DAY_MS) + rng.standard_t(3, 1500)
    values[rng.integers(800, 1400, 4)] *= 40
    values[1200:] += 15
    twin = naive_model.Routine(naive_model.Season(interval_ms))
    wanted = [
        twin.departure(1_400_000_000_000 + interval_ms * window, value)
        for window, value in enumerate(values.tolist())
    ]
    np.testing.assert_allclose(departures(values, interval_ms), wanted, rtol=1e-7, atol=1e-9)


def test_a_job_that_does_not_come_departs() -> None:
    """Though its values are ordinary ones of the day; the same days with the job break no record."""
    calm, missed = days(14), days(14)
    job = slice(12 * DAY + 20, 12 * DAY + 24)
    missed[job] -= 80
    assert departures(missed)[job].max() > 2
    assert departures(calm).max() < 1.2


def test_a_job_that_is_early_or_late_departs_from_nothing() -> None:
    """A slot to either side, every day; when it does not come at all it does, though its edges have moved all along."""
    random = np.random.default_rng(2)
    usual = days(16)
    usual[np.arange(len(usual)) % DAY // 4 == 5] -= 80
    for day in range(16):
        start = day * DAY + 20 + int(random.integers(-1, 2))
        usual[start : start + 4] += 80
        if day == 13:
            job = slice(start, start + 4)
    assert departures(usual).max() < 1.2
    usual[job] -= 80
    assert departures(usual)[job].max() > 1.2


@pytest.mark.parametrize("kind", ["normal", "standard_cauchy", "walk"])
def test_noise_of_any_kind_breaks_records_rarely(kind: str) -> None:
    """In a fortnight after the first week, few of fifteen entities have a departure of half again the record."""
    rng = np.random.default_rng(3)
    shape = (15, 21 * DAY)
    values = np.cumsum(rng.normal(size=shape), axis=1) if kind == "walk" else getattr(rng, kind)(size=shape)
    broken = [departures(one).max() > 1.5 for one in values]
    assert np.mean(broken) <= (0.6 if kind == "standard_cauchy" else 0.1)


def test_it_says_what_departed_from_what() -> None:
    """A job that does not come at once, with the value that its time has; a shift that stays, to its side."""
    values = days(14)
    values[12 * DAY + 20 : 12 * DAY + 24] -= 80
    at_once = said(values)[12 * DAY + 21]
    assert at_once.kind == AT_ONCE
    assert at_once.usual == pytest.approx(days(14, noise=0.0)[12 * DAY + 21], abs=15)
    for sign, kind in ((1, LASTING_ABOVE), (-1, LASTING_BELOW)):
        values = days(14)
        values[12 * DAY :] += sign * 12
        kinds = {one.kind for one in said(values)[12 * DAY : 12 * DAY + 24]}
        assert kind in kinds
        assert kinds <= {AS_USUAL, AT_ONCE, kind}
    assert {one.kind for one in said(days(14, noise=0.0)[:DAY])} == {AS_USUAL}


def test_an_anomaly_hides_neither_the_next_one_nor_itself_a_day_later() -> None:
    """Two dips on days of their own both depart, and the time of the first is ordinary the next day."""
    values = days(14)
    for day in (9, 11):
        values[day * DAY + 40 : day * DAY + 50] -= 90
    found = departures(values).reshape(14, DAY)
    assert found[9].max() > 2
    assert found[11].max() > 0.8 * found[9].max()
    assert found[10].max() < 1.2
    assert found[12].max() < 1.2


def test_a_shift_that_stays_becomes_routine() -> None:
    """It departs at once, and no longer a day later."""
    values = days(14)
    values[10 * DAY :] += 60
    found = departures(values)
    assert found[10 * DAY : 10 * DAY + 4].max() > 1.5
    assert found[11 * DAY :].max() < 1.2


@pytest.mark.parametrize("interval_ms", [300_000, 1_800_000])
def test_what_went_silent_for_good_is_no_news_a_week_later(interval_ms: int) -> None:
    """Its days have no shape any more; on the first it departs, from the eighth on never."""
    times = interval_ms * np.arange(30 * DAY_MS // interval_ms)
    values = 100 + 50 * np.sin(2 * np.pi * times / DAY_MS) + np.random.default_rng(1).normal(size=len(times))
    values[times >= 20 * DAY_MS] = 0.0
    found = departures(values, interval_ms).reshape(30, -1).max(axis=1)
    assert found[20] > 2
    assert found[28:].max() < 1.2


def test_what_keeps_happening_becomes_ordinary() -> None:
    """A spike at another time each second day departs at first; in the end the record has grown to it."""
    values = days(200, noise=1.0)
    values[np.arange(20, 200, 2) * DAY + np.random.default_rng(1).integers(0, DAY, 90)] += 100
    found = departures(values).reshape(200, DAY).max(axis=1)
    assert found[20] > 2
    assert found[180:].max() < 1.2


def test_a_metric_without_noise_is_as_exact_as_its_arithmetic() -> None:
    """The same day again and again, and a constant, break no record; nor does what comes first after them."""
    same = np.tile(100 + 50 * np.sin(2 * np.pi * np.arange(DAY) / DAY), 14)
    assert departures(same).max() < 1.2
    constant = np.full(14 * DAY, 7.0)
    constant[12 * DAY] = 8.0
    assert departures(constant).max() < 1.2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-300, 1e100, 1e300])
def test_extreme_values_leave_numbers(size: float) -> None:
    """Alternating in sign, and once in calm days."""
    alternating = np.where(np.arange(9 * DAY) % 2 == 0, size, -size)
    once = days(9)
    once[850] = size
    for values in (alternating, once):
        assert np.isfinite(departures(values)).all()
        assert not math.isnan(departures(values).max())
