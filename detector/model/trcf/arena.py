"""The models of one partition that are of the plugin's kind. The same facade, other arrays and kernels."""

import numpy as np
from numpy.typing import NDArray

from detector.model.fleet import Fleet, ModelSettings
from detector.model.plugin_settings import PLUGIN_SHINGLE, TrcfSettings
from detector.model.trcf.models import TrcfModels, TrcfPlan, allocate_models, begin_models, plan_of
from detector.model.trcf.stream import TrcfRows, walk_trcf
from detector.model.verdicts import ScoredBlock


class TrcfFleet(Fleet):
    """Models of the plugin-compatible profile.

    Score, threshold, confidence and grade mean what they mean to the plugin: a first score at the 26th row with a
    shingle of eight, confidence by the number of rows seen. A row without any value is `warming up` unless the
    settings fill it. It fails where the plugin does: a rhythm longer than the shingle is not seen.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._trcf = settings.trcf or TrcfSettings()
        self._shingle_size = settings.shingle_size or PLUGIN_SHINGLE
        super().__init__(settings)

    @property
    def _trcf_plan(self) -> TrcfPlan:
        settings = self.settings
        decay = 1.0 / settings.recency_emphasis
        return plan_of(self._trcf, settings.n_features, settings.interval_ms, self._shingle_size, decay)

    def _allocate(self, n_models: int) -> TrcfModels:
        return allocate_models(self.settings.forest_shape, self.settings.n_features, n_models)

    def _begin(self, first: int, seeds: NDArray[np.uint64]) -> None:
        begin_models(self._models, first, seeds)

    def _walk(
        self,
        slots: NDArray[np.int64],
        end_times_ms: NDArray[np.int64],
        local_times_ms: NDArray[np.int64],  # noqa: ARG002 - the plugin knows no seasons
        values: NDArray[np.float64],
        present: NDArray[np.bool_],
        scored: ScoredBlock,
    ) -> None:
        walk_trcf(self._models, self._trcf_plan, TrcfRows(slots, end_times_ms, values, present), scored)
