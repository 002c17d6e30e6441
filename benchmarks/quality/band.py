"""How many normal values lie within their band."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.rows import Row, row
from detector.model.verdicts import ScoredBlock

SCORED = 2
"""Status of a row that was scored: its band counts."""


class Coverage(NamedTuple):
    """Values within their band, of how many."""

    inside: int
    of: int

    @classmethod
    def total(cls, parts: Iterable["Coverage"]) -> "Coverage":
        """Add up."""
        inside, of = zip(*parts, strict=True)
        return cls(sum(inside), sum(of))

    @property
    def percent(self) -> float:
        """Share in percent."""
        return 100.0 * self.inside / self.of


def coverage_of(scored: ScoredBlock, values: NDArray[np.float64], normal: NDArray[np.bool_]) -> Coverage:
    """Count the values, shape (n_windows, n_models, n_features), of scored normal rows, (n_windows, n_models)."""
    counted = (normal & (scored.status == SCORED))[:, :, None] & np.isfinite(values)
    inside = (values >= scored.lower) & (values <= scored.upper)
    return Coverage(int((inside & counted).sum()), int(counted.sum()))


def coverage_row(case: str, seeds: Sequence[Coverage]) -> Row:
    """Return the row of one case, a value a seed."""
    return row(case, "coverage", "%", [seed.percent for seed in seeds])
