"""Generated streams: seasonal traffic with planted events, noisy cosines, and clean noise in which nothing happens."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.band import Coverage, coverage_of, coverage_row
from benchmarks.quality.detection import Detection, by_kind, detect
from benchmarks.quality.drive import Run, SettingsOf, model_seeds, run_streams
from benchmarks.quality.generators import (
    COSINE_PERIOD,
    DAY_MS,
    MINUTE_MS,
    NOISE_KINDS,
    WEEK,
    Streams,
    clean_noise,
    cosines,
    seasonal,
)
from benchmarks.quality.rows import Row, row

N_SEASONAL = 60
"""Streams a seed, 20 of each noise level."""

COSINE_SEEDS = 5
COSINE_SKIPPED = 300
COSINE_INTERVALS_MS = {"1 min": MINUTE_MS, "period = day": DAY_MS // COSINE_PERIOD}
"""At one minute the period is a rhythm that no calendar knows; at 1/50 of a day it is the day's."""

NOISE_WEEKS = 4
NOISE_CHUNK = 10
"""Entities that are generated and run at once; what they are does not depend on how many follow."""

Alarms = NDArray[np.float64]
"""Alarms an entity, by week, shape (4,)."""


class StreamsRun(NamedTuple):
    """Generated streams and what one model each said of them."""

    streams: Streams
    run: Run


def run_seasonal(n_seeds: int, settings_of: SettingsOf) -> list[StreamsRun]:
    """Run streams of their own, and models of their own, for each seed."""
    made = [seasonal(N_SEASONAL, np.random.default_rng(seed)) for seed in range(n_seeds)]
    return [
        StreamsRun(streams, run_streams(streams, model_seeds(N_SEASONAL, seed), settings_of))
        for seed, streams in enumerate(made)
    ]


def seasonal_rows(runs: list[StreamsRun]) -> Iterator[Row]:
    """Yield precision, recall, delay and false alarms a week; by noise level, by kind of event, and by week."""
    yield from _detection_rows("seasonal", [detect(one.run.flags, one.streams) for one in runs])
    for label in dict.fromkeys(runs[0].streams.labels):
        chosen = [index for index, own in enumerate(runs[0].streams.labels) if own == label]
        parts = [detect(one.run.flags[:, chosen], one.streams.select(chosen)) for one in runs]
        yield from _detection_rows(f"seasonal, {label}", parts)
    whole = [dict(by_kind(detect(one.run.flags, one.streams))) for one in runs]
    for kind in whole[0]:
        yield row(f"seasonal, {kind}", "recall", "1", [one[kind] for one in whole])
    yield coverage_row("band, seasonal", [_covered(one) for one in runs])
    for week in range(len(runs[0].streams.values) // WEEK):
        parts = [detect(one.run.flags, one.streams, week * WEEK, (week + 1) * WEEK) for one in runs]
        yield row(
            f"seasonal, week {week + 1}", "false_per_week", "1", [part.false_per_week for part in parts]
        )


def _covered(one: StreamsRun) -> Coverage:
    """Count the values outside every event that lie in their band."""
    expected = [one.streams.expected_flags(stream) for stream in range(one.streams.n_streams)]
    return coverage_of(one.run.scored, one.streams.values, ~np.stack(expected, axis=1))


def _detection_rows(case: str, parts: list[Detection]) -> Iterator[Row]:
    yield row(case, "recall", "1", [part.recall for part in parts])
    yield row(case, "precision", "1", [part.precision for part in parts])
    yield row(case, "false_per_week", "1", [part.false_per_week for part in parts])
    yield row(case, "median_delay", "min", [part.median_delay_minutes for part in parts])


def cosine_rows(settings_of: SettingsOf) -> Iterator[Row]:
    """Yield precision and recall on the noisy cosines, the first 300 windows not counted."""
    for n_features in (1, 3):
        for name, interval_ms in COSINE_INTERVALS_MS.items():
            streams = cosines(COSINE_SEEDS, n_features, interval_ms, np.random.default_rng(n_features))
            flags = run_streams(streams, model_seeds(COSINE_SEEDS), settings_of).flags
            parts = [
                detect(flags[:, [seed]], streams.select([seed]), COSINE_SKIPPED)
                for seed in range(COSINE_SEEDS)
            ]
            case = f"cosine f={n_features}, {name}"
            yield row(case, "precision", "1", [part.precision for part in parts])
            yield row(case, "recall", "1", [part.recall for part in parts])


def noise_rows(n_entities: int, n_seeds: int, settings_of: SettingsOf) -> Iterator[Row]:
    """Yield the alarms an entity and four weeks for each kind of noise, week by week, and of all kinds together.

    The entities are shared out to the seeds; what is counted begins with an entity's first window.
    """
    every: list[list[float]] = []
    bands: list[list[Coverage]] = []
    for kind in NOISE_KINDS:
        for daily in (False, True):
            case = f"clean noise, {kind}{' daily' if daily else ''}"
            seeds = [
                _noise(kind, max(1, n_entities // n_seeds), seed, settings_of, daily=daily)
                for seed in range(n_seeds)
            ]
            alarms, covered = [weeks for weeks, _ in seeds], [inside for _, inside in seeds]
            every.append([float(weeks.sum()) for weeks in alarms])
            bands.append(covered)
            yield row(case, "alarms_in_4_weeks", "1", every[-1])
            yield row(case, "false_per_week", "1", [float(weeks.mean()) for weeks in alarms])
            for week in range(NOISE_WEEKS):
                yield row(case, f"alarms_in_week_{week + 1}", "1", [float(weeks[week]) for weeks in alarms])
            yield coverage_row(f"band, {case}", covered)
    means = np.mean(every, axis=0)
    yield row("clean noise", "false_per_week", "1", (means / NOISE_WEEKS).tolist())
    yield row("clean noise", "alarms_in_4_weeks", "1", means.tolist())
    yield row("clean noise", "alarms_in_4_weeks_worst_kind", "1", max(every, key=sum))
    yield coverage_row("band, clean noise", [Coverage.total(seeds) for seeds in zip(*bands, strict=True)])


def mean_noise_alarms(n_entities: int, n_seeds: int, settings_of: SettingsOf) -> list[float]:
    """Return the alarms an entity and four weeks over all kinds of noise, a value a seed."""
    kinds = [(kind, daily) for kind in NOISE_KINDS for daily in (False, True)]
    n_own = max(1, n_entities // n_seeds)
    return [
        float(
            np.mean([_noise(kind, n_own, seed, settings_of, daily=daily)[0].sum() for kind, daily in kinds])
        )
        for seed in range(n_seeds)
    ]


def _noise(
    kind: str, n_entities: int, seed: int, settings_of: SettingsOf, *, daily: bool
) -> tuple[Alarms, Coverage]:
    """Return the alarms an entity, week by week, and how much of the noise lay in its band."""
    alarms = np.zeros(NOISE_WEEKS)
    covered = []
    for chunk, first in enumerate(range(0, n_entities, NOISE_CHUNK)):
        random = np.random.default_rng([NOISE_KINDS.index(kind), daily, seed, chunk])
        streams = clean_noise(
            kind, min(NOISE_CHUNK, n_entities - first), NOISE_WEEKS * WEEK, random, daily=daily
        )
        run = run_streams(
            streams, random.integers(0, 2**63, streams.n_streams).astype(np.uint64), settings_of
        )
        alarms += run.flags.reshape(NOISE_WEEKS, WEEK, -1).sum(axis=(1, 2))
        covered.append(coverage_of(run.scored, streams.values, np.ones(run.flags.shape, np.bool_)))
    return alarms / n_entities, Coverage.total(covered)
