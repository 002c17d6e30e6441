"""The models of one partition as arrays: a block of windows in, a block of verdicts out.

A model is a function of its seed, the settings and its own rows in order: neither other entities, nor how
rows are cut into blocks, nor threads change a bit of it. Knows no entity's name, no index and no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.forest.state import ForestShape
from detector.model.arrays import check, copy_onto, named_arrays
from detector.model.bars import DEFAULT_BARS, Bars
from detector.model.parts import ALL_PARTS, Parts
from detector.model.plugin_settings import PLUGIN_SHINGLE, TrcfSettings
from detector.model.prefetch import lines_of
from detector.model.routine import places_of
from detector.model.season import Rhythm, into_slots, rhythm_of, slots_of
from detector.model.state import Models, allocate_models, begin
from detector.model.transform import N_COLUMNS
from detector.model.verdicts import ScoredBlock, empty_block
from detector.model.walk import MAX_WARM_UP, Plan, Rows, walk

N_TREES = 32
"""Of the plugin's 50. No smaller shape does as well on both labelled series and cosines; see docs/performance.md."""

SAMPLE_SIZE = 256
"""Points kept by a tree; 128 measured two points worse on labelled series."""

RECENCY_EMPHASIS = 2560
"""Windows after which the sample is, on average, replaced: ten times its size, as in the plugin."""

MIN_CAPACITY = 4
"""Models that the first allocation holds; after that memory grows by a quarter."""


