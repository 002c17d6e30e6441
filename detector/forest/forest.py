"""Random Cut Forest for users: many models behind one object, arguments checked once, work done in kernels.

Knows numbers only: no configuration, no time zones, no cluster. The service's own walk over entities calls the
kernels directly.
"""

import zlib
from io import BytesIO
from typing import Any, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.forest.kernels.many import (
    attribute_many,
    forecast_many,
    impute_many,
    score_and_update_many,
    score_many,
    update_many,
)
from detector.forest.kernels.update import reset
from detector.forest.state import ForestShape, ForestState, allocate, arrays_of, shape_of

VERSION = 2
"""Version of the layout that `save` writes: of the arrays of `ForestState` and what they mean."""

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


class Attribution(NamedTuple):
    """Parts of a score, float64, shape (n_points, n_columns) each; together they sum to the score.

    Attributes
    ----------
    high
        Part because the column is above what is usual.
    low
        Part because it is below.
    """

    high: Floats
    low: Floats


class Forecast(NamedTuple):
    """Continuation of shingles, float32, shape (n_points, n_steps, n_features) each.

    Attributes
    ----------
    expected
        Median over trees.
    lower, upper
        Order statistics over trees at 10 % and 90 %.
    """

    expected: Singles
    lower: Singles
    upper: Singles


