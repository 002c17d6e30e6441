"""The Numenta Anomaly Benchmark: its files, and its score written anew from its definition.

Source: Lavin & Ahmad, "Evaluating real-time anomaly detection algorithms", 2015, section II. Reads any folder of
that layout (`data/<folder>/<series>.csv`, `labels/combined_windows.json`); knows no detector.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PROBATION_SHARE, PROBATION_ROWS = 0.15, 750
"""A series' first rows count neither for nor against: 15 %, at most 750."""

STEEPNESS = 5.0
"""Of the sigmoid that rewards early detection within a window and forgives false flags just behind one."""


class Profile(NamedTuple):
    """What a hit, a false flag and a missed window weigh."""

    hit: float
    false_flag: float
    miss: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "low_fp": Profile(1.0, 0.22, 1.0),
    "low_fn": Profile(1.0, 0.11, 2.0),
}


class Series(NamedTuple):
    """One labelled series.

    Attributes
    ----------
    name
        Folder and file.
    times_ms
        Time of each row, taken as UTC, epoch milliseconds, int64, shape (n_rows,).
    values
        Float64, shape (n_rows,).
    windows
        First and last time of each labelled window, epoch milliseconds, both inclusive.
    """

    name: str
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]

    @property
    def interval_ms(self) -> int:
        """The usual distance of two rows."""
        return int(np.median(np.diff(self.times_ms)))

    @property
    def probation(self) -> int:
        """Number of first rows that do not count."""
        return min(int(PROBATION_SHARE * len(self.values)), PROBATION_ROWS)

    def window_rows(self) -> list[tuple[int, int]]:
        """First and last row of each window."""
        first = np.searchsorted(self.times_ms, [start for start, _ in self.windows])
        last = np.searchsorted(self.times_ms, [end for _, end in self.windows])
        return list(zip(first.tolist(), last.tolist(), strict=True))


def load_series(nab: Path) -> list[Series]:
    """Read all labelled series of a folder, by name."""
    labels = json.loads((nab / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    return [_read(nab, name, labels[name]) for name in sorted(labels)]


def _read(nab: Path, name: str, windows: Sequence[Sequence[str]]) -> Series:
    with (nab / "data" / name).open(newline="", encoding="utf-8") as file:
        rows = [(row["timestamp"], row["value"]) for row in csv.DictReader(file)]
    return Series(
        name.removesuffix(".csv"),
        np.array([_milliseconds(time) for time, _ in rows], np.int64),
        np.array([value for _, value in rows], np.float64),
        tuple((_milliseconds(start), _milliseconds(end)) for start, end in windows),
    )


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


def _reward(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 well before a window's end (position -1), 0 at it, -1 far behind it (position in window widths)."""
    return np.where(position > 3.0, -1.0, 2.0 / (1.0 + np.exp(STEEPNESS * np.minimum(position, 3.0))) - 1.0)


def weigh(series: Series) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what a flag in each row is worth, float64, and the number of the row's window, int64.

    A flag in a window is worth up to 1, elsewhere 0 to -1. The number is -1 outside windows, -2 in the probation.
    """
    rows = np.arange(len(series.values))
    worth, window = np.full(len(rows), -1.0), np.full(len(rows), -1)
    spans = series.window_rows()
    ends = [*[first for first, _ in spans], len(rows)][1:]
    for number, ((first, last), end) in enumerate(zip(spans, ends, strict=True)):
        width = last - first + 1.0
        inside = slice(first, last + 1)
        worth[inside] = _reward((rows[inside] - last - 1) / width) / _reward(np.array(-1.0))
        window[inside] = number
        behind = slice(last + 1, end)
        worth[behind] = _reward((rows[behind] - last) / (width - 1.0))
    window[: series.probation] = -2
    return worth, window


def nab_score(flags: Mapping[str, NDArray[np.bool_]], series: Sequence[Series], profile: Profile) -> float:
    """Return the score of yes/no decisions: 100 = each window at its first row and no false flag, 0 = silence."""
    total = perfect = silence = 0.0
    for one in series:
        worth, window = weigh(one)
        flagged = flags[one.name]
        total += profile.false_flag * worth[flagged & (window == -1)].sum()
        perfect += profile.hit * len(one.windows)
        silence -= profile.miss * len(one.windows)
        for number in range(len(one.windows)):
            inside = window == number
            hits = inside & flagged
            if hits.any():
                total += profile.hit * worth[hits].max()
            elif inside.any():
                total -= profile.miss
    return 100.0 * (total - silence) / (perfect - silence)


def swept_score(
    scores: Mapping[str, NDArray[np.float64]], series: Sequence[Series], profile: Profile
) -> float:
    """Return the score at the one threshold, the same for all series, that is best for it."""
    rows = []
    offset = 0
    for one in series:
        worth, window = weigh(one)
        rows.append((scores[one.name], worth, np.where(window >= 0, window + offset, window)))
        offset += len(one.windows)
    score, worth, window = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.argsort(-score, kind="stable")
    order = order[window[order] != -2]
    gained = np.full(offset, -profile.miss)
    now = best = -profile.miss * len(set(window[window >= 0].tolist()))
    for place, row in enumerate(order.tolist()):
        number = window[row]
        if number == -1:
            now += profile.false_flag * worth[row]
        elif profile.hit * worth[row] > gained[number]:
            now += profile.hit * worth[row] - gained[number]
            gained[number] = profile.hit * worth[row]
        last_of_score = place + 1 == len(order) or score[order[place + 1]] != score[row]
        if last_of_score:
            best = max(best, now)
    return 100.0 * (best + profile.miss * offset) / ((profile.hit + profile.miss) * offset)


def hits_and_false_flags(flagged: NDArray[np.bool_], series: Series) -> tuple[int, int]:
    """Return the windows that were hit, and the runs of flags outside every window, probation excepted."""
    _, window = weigh(series)
    hit = {int(number) for number in window[flagged] if number >= 0}
    false = flagged & (window == -1)
    runs = int(false[0]) + int((false[1:] & ~false[:-1]).sum())
    return len(hit), runs
