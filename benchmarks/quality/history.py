"""How detection depends on the windows of history that a model had before it was asked.

A model sees `history` windows, whose alarms do not count, and then the same live windows as every other one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab import Series
from benchmarks.quality.detection import Detection, detect, total
from benchmarks.quality.drive import SettingsOf, model_seeds, observe, run_series
from benchmarks.quality.generators import DAY, Event, Streams, seasonal
from benchmarks.quality.rows import Row, row

HISTORIES = (40, 128, 256, 1_000)

LIVE_FROM, LIVE_DAYS = 9 * DAY, 4
"""Generated streams: the four days from the first on which something can happen."""

LEAD_WINDOWS = 288
"""Labelled series: live windows before a labelled window, in which flags are false."""

N_STREAMS = 60


def history_rows(every: Sequence[Series], n_seeds: int, settings_of: SettingsOf) -> Iterator[Row]:
    """Yield recall and false alarms a week after each length of history, generated and, if given, labelled."""
    for history in HISTORIES:
        yield from _rows(
            "seasonal", history, [_generated(history, seed, settings_of) for seed in range(n_seeds)]
        )
    if every:
        for history in HISTORIES:
            yield from _rows("nab", history, _labelled(every, history, n_seeds, settings_of))


def _rows(source: str, history: int, seeds: list[Detection]) -> Iterator[Row]:
    """Yield the rows of one length of history; none when no series was long enough."""
    if not seeds:
        return
    case = f"{source}, history {history}"
    yield row(case, "recall", "1", [one.recall for one in seeds])
    yield row(case, "false_per_week", "1", [one.false_per_week for one in seeds])


def _generated(history: int, seed: int, settings_of: SettingsOf) -> Detection:
    streams = seasonal(N_STREAMS, np.random.default_rng([seed, LIVE_FROM]))
    seen = slice(LIVE_FROM - history, LIVE_FROM + LIVE_DAYS * DAY)
    run = observe(
        streams.end_times_ms[seen],
        streams.values[seen],
        model_seeds(N_STREAMS, seed),
        settings_of,
        streams.interval_ms,
    )
    flags = np.zeros(streams.values.shape[:2], np.bool_)
    flags[seen] = run.flags
    return detect(flags, streams, LIVE_FROM, seen.stop)


def _labelled(
    every: Sequence[Series], history: int, n_seeds: int, settings_of: SettingsOf
) -> list[Detection]:
    """Ask about every labelled window that has rows enough before it for the longest history, with each seed."""
    parts: list[list[Detection]] = []
    for series in every:
        for first, last in series.window_rows():
            live = first - LEAD_WINDOWS
            if live < max(HISTORIES):
                continue
            seen = slice(live - history, last + 1)
            run = run_series(_cut(series, seen), model_seeds(n_seeds), settings_of)
            parts.append([_judge(series, seen, live, run.flags[:, seed]) for seed in range(n_seeds)])
    return [total(seeds) for seeds in zip(*parts, strict=True)]


def _cut(series: Series, seen: slice) -> Series:
    return series._replace(times_ms=series.times_ms[seen], values=series.values[seen], windows=())


def _judge(series: Series, seen: slice, live: int, flagged: NDArray[np.bool_]) -> Detection:
    """Count the flags from row `live` on; the labelled windows before the last one are neither missed nor false."""
    spans = [(first, last) for first, last in series.window_rows() if first < seen.stop]
    planted = tuple(Event("labelled", first, last) for first, last in spans)
    streams = Streams(series.interval_ms, series.values[:, None, None], (planted,), (series.name,))
    flags = np.zeros((len(series.values), 1), np.bool_)
    flags[seen, 0] = flagged
    return detect(flags, streams, live, seen.stop)
