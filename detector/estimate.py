"""What a detector will cost before it runs: memory, reading, time a window, and growth of the indices.

Arithmetic on the detector, on the number of its entities, and on constants that the benchmarks measured; asks
nobody. Every number is an estimate for planning, not a promise.
"""

from dataclasses import dataclass

from detector.configuration.config import DetectorConfig
from detector.job import model_settings
from detector.model.fleet import Fleet
from detector.model.season import DAY_MS
from features.query import PAGE_SIZE

ENTITY_BYTES = 1_000
"""Beside its model an entity takes about this much: its name in the roster, and what results repeat of it."""

PROCESS_BYTES = 250_000_000
"""What the process takes before its first model."""

SCORE_US, SCORE_US_A_FEATURE = 4.0, 8.0
"""Scoring a window of one entity whose model is not in the processor's cache."""

DOCUMENT_US, DOCUMENT_US_A_FEATURE = 130.0, 30.0
"""Reading a bucket, building a result and having it indexed, on two cores that the cluster shares: 0.34 seconds of
processor time for 1,000 results of one feature (benchmarks/pipeline.py, `live 10000`)."""

RESULT_BYTES, RESULT_BYTES_A_FEATURE = 250, 110
"""Disk of a result document, without replicas, merged: 360 bytes with one feature, over the example detectors."""

JOURNAL_BYTES, JOURNAL_BYTES_A_FEATURE = 8, 9
"""Disk of a window of one entity in the journal, which keeps a day or a little more; measured likewise."""

CHECKPOINT_SHARE = 0.6
"""Size of a stored model to that in memory (docs/performance.md)."""


@dataclass(frozen=True)
class Estimate:
    """Costs of one detector.

    Attributes
    ----------
    detector
        Its name.
    n_entities, n_features
        What it is for.
    windows_a_day
        Windows of a day.
    memory_bytes
        Of the sidecar, when all models are in memory.
    read_s
        Reading a window, seconds; None when no query was timed.
    work_s
        Scoring a window and writing its results, seconds.
    share
        Part of the interval that reading and work take; above 1 the detector cannot keep up.
    results_a_day
        Result documents a day, when every entity has data in every window.
    result_bytes_a_day
        Their disk, a day, without replicas.
    journal_bytes, checkpoint_bytes
        Disk that the journal and the models keep, without replicas.
    """

    detector: str
    n_entities: int
    n_features: int
    windows_a_day: float
    memory_bytes: int
    read_s: float | None
    work_s: float
    share: float
    results_a_day: int
    result_bytes_a_day: int
    journal_bytes: int
    checkpoint_bytes: int


def estimate(config: DetectorConfig, n_entities: int, page_s: float | None) -> Estimate:
    """Return what a detector of so many entities costs.

    Parameters
    ----------
    config
        The detector.
    n_entities
        Entities with data in a window; 1 for a single stream.
    page_s
        Seconds that one page of 10,000 entities took to read; None when that is not known.
    """
    n_features = len(config.source.features)
    windows_a_day = DAY_MS / config.interval.milliseconds
    models = n_entities * Fleet(model_settings(config)).model_bytes
    read_s = None if page_s is None else page_s * -(-n_entities // PAGE_SIZE)
    work_us = SCORE_US + DOCUMENT_US + n_features * (SCORE_US_A_FEATURE + DOCUMENT_US_A_FEATURE)
    work_s = n_entities * work_us / 1e6
    rows_a_day = round(n_entities * windows_a_day)
    return Estimate(
        detector=config.name,
        n_entities=n_entities,
        n_features=n_features,
        windows_a_day=windows_a_day,
        memory_bytes=PROCESS_BYTES + models + n_entities * ENTITY_BYTES,
        read_s=read_s,
        work_s=work_s,
        share=(work_s + (read_s or 0.0)) * 1000 / config.interval.milliseconds,
        results_a_day=rows_a_day,
        result_bytes_a_day=rows_a_day * (RESULT_BYTES + n_features * RESULT_BYTES_A_FEATURE),
        journal_bytes=rows_a_day * (JOURNAL_BYTES + n_features * JOURNAL_BYTES_A_FEATURE),
        checkpoint_bytes=round(models * CHECKPOINT_SHARE),
    )
