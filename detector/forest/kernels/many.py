"""A sequence of points, each for a model of its own choice, with the memory of the next models on its way."""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.prepare import NO_SLOT, ask_for_points, prepare_query
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.kernels.update import learn_paths
from detector.forest.state import ForestState


@inner
def slot_ahead(slots: NDArray[np.int64], index: int) -> int:
    """Slot to ask for while the point at `index` is worked on: that of the next but one."""
    return slots[index + 2] if index + 2 < slots.shape[0] else NO_SLOT


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
            ask_for_points(state, slots[following], later)
        out[index] = learn_paths(state, slots[index], now, time_decay, slot_ahead(slots, index))
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
