"""Compiles the kernels before they are needed, or loads them from the cache on disk.

For the start of the sidecar, the demo, and the image build; the first block of windows then costs what all others do.
"""

import numpy as np

from detector.model.fleet import ModelSettings
from detector.model.plugin_settings import TrcfSettings
from detector.model.profile import open_fleet


def warm_up(*, every_profile: bool = False) -> None:
    """Let a model see one window: kernels are compiled by type, so that all sizes are ready afterwards.

    The plugin's kind of model is left out unless asked for: most sidecars have none, and it takes twice as long.
    """
    kinds = [ModelSettings(n_features=1, interval_ms=60_000)]
    if every_profile:
        kinds.append(ModelSettings(n_features=1, interval_ms=60_000, trcf=TrcfSettings()))
    for kind in kinds:
        fleet = open_fleet(kind)
        fleet.add(np.zeros(1, np.uint64))
        fleet.observe(
            np.zeros(1, np.int64), np.full(1, 60_000, np.int64), np.zeros((1, 1, 1)), np.ones((1, 1), bool)
        )
