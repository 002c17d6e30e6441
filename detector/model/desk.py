"""Working memory of one row on its way from values to a verdict. Two rows are on their way at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import kernel
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.model.expected import N_PREDICTORS
from detector.model.state import Models


class Desk(NamedTuple):
    """Working memory of one row.

    Attributes
    ----------
    row
        Cleaned values of the row at hand, float64, shape (n_metrics,).
    panel
        What the predictors say, float64, shape (6,).
    reach
        How far out one of the values lies at most (see `transform.push`), float64, shape (1,).
    excess, rarity
        How far values fall outside their bands, 0 inside them, and how rarely by so much, float64, shape (1,).
    times, usual, kind
        How many times its record each metric departs from its routine, what the routine says, float64, and what
        departed, uint8, shape (n_metrics,).
    point
        The forest's input, float32, shape (n_columns,).
    columns
        For attribution, float64, shape (4, n_columns).
    known, means
        Values and means of the rows that waited, float64, shape (most rows,).
    scratch
        The forest's own.
    """

    row: NDArray[np.float64]
    panel: NDArray[np.float64]
    reach: NDArray[np.float64]
    excess: NDArray[np.float64]
    rarity: NDArray[np.float64]
    times: NDArray[np.float64]
    usual: NDArray[np.float64]
    kind: NDArray[np.uint8]
    point: NDArray[np.float32]
    columns: NDArray[np.float64]
    known: NDArray[np.float64]
    means: NDArray[np.float64]
    scratch: Scratch


@kernel
def make_desk(models: Models) -> Desk:
    """Return working memory for these models."""
    n_waiting = models.waiting.times_ms.shape[1]
    n_metrics, n_columns = models.metric.shape[1], models.forest.points.shape[3]
    return Desk(
        np.empty(n_metrics),
        np.empty(N_PREDICTORS),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.zeros(n_metrics),
        np.zeros(n_metrics),
        np.zeros(n_metrics, np.uint8),
        np.empty(n_columns, np.float32),
        np.empty((4, n_columns)),
        np.empty(n_waiting),
        np.empty(n_waiting),
        make_scratch(models.forest),
    )
