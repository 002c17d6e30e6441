"""How fine the forest sees a model's normalised values.

The forest works in fixed steps over a fixed range, and its cuts do not depend on a common factor of all columns. A
series that varies by a hundredth after normalisation would fall on a few steps; so all columns are multiplied by a
gain that brings the usual deviation to about one unit. Where a value would leave the range, or the series
turns out far wider or calmer than its beginning, the gain changes, and the forest is filled again with the last 512
steps. The reference keeps 32-bit floats and needs none of this.
"""

import numpy as np

from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.update import reset
from detector.model.trcf.desk import Desk
from detector.model.trcf.models import RECENT, TrcfModels
from detector.model.trcf.query import learn_query

RANGE = 127.0
"""Units on either side of zero that the forest tells apart."""

HEADROOM = 4.0
"""Room left above the largest value when the gain is chosen."""

LEAST_GAIN = 1.27
"""At this gain the largest normalised value, 100, is within the range."""

MOST_GAIN = 2.0**20

FIRST_LOOK = 64
"""The gain is looked at again after 64 steps, and whenever there are twice as many."""

FAR_CALMER = 4.0
"""A series must be so many times calmer than its beginning to be filled in again."""


@inner
def usual_gain(models: TrcfModels, model: int) -> float:
    """Return the gain at which the last steps deviate by about one unit and stay well within the range."""
    recent = models.recent[model]
    count = min(models.course[model]["clock"], RECENT)
    spread, largest = 0.0, 0.0
    for feature in range(recent.shape[1]):
        total = squares = 0.0
        for step in range(count):
            value = np.float64(recent[step, feature])
            total += value
            squares += value * value
            largest = max(largest, abs(value))
        mean = total / max(count, 1)
        spread = max(spread, squares / max(count, 1) - mean * mean)
    if spread <= 0.0:
        return LEAST_GAIN
    wanted = min(1.0 / np.sqrt(spread), RANGE / (HEADROOM * largest))
    return min(max(wanted, LEAST_GAIN), MOST_GAIN)


@inner
def refill(models: TrcfModels, model: int, gain: float, time_decay: float, desk: Desk) -> None:
    """Make the forest anew with this gain from the shingles among the last steps. Modified in place."""
    course = models.course[model]
    course["gain"] = gain
    reset(models.forest, model, course["seed"])
    n_features = models.recent.shape[2]
    shingle_size = desk.query.shape[0] // n_features
    clock = course["clock"]
    for step in range(max(clock - RECENT, 0) + shingle_size - 1, clock):
        if models.recent_taken[model, step % RECENT]:
            for block in range(shingle_size):
                place = (step - shingle_size + 1 + block) % RECENT
                for feature in range(n_features):
                    desk.query[block * n_features + feature] = models.recent[model, place, feature] * gain
            learn_query(models.forest, model, time_decay, desk)


@inner
def is_time_to_look(clock: int) -> bool:
    """Whether the gain is to be looked at again after so many steps."""
    return clock >= FIRST_LOOK and clock & (clock - 1) == 0


@kernel
def look_again(models: TrcfModels, model: int, largest: float, time_decay: float, desk: Desk) -> None:
    """Fill the forest again if its resolution does not fit any more. Modified in place.

    That is when a normalised value of size `largest` (0 = any) is out of the range, or when the last steps are far
    calmer than the gain allows for.
    """
    now, usual = models.course[model]["gain"], usual_gain(models, model)
    if largest * now > RANGE:
        gain = max(min(usual, RANGE / (HEADROOM * largest)), LEAST_GAIN)
    else:
        gain = usual if usual > FAR_CALMER * now else now
    if gain != now:
        refill(models, model, gain, time_decay, desk)
