"""Opening a detector: registered in the cluster, resumed in memory, ready to be polled.

Where its windows begin is decided once and written down, so that a restart, at any later time, begins at the same one.
"""

from functools import partial

import structlog

from detector.configuration.config import DetectorConfig
from detector.job import Job, log_names
from detector.resume import StateLostError, resume
from detector.stores import State, Stores
from storage.records import Registration

log = structlog.get_logger(__name__)


def open_job(config: DetectorConfig, stores: Stores, now_ms: int, start_ms: int | None = None) -> Job:
    """Return a detector as it stands in the cluster, registered first where it is new or was edited.

    Parameters
    ----------
    config
        The detector as it is in its file.
    stores
        The cluster.
    now_ms
        The present, epoch milliseconds: a new detector begins with the window that is open now.
    start_ms
        Where a new detector begins instead; of no effect on one that is registered already.
    """
    registration = stores.detectors.register(
        config.detector_id,
        config.model_dump(mode="json", exclude_none=True),
        config.fingerprint,
        partial(_start_of_generation, config, stores.state, now_ms, start_ms),
        now_ms,
    )
    job = Job(config, registration)
    try:
        resume(job, stores, now_ms)
    except StateLostError as error:
        job = _begin_anew(config, stores, registration, str(error), now_ms)
    return job


def _start_of_generation(
    config: DetectorConfig, state: State, now_ms: int, start_ms: int | None, previous: Registration | None
) -> int:
    """Return the start of the first window: where the generation before stopped, else the one asked for."""
    if previous is not None:
        return config.interval.floor(_frontier(state, previous))
    return config.interval.floor(now_ms - config.window_delay_ms if start_ms is None else start_ms)


def _frontier(state: State, registration: Registration) -> int:
    """Return the end of the last window that a generation has written."""
    markers = state.markers(log_names(registration))
    return min((marker.frontier_ms for marker in markers.values()), default=registration.start_ms)


def _begin_anew(
    config: DetectorConfig, stores: Stores, registration: Registration, reason: str, now_ms: int
) -> Job:
    """Start a new generation where the old one stopped; its models learn from history again."""
    start_ms = _frontier(stores.state, registration)
    log.error("models_lost", detector=config.detector_id, reason=reason, learning_again_from=start_ms)
    job = Job(config, stores.detectors.renew(registration, start_ms, now_ms))
    resume(job, stores, now_ms)
    return job
