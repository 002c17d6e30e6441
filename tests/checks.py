"""What must hold for any fleet and any stream, as functions: the tests call them with what they have.

A stream is window ends, int64, shape (n_windows,), and values, float64, shape (n_windows, n_models, n_features).
"""

import numpy as np
from numpy.typing import NDArray

from detector.model.fleet import Fleet, ModelSettings
from detector.model.profile import open_fleet
from detector.model.verdicts import ScoredBlock

Times = NDArray[np.int64]
Values = NDArray[np.float64]


def fleet_of(settings: ModelSettings, seeds: NDArray[np.uint64]) -> Fleet:
    fleet = open_fleet(settings)
    fleet.add(seeds)
    return fleet


def seeds_for(values: Values) -> NDArray[np.uint64]:
    return np.arange(values.shape[1], dtype=np.uint64) * np.uint64(2**57) + np.uint64(11)


def observe(
    fleet: Fleet, times: Times, values: Values, present: NDArray[np.bool_] | None = None
) -> ScoredBlock:
    """Let all the fleet's models see a stream; a row is there unless `present` says otherwise."""
    there = np.ones(values.shape[:2], np.bool_) if present is None else present
    return fleet.observe(np.arange(values.shape[1]), times, values, there)


def check_equal(one: ScoredBlock, other: ScoredBlock) -> None:
    """Two blocks are equal bit for bit."""
    for name, left, right in zip(one._fields, one, other, strict=True):
        assert left.tobytes() == right.tobytes(), f"{name} differs"


def check_repeatable(settings: ModelSettings, times: Times, values: Values) -> None:
    """Check that the same seed gives the same results, and another seed others."""
    seeds = seeds_for(values)
    first = observe(fleet_of(settings, seeds), times, values)
    check_equal(first, observe(fleet_of(settings, seeds), times, values))
    other = observe(fleet_of(settings, seeds + np.uint64(1)), times, values)
    assert not np.array_equal(first.score, other.score, equal_nan=True)


def check_blocks_do_not_matter(settings: ModelSettings, times: Times, values: Values, cut: int) -> None:
    """All windows at once, in pieces of `cut`, or a model at a time in another order: the results are the same."""
    seeds = seeds_for(values)
    whole = observe(fleet_of(settings, seeds), times, values)
    pieces = fleet_of(settings, seeds)
    parts = [observe(pieces, times[a : a + cut], values[a : a + cut]) for a in range(0, len(times), cut)]
    check_equal(whole, ScoredBlock(*(np.concatenate(column) for column in zip(*parts, strict=True))))
    alone = fleet_of(settings, seeds)
    order = np.arange(values.shape[1])[::-1]
    for model in order:
        slots = np.array([model])
        one = alone.observe(
            slots, times, np.ascontiguousarray(values[:, slots]), np.ones((len(times), 1), np.bool_)
        )
        check_equal(one, ScoredBlock(*(column[:, slots] for column in whole)))
    together = fleet_of(settings, seeds)
    permuted = together.observe(
        order, times, np.ascontiguousarray(values[:, order]), np.ones(values.shape[:2], np.bool_)
    )
    check_equal(permuted, ScoredBlock(*(np.ascontiguousarray(column[:, order]) for column in whole)))


def check_causal(settings: ModelSettings, times: Times, values: Values, end: int) -> None:
    """Check that what comes later does not change what was said before."""
    seeds = seeds_for(values)
    whole = observe(fleet_of(settings, seeds), times, values)
    beginning = observe(fleet_of(settings, seeds), times[:end], values[:end])
    check_equal(beginning, ScoredBlock(*(column[:end] for column in whole)))


def check_save_and_load(settings: ModelSettings, times: Times, values: Values, cut: int) -> None:
    """Models that were saved and loaded into another fleet, at other slots, go on as if never stopped."""
    seeds = seeds_for(values)
    original = fleet_of(settings, seeds)
    observe(original, times[:cut], values[:cut])
    arrays = original.save(0, original.n_models)
    copy = fleet_of(settings, np.concatenate([seeds[:1], seeds]) + np.uint64(99))
    copy.load(1, arrays)
    rest = observe(original, times[cut:], values[cut:])
    slots = np.arange(1, copy.n_models)
    again = copy.observe(slots, times[cut:], values[cut:], np.ones(values[cut:].shape[:2], np.bool_))
    check_equal(rest, again)


def check_sane(scored: ScoredBlock, values: Values) -> None:
    """No scored row has a hole, and every number lies where it is promised to lie."""
    done = scored.status == 2
    for column in (scored.score, scored.grade, scored.confidence, scored.threshold):
        assert np.isfinite(column[done]).all()
        assert np.isnan(column[~done]).all()
    assert (scored.grade[done] >= 0).all()
    assert (scored.grade[done] < 1 + 1e-12).all()
    assert ((scored.confidence[done] >= 0) & (scored.confidence[done] <= 1)).all()
    alarm = done & (np.nan_to_num(scored.grade) > 0)
    assert (scored.score[alarm] >= scored.threshold[alarm]).all()
    np.testing.assert_allclose(scored.contribution[alarm].sum(axis=-1), 1.0)
    assert np.isnan(scored.contribution[~alarm]).all()
    seen = np.maximum.accumulate(np.isfinite(values), axis=0)[:-1]
    assert np.isfinite(scored.expected[1:][seen]).all()
    assert (scored.lower[1:][seen] <= scored.expected[1:][seen]).all()
    assert (scored.expected[1:][seen] <= scored.upper[1:][seen]).all()
