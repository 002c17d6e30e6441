"""Parts of the default model that the benchmark can turn off, to see what each is worth. No detector reaches them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.transform import N_COLUMNS, RESIDUAL_MEAN, SHORT_MEAN


class Parts(NamedTuple):
    """What a model is made of.

    Attributes
    ----------
    has_means
        Whether the forest sees the three means of a metric.
    has_residual
        Whether it sees the mean of the seasonal residuals.
    has_week
        Whether residuals are measured from a week ago as well where that says more than yesterday.
    freezes_again
        Whether the scale is frozen once more after 192 to 319 windows, and everything replayed; else that of the
        first 40 windows stays.
    straightens
        Whether the long side of metrics whose noise is skewed is made to grow as a logarithm.
    """

    has_means: bool = True
    has_residual: bool = True
    has_week: bool = True
    freezes_again: bool = True
    straightens: bool = True


ALL_PARTS = Parts()


@inner
def mute(parts: Parts, point: NDArray[np.float32], start: int) -> None:
    """Write 0 into the columns of a metric that are turned off: a column that never changes is never cut."""
    if not parts.has_means:
        for column in range(SHORT_MEAN, RESIDUAL_MEAN):
            point[start + column] = 0.0
    if not parts.has_residual:
        for column in range(RESIDUAL_MEAN, N_COLUMNS):
            point[start + column] = 0.0
