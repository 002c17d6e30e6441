"""How far values fall outside their bands, and how rare that is for an entity."""

import math

import naive_model
import numpy as np
import pytest

from detector.model.expected import Forecast
from detector.model.surprise import MOST_EXCESS, SURPRISE, excess_of, rarity_of, reset_surprise

BAND = Forecast(10.0, 8.0, 14.0, 1)


@pytest.mark.parametrize(
    ("value", "times"), [(10.0, 1), (14.0, 1), (8.0, 1), (18.0, 2), (2.0, 4), (1e300, 1e9), (-1e300, 1e9)]
)
def test_the_excess_counts_in_reaches_of_the_side_on_which_a_value_falls(value: float, times: float) -> None:
    """In logarithms; nothing inside, and no more than twentyfold."""
    assert excess_of(BAND, value) == pytest.approx(min(math.log(times), MOST_EXCESS))
    assert excess_of(BAND, value) == pytest.approx(naive_model.excess(tuple(BAND[:3]), value))


def test_a_band_without_width_and_one_that_is_not_known_yet_have_an_excess() -> None:
    """The most there is, and none."""
    flat = Forecast(5.0, 5.0, 5.0, 1)
    assert excess_of(flat, 5.0) == 0
    assert excess_of(flat, 5.0 + 1e-9) == MOST_EXCESS
    assert excess_of(Forecast(math.nan, math.nan, math.nan, 0), 5.0) == 0


def rarities(excesses: np.ndarray) -> np.ndarray:
    """Return the rarity of one excess after the other, with a quiet window behind each."""
    surprise = np.zeros(1, SURPRISE)[0]
    reset_surprise(surprise)
    found = []
    for excess in excesses:
        found.append(rarity_of(surprise, excess))
        rarity_of(surprise, 0.0)
    return np.array(found)


@pytest.mark.parametrize("tail", [0.1, 0.35, 1.0])
def test_one_excess_of_e_to_the_rarity_is_rarer_whatever_the_tail(tail: float) -> None:
    """Exponential excesses of any mean: of 20,000, a share of exp(-3) has a rarity beyond 3."""
    found = rarities(np.random.default_rng(1).exponential(tail, 20_000))[200:]
    assert np.mean(found > 3) == pytest.approx(math.exp(-3), rel=0.15)


def test_a_run_of_windows_counts_once_and_an_anomaly_does_not_hide_the_next() -> None:
    """A hundred windows outside are one peak, and it counts six times the mean at most."""
    surprise = np.zeros(1, SURPRISE)[0]
    reset_surprise(surprise)
    for _ in range(100):
        assert rarity_of(surprise, 3.0) == pytest.approx(3.0 / 0.2)
    rarity_of(surprise, 0.0)
    assert surprise["n_peaks"] == 9
    assert surprise["usual"] == pytest.approx(0.2 + (6 * 0.2 - 0.2) / 9)
