"""Which metrics are taken for skewed, and what becomes of their values."""

import naive_model
import numpy as np
import pytest
from numpy.typing import NDArray

from detector.model.skew import SKEW, bent, measure_skew, straightened

N_VALUES = 256


def skew_of(values: NDArray[np.float64]) -> NDArray[np.void]:
    """Return what is found in the values of a warm-up."""
    skew = np.zeros(1, SKEW)[0]
    measure_skew(skew, values, len(values), np.empty(len(values)))
    return skew


def draw(kind: str, random: np.random.Generator) -> NDArray[np.float64]:
    """Return values of a warm-up of one kind."""
    day = np.sin(2 * np.pi * np.arange(N_VALUES) / 288)
    bursts = np.repeat(random.random(N_VALUES // 16) < 0.25, 16)
    return {
        "normal": lambda: 100 + 5 * random.normal(size=N_VALUES),
        "normal, daily": lambda: 100 + 5 * random.normal(size=N_VALUES) + 15 * day,
        "counts": lambda: random.poisson(5, N_VALUES).astype(float),
        "rare counts": lambda: random.poisson(0.1, N_VALUES).astype(float),
        "idle and bursts": lambda: 2 + 0.1 * random.normal(size=N_VALUES) + 40 * bursts,
        "a job of an hour": lambda: (
            100 + random.normal(size=N_VALUES) + 80 * (np.arange(N_VALUES) // 12 == 7)
        ),
        "constant": lambda: np.full(N_VALUES, 3.0),
        "log-normal": lambda: np.exp(random.normal(size=N_VALUES)),
        "log-normal, daily": lambda: np.exp(random.normal(size=N_VALUES) + day),
        "falling far": lambda: 100 - np.exp(random.normal(size=N_VALUES)),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("normal", 0.0, 0.0),
        ("normal, daily", 0.0, 0.0),
        ("counts", 0.0, 0.0),
        ("rare counts", 0.0, 0.0),
        ("idle and bursts", 0.0, 0.05),
        ("a job of an hour", 0.0, 0.0),
        ("constant", 0.0, 0.0),
        ("log-normal", 0.9, 1.0),
        ("log-normal, daily", 0.85, 1.0),
        ("falling far", 0.9, 1.0),
    ],
)
def test_noise_with_one_long_tail_is_skewed_and_nothing_else(kind: str, least: float, most: float) -> None:
    """Of forty entities; neither the shape of a day, nor counts, nor states that come and go are a tail."""
    random = np.random.default_rng(1)
    found = [skew_of(draw(kind, random))["unit"] for _ in range(40)]
    assert least <= np.mean(np.array(found) != 0) <= most
    if least:
        assert np.sign(np.median(found)) == (-1 if kind == "falling far" else 1)


@pytest.mark.parametrize("kind", ["log-normal", "falling far", "idle and bursts", "counts"])
def test_the_twin_finds_the_same(kind: str) -> None:
    """And straightens alike."""
    random = np.random.default_rng(2)
    for _ in range(10):
        values = draw(kind, random)
        skew, twin = skew_of(values), naive_model.Skew.of(values.tolist())
        assert (skew["middle"], skew["unit"]) == pytest.approx((twin.middle, twin.unit))
        said = [straightened(skew, value) for value in values.tolist()]
        np.testing.assert_allclose(said, [twin.straight(value) for value in values.tolist()])


def test_straightened_log_normal_noise_is_about_symmetric() -> None:
    """What was ten times as far above as below is at most twice; order and the short side stay."""
    values = np.sort(np.exp(np.random.default_rng(3).normal(size=1000)))
    skew = skew_of(values[np.random.default_rng(4).permutation(1000)])
    said = np.array([straightened(skew, value) for value in values.tolist()])
    assert (np.diff(said) > 0).all()
    middle = skew["middle"]
    np.testing.assert_array_equal(said[values <= middle], values[values <= middle])
    above, below = np.quantile(said, 0.99) - middle, middle - np.quantile(said, 0.01)
    assert np.quantile(values, 0.99) - middle > 9 * (middle - np.quantile(values, 0.01))
    assert above < 3 * below


@pytest.mark.parametrize("unit", [0.0, 0.5, -2.0])
def test_bent_is_the_way_back(unit: float) -> None:
    """On both sides."""
    skew = np.zeros(1, SKEW)[0]
    skew["middle"], skew["unit"] = 3.0, unit
    values = np.array([-1e6, -1.0, 3.0, 3.1, 80.0])
    there_and_back = [bent(skew, straightened(skew, value)) for value in values.tolist()]
    np.testing.assert_allclose(there_and_back, values, rtol=1e-9)


def test_a_few_values_say_nothing() -> None:
    """The scale of the first forty windows is taken of values as they are."""
    assert skew_of(np.exp(np.random.default_rng(5).normal(size=100)))["unit"] == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [5e-324, 1e-300, 1.0, 1e300, -1.0, -5e-324])
def test_extreme_values_stay_numbers_in_order(unit: float) -> None:
    """On both sides, whatever the unit."""
    skew = np.zeros(1, SKEW)[0]
    skew["middle"], skew["unit"] = 2.0, unit
    values = [-1e300, -1.0, 0.0, 2.0, 2.5, 1e9, 1e300]
    said = [straightened(skew, value) for value in values]
    assert np.isfinite(said).all()
    assert said == sorted(said)
    assert np.isfinite([bent(skew, value) for value in said]).all()
