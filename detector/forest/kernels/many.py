"""Sequences of points, each for any model, with the memory of the next models on its way."""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.attribute import attribute
from detector.forest.kernels.impute import forecast, impute
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.prepare import NO_SLOT, Ahead, prepare_query
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.kernels.update import learn_paths, score_paths, update_with
from detector.forest.state import ForestState


@inner
def ahead_of(slots: NDArray[np.int64], index: int, later: Scratch) -> Ahead:
    """Say what to ask for while the point at `index` is worked on; the next one's paths are in `later`.

    Nothing of the model at work: it is there.
    """
    is_other = index + 1 < slots.shape[0] and slots[index + 1] != slots[index]
    points_of = slots[index + 1] if is_other else NO_SLOT
    is_another = index + 2 < slots.shape[0] and slots[index + 2] != slots[index]
    records_of = slots[index + 2] if is_another else NO_SLOT
    return Ahead(points_of, later, records_of)


@inner
def learn_all(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    time_decay: float,
    out: NDArray[np.float64],
    now: Scratch,
    later: Scratch,
) -> None:
    """Run `score_and_update_many` with two scratches: of the point at work and of the next. Modified in place."""
    n_points = slots.shape[0]
    prepare_query(state, slots[0], points[0], now)
    for index in range(n_points):
        following = index + 1
        is_other = following < n_points and slots[following] != slots[index]
        if is_other:
            prepare_query(state, slots[following], points[following], later)
        out[index] = learn_paths(state, slots[index], now, time_decay, ahead_of(slots, index, later))
        # A model's next point goes down the trees as its last one left them.
        if following < n_points and not is_other:
            prepare_query(state, slots[following], points[following], later)
        now, later = later, now


@kernel
def score_and_update_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    time_decay: float,
    out: NDArray[np.float64],
) -> None:
    """Score and learn points in order: the scores and models that `score_and_update` gives one by one.

    Parameters
    ----------
    slots
        Model of each point, int64, shape (n_points,), contiguous. Keep a model's points together.
    points
        Float32, shape (n_points, n_columns), finite, contiguous.
    time_decay
        As in `score_and_update`.
    out
        Scores, float64, shape (n_points,). Written here.
    """
    if slots.shape[0] == 0:
        return
    learn_all(state, slots, points, time_decay, out, make_scratch(state), make_scratch(state))


@inner
def score_all(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    out: NDArray[np.float64],
    now: Scratch,
    later: Scratch,
) -> None:
    """Run `score_many` with two scratches: of the point at work and of the next. Modified in place."""
    prepare_query(state, slots[0], points[0], now)
    for index in range(slots.shape[0]):
        following = index + 1
        if following < slots.shape[0]:
            prepare_query(state, slots[following], points[following], later)
        out[index] = score_paths(state, slots[index], now, ahead_of(slots, index, later))
        now, later = later, now


@kernel
def score_many(
    state: ForestState, slots: NDArray[np.int64], points: NDArray[np.float32], out: NDArray[np.float64]
) -> None:
    """Score points as `score` does one by one; arrays as in `score_and_update_many`."""
    if slots.shape[0] == 0:
        return
    score_all(state, slots, points, out, make_scratch(state), make_scratch(state))


@kernel
def update_many(
    state: ForestState, slots: NDArray[np.int64], points: NDArray[np.float32], time_decay: float
) -> None:
    """Learn points in order as `update` does one by one; arrays as in `score_and_update_many`."""
    scratch = make_scratch(state)
    for index in range(slots.shape[0]):
        update_with(state, slots[index], points[index], time_decay, scratch)


@kernel
def attribute_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> None:
    """Attribute points as `attribute` does; `high` and `low` are float64, shape (n_points, n_columns)."""
    for index in range(slots.shape[0]):
        attribute(state, slots[index], points[index], high[index], low[index])


@kernel
def impute_many(
    state: ForestState,
    slots: NDArray[np.int64],
    points: NDArray[np.float32],
    missing: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Impute points as `impute` does; `missing` and `out` have the shape of `points`."""
    for index in range(slots.shape[0]):
        impute(state, slots[index], points[index], missing[index], out[index])


@kernel
def forecast_many(
    state: ForestState,
    slots: NDArray[np.int64],
    shingles: NDArray[np.float32],
    n_features: int,
    expected: NDArray[np.float32],
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
) -> None:
    """Forecast as `forecast` does; the results have shape (n_points, n_steps, n_features)."""
    for index in range(slots.shape[0]):
        forecast(
            state, slots[index], shingles[index], n_features, expected[index], lower[index], upper[index]
        )
