"""Runs streams through the production fleet: many models a call, as a partition does, and on all processors.

The one place of the benchmark that knows how a fleet is fed. Documents, journal and cluster are left out; a test
compares the flags with those of a detector on a node.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import Series
from benchmarks.quality.generators import Streams
from detector.configuration.rules import directions, margins
from detector.model.fleet import ModelSettings
from detector.model.plugin_settings import PLUGIN_SHINGLE, PLUGIN_TREES, TrcfSettings
from detector.model.profile import open_fleet
from detector.model.verdicts import ScoredBlock

SettingsOf = Callable[[int, int], ModelSettings]
"""From number of features and interval in milliseconds to the settings under test."""

N_THREADS = 2
FIRST_SEED = 20_140_701


PROFILES = ("multiscale", "trcf")


def settings_of_profile(profile: str, n_trees: int | None = None, code_bytes: int = 1) -> SettingsOf:
    """Return what a detector of the profile has by default, with another number of trees if given.

    `code_bytes` is the size of a column of a point in the forest of the default profile.
    """

    def multiscale(n_features: int, interval_ms: int) -> ModelSettings:
        settings = ModelSettings(n_features, interval_ms, code_bytes=code_bytes)
        return replace(settings, n_trees=n_trees or settings.n_trees)

    def trcf(n_features: int, interval_ms: int) -> ModelSettings:
        names = [str(feature) for feature in range(n_features)]
        rules = TrcfSettings(margin=margins(None, names), direction=directions(None, names))
        return ModelSettings(
            n_features, interval_ms, PLUGIN_SHINGLE, n_trees=n_trees or PLUGIN_TREES, trcf=rules
        )

    return {"multiscale": multiscale, "trcf": trcf}[profile]


class Run(NamedTuple):
    """What models said of streams.

    Attributes
    ----------
    scored
        The verdicts, arrays of shape (n_windows, n_models) and (n_windows, n_models, n_features).
    seconds
        Processor time of `observe`.
    """

    scored: ScoredBlock
    seconds: float

    @property
    def flags(self) -> NDArray[np.bool_]:
        """Windows with an alarm, bool, shape (n_windows, n_models)."""
        return np.nan_to_num(self.scored.grade) > 0


def model_seeds(n_models: int, first: int = FIRST_SEED) -> NDArray[np.uint64]:
    """Return seeds of models, uint64; the first ones stay the same when there are more."""
    return np.random.default_rng(first).integers(0, 2**63, n_models).astype(np.uint64)


def run_streams(streams: Streams, seeds: NDArray[np.uint64], settings_of: SettingsOf) -> Run:
    """Run one model a stream; a window whose values are all missing has no row, as without documents."""
    return observe(streams.end_times_ms, streams.values, seeds, settings_of, streams.interval_ms)


def run_series(series: Series, seeds: NDArray[np.uint64], settings_of: SettingsOf) -> Run:
    """Run one labelled series with one model a seed, as live data would come.

    Rows whose time does not ascend are left out; the verdicts have a row for each row of the series.
    """
    latest = np.maximum.accumulate(series.times_ms)
    kept = np.flatnonzero(np.diff(latest, prepend=latest[0] - 1) > 0)
    values = np.broadcast_to(series.values[kept, None, None], (len(kept), len(seeds), 1))
    run = observe(series.times_ms[kept] + series.interval_ms, values, seeds, settings_of, series.interval_ms)
    if len(kept) == len(series.values):
        return run
    return Run(
        ScoredBlock(*(_spread(column, kept, len(series.values)) for column in run.scored)), run.seconds
    )


def observe(
    end_times_ms: NDArray[np.int64],
    values: NDArray[np.float64],
    seeds: NDArray[np.uint64],
    settings_of: SettingsOf,
    interval_ms: int,
) -> Run:
    """Return what fresh models say of values of shape (n_windows, n_models, n_features), NaN = missing."""
    settings = settings_of(values.shape[2], interval_ms)

    def part(models: NDArray[np.int64]) -> Run:
        fleet = open_fleet(settings)
        fleet.add(seeds[models])
        own = np.ascontiguousarray(values[:, models])
        present = ~np.isnan(own).all(axis=2)
        begin = time.thread_time()
        scored = fleet.observe(np.arange(len(models)), end_times_ms, own, present)
        return Run(scored, time.thread_time() - begin)

    shares = np.array_split(np.arange(len(seeds)), min(N_THREADS, len(seeds)))
    with ThreadPoolExecutor(len(shares)) as pool:
        runs = list(pool.map(part, shares))
    columns = (np.concatenate(column, axis=1) for column in zip(*(run.scored for run in runs), strict=True))
    return Run(ScoredBlock(*columns), sum(run.seconds for run in runs))


def _spread(column: NDArray[np.float64], kept: NDArray[np.int64], n_rows: int) -> NDArray[np.float64]:
    """Put rows back to where they stood; those left out are NaN, or 0 in an integer column."""
    spread = np.zeros((n_rows, *column.shape[1:]), column.dtype)
    if column.dtype.kind == "f":
        spread[:] = np.nan
    spread[kept] = column
    return spread