@dataclass(frozen=True)
class ModelSettings:
    """What the models of one detector are like.

    Attributes
    ----------
    n_features
        Metrics of the detector, at least 1.
    interval_ms
        Nominal length of a window in milliseconds, at least 1.
    shingle_size
        Windows in the forest's input as in the plugin; None = value, three means and seasonal residual a
        metric.
    recency_emphasis
        Windows after which the sample is, on average, replaced.
    n_trees, sample_size, code_bytes
        Trees of a forest, points kept by a tree, and bytes of a column of a point, 1 or 2 (see `ForestShape`).
    trcf
        Settings of the plugin's kind of models; None = the default kind. Its points have two bytes a column.
    bars, parts
        What an alarm of the default kind takes, and what such a model is made of.
    """

    n_features: int
    interval_ms: int
    shingle_size: int | None = None
    recency_emphasis: int = RECENCY_EMPHASIS
    n_trees: int = N_TREES
    sample_size: int = SAMPLE_SIZE
    code_bytes: int = 1
    trcf: TrcfSettings | None = None
    bars: Bars = DEFAULT_BARS
    parts: Parts = ALL_PARTS

    def __post_init__(self) -> None:
        for name in ("n_features", "interval_ms", "shingle_size", "recency_emphasis"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"`{name}` must be at least 1, got {value}"
                raise ValueError(msg)
        if self.trcf is not None:
            self.trcf.check(self.n_features)

    @property
    def forest_shape(self) -> ForestShape:
        """Size of the forest: five columns, or a shingle, a metric."""
        width = self.shingle_size or (N_COLUMNS if self.trcf is None else PLUGIN_SHINGLE)
        # The plugin's kind chooses its gain for the range and steps of two-byte codes.
        code_bytes = self.code_bytes if self.trcf is None else 2
        return ForestShape(self.n_features * width, self.n_trees, self.sample_size, code_bytes)

    @property
    def rhythm(self) -> Rhythm:
        """Slots of time and season."""
        return rhythm_of(self.interval_ms)

    @property
    def plan(self) -> Plan:
        """What the kernel needs to know."""
        decay = 1.0 / self.recency_emphasis
        return Plan(self.rhythm, decay, self.interval_ms, self.shingle_size or 0, self.bars, self.parts)


class Fleet:
    """Models of one partition in one arena, one slot a model.

    Threads may observe disjoint slots at once; `add` and `load` must be alone.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.n_models = 0
        self._plan = settings.plan
        self._capacity = MIN_CAPACITY
        self._models = self._allocate(MIN_CAPACITY)

    @cached_property
    def model_bytes(self) -> int:
        """Bytes that one model takes in memory. Asked for after every entry of a journal, and never another."""
        return sum(array[:1].nbytes for _, array in named_arrays(self._models))

    def add(self, seeds: NDArray[np.uint64]) -> None:
        """Append fresh models, one a seed, uint64, shape (n_new,).

        Raises
        ------
        ValueError
            When the seeds are not a uint64 vector.
        """
        check("seeds", seeds, np.uint64, (None,))
        needed = self.n_models + len(seeds)
        if needed > self._capacity:
            self._capacity = max(needed, self._capacity + self._capacity // 4)
            larger = self._allocate(self._capacity)
            copy_onto(larger, self._models)
            self._models = larger
        self._begin(self.n_models, seeds)
        self.n_models = needed

    def observe(
        self,
        slots: NDArray[np.int64],
        end_times_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        present: NDArray[np.bool_],
        local_times_ms: NDArray[np.int64] | None = None,
    ) -> ScoredBlock:
        """Score windows, then learn them, model by model.

        Parameters
        ----------
        slots
            Which models, int64, shape (n_models,), each at most once.
        end_times_ms
            Exclusive window ends, epoch milliseconds, ascending, int64, shape (n_windows,).
        values
            Float64, shape (n_windows, n_models, n_features). NaN and infinite values are missing: they
            enter no statistic, and the forest sees the metric as it was last. A row of missing values only
            lowers the confidence.
        present
            Whether there is a row at all, bool, shape (n_windows, n_models).
        local_times_ms
            What clocks show at the window ends where the data come from, as if it were UTC, int64, shape (n_windows,);
            None = UTC. A season ago is the same local time.

        Raises
        ------
        ValueError
            When a shape or type is another, a slot is unknown or doubled, or the window ends do not ascend.
        """
        self._check_block(slots, end_times_ms, values, present)
        scored = empty_block(values.shape)
        local_times_ms = end_times_ms if local_times_ms is None else local_times_ms
        check("local_times_ms", local_times_ms, np.int64, (len(end_times_ms),))
        self._walk(slots, end_times_ms, local_times_ms, values, present, scored)
        return scored

    def _allocate(self, n_models: int) -> Any:  # noqa: ANN401 - each kind of model has arrays of its own
        return _allocate(self.settings, n_models)

    def _begin(self, first: int, seeds: NDArray[np.uint64]) -> None:
        begin(self._models, first, seeds)

    def _walk(
        self,
        slots: NDArray[np.int64],
        end_times_ms: NDArray[np.int64],
        local_times_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        present: NDArray[np.bool_],
        scored: ScoredBlock,
    ) -> None:
        plan = self._plan
        seasons, into_ms = slots_of(plan.rhythm, local_times_ms), into_slots(plan.rhythm, local_times_ms)
        places = places_of(plan.rhythm, plan.interval_ms, seasons, into_ms)
        rows = Rows(slots, end_times_ms, seasons, into_ms, places, values, present)
        walk(self._models, lines_of(self._models), plan, rows, scored)

    def _check_block(
        self,
        slots: NDArray[np.int64],
        end_times_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        present: NDArray[np.bool_],
    ) -> None:
        check("slots", slots, np.int64, (None,))
        check("end_times_ms", end_times_ms, np.int64, (None,))
        shape = (len(end_times_ms), len(slots))
        check("values", values, np.float64, (*shape, self.settings.n_features))
        check("present", present, np.bool_, shape)
        if slots.size and not 0 <= slots.min() <= slots.max() < self.n_models:
            msg = f"`slots` must be in 0..{self.n_models - 1}, got {slots.min()}..{slots.max()}"
            raise ValueError(msg)
        is_named = np.zeros(self.n_models, np.bool_)
        is_named[slots] = True
        if np.count_nonzero(is_named) != len(slots):
            msg = "`slots` names a model twice: give each model once, with all its windows"
            raise ValueError(msg)
        if (np.diff(end_times_ms) <= 0).any():
            msg = "`end_times_ms` must ascend: a model learns its windows in order"
            raise ValueError(msg)

    def save(self, first: int, last: int) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays of the slots `first` to `last` (exclusive), by name.

        Raises
        ------
        ValueError
            When there are no such slots.
        """
        self._check_range(first, last)
        return {name: array[first:last].copy() for name, array in named_arrays(self._models)}

    def load(self, first: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Overwrite the slots from `first` on with saved models, which go on as if never stopped.

        Raises
        ------
        ValueError
            When the arrays are not those of models with these settings, or there are too few slots.
        """
        own = dict(named_arrays(self._models))
        if arrays.keys() != own.keys():
            missing, unknown = sorted(own.keys() - arrays.keys()), sorted(arrays.keys() - own.keys())
            msg = f"saved models do not fit: missing arrays {missing}, unknown arrays {unknown}"
            raise ValueError(msg)
        n_saved = len(next(iter(arrays.values())))
        for name, array in own.items():
            check(name, arrays[name], array.dtype, (n_saved, *array.shape[1:]))
        self._check_range(first, first + n_saved)
        for name, array in own.items():
            array[first : first + n_saved] = arrays[name]

    def _check_range(self, first: int, last: int) -> None:
        if not 0 <= first <= last <= self.n_models:
            msg = f"slots {first}..{last} are not among the {self.n_models} models there are"
            raise ValueError(msg)


def _allocate(settings: ModelSettings, n_models: int) -> Models:
    n_metrics, shingle_size = settings.n_features, settings.shingle_size or 0
    return allocate_models(
        n_models, n_metrics, settings.rhythm, shingle_size, MAX_WARM_UP, settings.forest_shape
    )
