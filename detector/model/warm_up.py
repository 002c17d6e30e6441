"""Compiles the kernels before they are needed, or loads them from the cache on disk.

For the start of the sidecar, the demo, and the image build; the first block of windows then costs what all others do.
"""

import numpy as np

from detector.model.fleet import Fleet, ModelSettings


def warm_up() -> None:
    """Let a model see one window: kernels are compiled by type, so that all sizes are ready afterwards."""
    fleet = Fleet(ModelSettings(n_features=1, interval_ms=60_000))
    fleet.add(np.zeros(1, np.uint64))
    fleet.observe(
        np.zeros(1, np.int64), np.full(1, 60_000, np.int64), np.zeros((1, 1, 1)), np.ones((1, 1), bool)
    )
