"""Opening a detector: registered in the cluster, resumed in memory, ready to be polled.

Where its windows begin is decided once and written down, so that a restart, at any later time, begins at the same one.
"""

from functools import partial

import structlog

from detector.configuration.config import DetectorConfig
from detector.configuration.fingerprint import fingerprint_of
from detector.job import Job
from detector.memory import Memory
from detector.resume import StateLostError, resume
from detector.roster import log_names, partition_count
from detector.stores import State, Stores
from storage.records import Registration

log = structlog.get_logger(__name__)


class ChangedElsewhereError(RuntimeError):
    """Another sidecar runs the detector with other settings, which were registered later than ours."""


def open_job(
    config: DetectorConfig,
    stores: Stores,
    now_ms: int,
    start_ms: int | None = None,
    share: frozenset[int] | None = None,
    memory: Memory | None = None,
) -> Job:
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
    share
        Numbers of the partitions that this process is to work on; None = all.
    memory
        The memory budget of the process; None = no limit.
    """
    registration = stores.detectors.register(
        config.detector_id,
        config.model_dump(mode="json", exclude_none=True),
        fingerprint_of(config),
        partial(_start_of_generation, config, stores.state, now_ms, start_ms),
        now_ms,
    )
    job = Job(config, registration, share, memory)
    try:
        resume(job, stores, now_ms)
    except StateLostError as error:
        job = _begin_anew(job, stores, str(error), now_ms)
    return job


def is_current(job: Job, stores: Stores) -> bool:
    """Say whether a job is of the generation that stands in the cluster; if not, it has to be opened anew.

    Raises
    ------
    ChangedElsewhereError
        When another process has registered other settings since: of two files under one name the later one counts.
    """
    standing = stores.detectors.find(job.detector_id)
    if standing is None:
        # Our indices were deleted, and what is in memory belongs to a journal that is gone.
        return False
    if standing == job.registration:
        return True
    if standing.configuration != job.registration.configuration:
        msg = (
            f"another sidecar runs the detector {job.detector_id} with other settings (revision {standing.revision:,}, "
            f"ours is {job.registration.revision:,}) and has taken it over: give this sidecar the same file and "
            "restart it"
        )
        raise ChangedElsewhereError(msg)
    return standing.generation == job.registration.generation


def _start_of_generation(
    config: DetectorConfig, state: State, now_ms: int, start_ms: int | None, previous: Registration | None
) -> int:
    """Return the start of the first window: where the generation before stopped, else the one asked for."""
    if previous is not None:
        return config.interval.floor(_frontier(state, previous))
    return config.interval.floor(now_ms - config.window_delay_ms if start_ms is None else start_ms)


def _frontier(state: State, registration: Registration) -> int:
    """Return the end of the last window that all partitions of a generation have written."""
    n_partitions = partition_count(registration.configuration.get("category_field"))
    logs = log_names(registration.detector_id, registration.generation, n_partitions)
    markers = state.markers(logs)
    return min(markers[log].frontier_ms if log in markers else registration.start_ms for log in logs)


def _begin_anew(job: Job, stores: Stores, reason: str, now_ms: int) -> Job:
    """Start a new generation where the old one stopped; its models learn from history again."""
    start_ms = _frontier(stores.state, job.registration)
    log.error("models_lost", detector=job.detector_id, reason=reason, learning_again_from=start_ms)
    renewed = Job(
        job.config, stores.detectors.renew(job.registration, start_ms, now_ms), job.share, job.memory
    )
    resume(renewed, stores, now_ms)
    return renewed
