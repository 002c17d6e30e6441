"""Asks for the memory of a model whose turn comes soon: what its first window needs beside the forest."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.forest.kernels.vector import prefetch_words
from detector.model.routine import NO_PLACE, Shape
from detector.model.season import Record, Rhythm, Ring
from detector.model.state import Models


class Lines(NamedTuple):
    """The memory of the records as words, for asking for it ahead: float64, shape (n_models, words a model)."""

    model: NDArray[np.float64]
    metric: NDArray[np.float64]


def lines_of(models: Models) -> Lines:
    """Return the memory of the records of these models."""
    n_models = len(models.model)
    return Lines(
        *(records.reshape(n_models, -1).view(np.float64) for records in (models.model, models.metric))
    )


@inner
def ask_for_records(lines: Lines, model: int) -> None:
    """Ask for what every point of a model needs beside the forest."""
    for array in lines:
        words = array.shape[1]
        prefetch_words(array, model * words, words)


@inner
def ask_for_shape(shape: Shape, model: int, place: Record) -> None:
    """Ask for the memory of what the shape says around a place."""
    here = place["here"]
    if here == NO_PLACE:
        return
    n_metrics, n_slots = shape.mean.shape[1], shape.mean.shape[2]
    for metric in range(n_metrics):
        first = (model * n_metrics + metric) * n_slots + here
        prefetch_words(shape.mean, first, 1)
        prefetch_words(shape.past, first, 1 + min(place["reach"], n_slots - 1 - here))


@inner
def ask_for_past(ring: Ring, rhythm: Rhythm, model: int, slot: int) -> None:
    """Ask for the memory that `turn_to` will look back at."""
    n_slots = ring.slot_id.shape[1]
    reach = rhythm.score_reach
    first = int((slot - rhythm.lag - reach) % n_slots)
    count = min(2 * reach + 1, n_slots - first)
    start = model * n_slots + first
    prefetch_words(ring.slot_id, start, count)
    prefetch_words(ring.top_score, start, count)
    prefetch_words(ring.top_excess, start, count)
    n_metrics = ring.low.shape[2]
    prefetch_words(ring.low, start * n_metrics, count * n_metrics)
    prefetch_words(ring.high, start * n_metrics, count * n_metrics)