class RandomCutForest:
    """Streaming anomaly scores for many independent models of one shape.

    A score is 0 before a model's first point, about 0.7 to 0.9 for ordinary points, and at most
    log2(sample_size + 1); above 1 deserves a look. It works for points whose columns have comparable units, about a
    standard deviation each: columns count equally, and a column that varies a thousand times more than the others
    takes nearly all cuts. Values are resolved to 1/256 of the unit and saturate at 128 units; with codes of one byte
    to 1/32 near zero, to a sixteenth of their size further out, and saturate at 62. It fails on
    streams whose scale grows without bound, and sees a periodic pattern only if the columns carry it
    (a shingle, or residuals).

    Parameters
    ----------
    shape
        Columns, trees and samples of each model.
    n_models
        Number of models; they are addressed by slots 0 to n_models - 1.
    seeds
        One seed a model, integers of 0 to 2**64 - 1, shape (n_models,). The same seed and points give the same
        scores, whatever else the object holds.
    time_decay
        Rate per point at which old points lose weight, 0 to 1; 1 / (10 * sample_size) by default.

    Raises
    ------
    ValueError
        If an argument is outside its limits or has the wrong shape.
    """

    def __init__(
        self, shape: ForestShape, n_models: int, seeds: ArrayLike, time_decay: float | None = None
    ) -> None:
        if n_models < 1:
            msg = f"`n_models` must be at least 1, got {n_models}"
            raise ValueError(msg)
        self.time_decay = 0.1 / shape.sample_size if time_decay is None else float(time_decay)
        if not 0.0 <= self.time_decay <= 1.0:
            msg = f"`time_decay` must be in 0..1, got {time_decay}"
            raise ValueError(msg)
        self._state = allocate(shape, n_models)
        words = np.asarray(seeds, dtype=np.uint64)
        if words.shape != (n_models,):
            msg = f"`seeds` must have shape {(n_models,)}, one a model, got {words.shape}"
            raise ValueError(msg)
        for slot, seed in enumerate(words):
            reset(self._state, slot, seed)

    @property
    def shape(self) -> ForestShape:
        """Columns, trees and samples of each model."""
        return shape_of(self._state)

    @property
    def n_models(self) -> int:
        """Number of models."""
        return len(self._state.seen)

    @property
    def seen(self) -> NDArray[np.int64]:
        """Points each model has learned, int64, shape (n_models,)."""
        return self._state.seen.copy()

    def score(self, slots: ArrayLike, points: ArrayLike) -> Floats:
        """Score points without learning them.

        Parameters
        ----------
        slots
            Model of each point, integers, shape (n_points,).
        points
            Numbers, shape (n_points, n_columns), finite.

        Returns
        -------
        scores
            Float64, shape (n_points,).

        Raises
        ------
        ValueError
            If an array has the wrong shape or type, a slot does not exist or a value is not finite.
        """
        where, rows = self._checked(slots, points)
        scores = np.empty(len(where))
        score_many(self._state, where, rows, scores)
        return scores

    def score_and_update(self, slots: ArrayLike, points: ArrayLike) -> Floats:
        """Score each point against what its model has seen, then learn it; in order. As `score` otherwise."""
        where, rows = self._checked(slots, points)
        scores = np.empty(len(where))
        score_and_update_many(self._state, where, rows, self.time_decay, scores)
        return scores

    def update(self, slots: ArrayLike, points: ArrayLike) -> None:
        """Learn points in order, as `score_and_update` does but without scores."""
        where, rows = self._checked(slots, points)
        update_many(self._state, where, rows, self.time_decay)

    def attribution(self, slots: ArrayLike, points: ArrayLike) -> Attribution:
        """Split the scores of points over their columns, without learning them. Arguments as in `score`."""
        where, rows = self._checked(slots, points)
        parts = Attribution(np.empty(rows.shape), np.empty(rows.shape))
        attribute_many(self._state, where, rows, parts.high, parts.low)
        return parts

    def impute(self, slots: ArrayLike, points: ArrayLike, missing: ArrayLike) -> Singles:
        """Replace missing columns by what the model expects, given the others.

        Parameters
        ----------
        slots, points
            As in `score`; missing columns may hold anything finite.
        missing
            Bool, shape (n_points, n_columns).

        Returns
        -------
        points
            Float32, shape (n_points, n_columns), known columns unchanged.
        """
        where, rows = self._checked(slots, points)
        gaps = np.ascontiguousarray(missing)
        if gaps.shape != rows.shape or gaps.dtype != np.bool_:
            msg = f"`missing` must be bool of shape {rows.shape}, got {gaps.dtype} of shape {gaps.shape}"
            raise ValueError(msg)
        filled = np.empty_like(rows)
        impute_many(self._state, where, rows, gaps, filled)
        return filled

    def forecast(self, slots: ArrayLike, shingles: ArrayLike, n_features: int, n_steps: int) -> Forecast:
        """Continue shingles by imputing one block after the other.

        A forecast of many steps takes codes of two bytes: where a series moves by less than a code in a step,
        the forecast stands still.

        Parameters
        ----------
        slots, shingles
            As slots and points in `score`; a shingle is blocks of `n_features` columns, oldest first.
        n_features
            Columns of a block; must divide the number of columns and be smaller.
        n_steps
            Blocks to forecast, at least 1.
        """
        where, rows = self._checked(slots, shingles)
        if not 0 < n_features < rows.shape[1] or rows.shape[1] % n_features:
            msg = f"`n_features` must divide the {rows.shape[1]} columns and be smaller, got {n_features}"
            raise ValueError(msg)
        if n_steps < 1:
            msg = f"`n_steps` must be at least 1, got {n_steps}"
            raise ValueError(msg)
        size = (len(where), n_steps, n_features)
        ahead = Forecast(*(np.empty(size, dtype=np.float32) for _ in Forecast._fields))
        forecast_many(self._state, where, rows, n_features, *ahead)
        return ahead

    def save(self) -> bytes:
        """Encode all models, compressed, with version and checksums; `load` continues bit for bit."""
        fields: dict[str, Any] = {"version": VERSION, "time_decay": self.time_decay}
        fields |= dict(zip(ForestState._fields, arrays_of(self._state), strict=True))
        block = BytesIO()
        np.savez_compressed(block, **fields)
        return block.getvalue()

    @classmethod
    def load(cls, block: bytes) -> Self:
        """Decode what `save` wrote.

        Raises
        ------
        ValueError
            If the bytes are damaged or of another version.
        """
        stored = _read(block)
        n_models, n_trees, sample_size, n_columns = stored["points"].shape
        shape = ForestShape(n_columns, n_trees, sample_size, stored["points"].itemsize)
        forest = cls(shape, n_models, stored["random"], float(stored["time_decay"]))
        for name, array in zip(ForestState._fields, arrays_of(forest._state), strict=True):
            array[:] = stored[name]
        return forest

    def _checked(self, slots: ArrayLike, points: ArrayLike) -> tuple[NDArray[np.int64], Singles]:
        """Contiguous slots and points of the right types, or a ValueError that says what is wrong."""
        where = np.asarray(slots)
        _check_array("slots", where, "integers", (None,))
        if len(where) and not (where.min() >= 0 and where.max() < self.n_models):
            msg = f"`slots` must be in 0..{self.n_models - 1}, got {where.min()}..{where.max()}"
            raise ValueError(msg)
        rows = np.asarray(points)
        _check_array("points", rows, "real numbers", (len(where), self.shape.n_columns))
        if not np.isfinite(rows).all():
            index, column = np.argwhere(~np.isfinite(rows))[0]
            msg = f"`points` must be finite, got {rows[index, column]} at [{index}, {column}]"
            raise ValueError(msg)
        return np.ascontiguousarray(where, dtype=np.int64), _single(rows)


def _read(block: bytes) -> dict[str, NDArray[Any]]:
    """Named arrays of a block that `save` wrote."""
    try:
        with np.load(BytesIO(block), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
        msg = f"the saved forest is damaged ({len(block):,} bytes): {error}"
        raise ValueError(msg) from error
    version = int(arrays["version"])
    if version != VERSION:
        msg = f"expected a saved forest of version {VERSION}, found version {version}"
        raise ValueError(msg)
    return arrays


def _single(points: NDArray[Any]) -> Singles:
    """Points as float32; a number beyond its range becomes the largest there is, which saturates just the same."""
    limits = np.finfo(np.float32)
    return np.ascontiguousarray(np.clip(points, limits.min, limits.max), dtype=np.float32)


def _check_array(name: str, array: NDArray[Any], noun: str, shape: tuple[int | None, ...]) -> None:
    """Refuse an array of another kind or shape; None stands for any length."""
    kinds = "iu" if noun == "integers" else "iuf"
    fits = array.ndim == len(shape) and all(
        want in (None, got) for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in kinds:
        lengths = ", ".join("any" if length is None else str(length) for length in shape)
        msg = f"`{name}` must be {noun} of shape ({lengths}), got {array.dtype} of shape {array.shape}"
        raise ValueError(msg)
