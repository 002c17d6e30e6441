"""The forest's input as in the anomaly-detection plugin: the last values of each metric, a place for every window."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.season import Record
from detector.model.transform import VALUE, complete_scale, scaled


class Shingle(NamedTuple):
    """Rings of values; the leading axis is the model. Where the forest sees other columns they are one place long.

    Attributes
    ----------
    values
        Float64, shape (n_models, n_metrics, shingle size).
    pushed
        Values entered so far, int64, shape (n_models, n_metrics).
    """

    values: NDArray[np.float64]
    pushed: NDArray[np.int64]


def allocate_shingle(n_models: int, n_metrics: int, shingle_size: int) -> Shingle:
    """Return rings for `n_models` models; a model is usable after `reset_shingle`."""
    return Shingle(
        values=np.zeros((n_models, n_metrics, max(1, shingle_size))),
        pushed=np.zeros((n_models, n_metrics), np.int64),
    )


@inner
def reset_shingle(shingle: Shingle, model: int) -> None:
    """Forget the values of a model."""
    shingle.values[model] = 0.0
    shingle.pushed[model] = 0


@inner
def push_shingle(shingle: Shingle, model: int, metric: int, last: float, pushed: int) -> None:
    """Enter the last known value of a metric, also for a missing one; `pushed` counts its known values so far."""
    if pushed > 0:
        count = shingle.pushed[model, metric]
        shingle.values[model, metric, count % shingle.values.shape[2]] = last
        shingle.pushed[model, metric] = count + 1


@inner
def write_shingle(
    shingle: Shingle, model: int, metric: int, columns: Record, point: NDArray[np.float32]
) -> None:
    """Write the last values of a metric, scaled, oldest first; at first the oldest is repeated."""
    size = shingle.values.shape[2]
    start, count = metric * size, shingle.pushed[model, metric]
    if count == 0:
        for place in range(size):
            point[start + place] = 0.0
        return
    complete_scale(columns["last"], columns["center"], columns["spread"])
    for place in range(size):
        back = min(size - 1 - place, count - 1)
        value = shingle.values[model, metric, (count - 1 - back) % size]
        point[start + place] = scaled(value, columns["center"][VALUE], columns["spread"][VALUE])
