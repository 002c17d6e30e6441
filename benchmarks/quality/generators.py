"""Streams whose anomalies are known because they were planted: clean noise, seasonal traffic, noisy cosines.

Everything follows from the random generator that is handed in, so the same seed gives the same streams. Plain loops
and no cleverness, for this is what detectors are judged by. Knows no detector.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
INTERVAL_MS = 5 * MINUTE_MS
DAY = DAY_MS // INTERVAL_MS
"""Windows of five minutes in a day."""
WEEK = 7 * DAY
HOUR = DAY // 24

START_MS = 1_704_067_200_000
"""Start of the first window: Monday, 2024-01-01, midnight."""


class Event(NamedTuple):
    """An anomaly: what it is, and the first and last window in which an alarm counts as its detection."""

    kind: str
    first: int
    last: int


class Streams(NamedTuple):
    """Streams of the same kind over the same windows.

    Attributes
    ----------
    interval_ms
        Length of a window.
    values
        Float64, shape (n_windows, n_streams, n_features); NaN in a window without documents.
    events
        What was planted, one tuple a stream, ascending.
    labels
        What tells streams apart in a table, one a stream.
    """

    interval_ms: int
    values: Array
    events: tuple[tuple[Event, ...], ...]
    labels: tuple[str, ...]

    @property
    def end_times_ms(self) -> NDArray[np.int64]:
        """Exclusive window ends, epoch milliseconds, int64, shape (n_windows,)."""
        return START_MS + self.interval_ms * np.arange(1, len(self.values) + 1, dtype=np.int64)

    @property
    def n_streams(self) -> int:
        """Number of streams."""
        return self.values.shape[1]

    def expected_flags(self, stream: int) -> NDArray[np.bool_]:
        """Say in which windows of a stream an alarm is right, bool, shape (n_windows,)."""
        right = np.zeros(len(self.values), np.bool_)
        for event in self.events[stream]:
            right[event.first : event.last + 1] = True
        return right

    def select(self, chosen: Sequence[int]) -> "Streams":
        """Return some of the streams."""
        return Streams(
            self.interval_ms,
            self.values[:, list(chosen)],
            tuple(self.events[stream] for stream in chosen),
            tuple(self.labels[stream] for stream in chosen),
        )


# Clean noise: nothing happens, and whatever is flagged is false.

AR_COEFFICIENT = 0.8
POISSON_MEAN = 5.0
NOISE_KINDS = ("white", "ar1", "poisson", "log-normal")


def clean_noise(kind: str, n_streams: int, n_windows: int, random: Random, *, daily: bool) -> Streams:
    """Return streams in which nothing happens, each with a daily rhythm of its own phase if wanted.

    `white` is Gaussian, `ar1` an autoregression with the coefficient 0.8 and the same variance; the rhythm adds
    three standard deviations at its peak. `poisson` counts 5 a window on average; the rhythm moves the mean by 60 %.
    `log-normal` is the exponential of a standard Gaussian; the rhythm multiplies it by up to e.
    """
    shape = (n_windows, n_streams)
    phase = random.random(n_streams)
    day = np.sin(2 * np.pi * (np.arange(n_windows)[:, None] / DAY + phase)) * daily
    if kind == "white":
        values = 100 + 5 * random.normal(size=shape) + 15 * day
    elif kind == "ar1":
        values = 100 + 5 * _autoregression(shape, random) + 15 * day
    elif kind == "poisson":
        values = random.poisson(POISSON_MEAN * (1 + 0.6 * day)).astype(np.float64)
    elif kind == "log-normal":
        values = np.exp(random.normal(size=shape) + day)
    else:
        msg = f"unknown kind of noise {kind!r}: expected one of {', '.join(NOISE_KINDS)}"
        raise ValueError(msg)
    nothing: tuple[Event, ...] = ()
    return Streams(INTERVAL_MS, values[:, :, None], (nothing,) * n_streams, (kind,) * n_streams)


def _autoregression(shape: tuple[int, int], random: Random) -> Array:
    """Return AR(1) noise with variance 1, from its stationary state on."""
    shocks = random.normal(size=shape)
    shocks[1:] *= np.sqrt(1 - AR_COEFFICIENT**2)
    for window in range(1, shape[0]):
        shocks[window] += AR_COEFFICIENT * shocks[window - 1]
    return shocks


# Seasonal traffic: three weeks of requests as a service sees them, with everything that happens to one.

LEVEL = 100.0
NOISE_LEVELS = (0.02, 0.05, 0.10)
"""Standard deviation of the noise in units of the level."""
SEASONAL_DAYS = 21
EVENT_DAYS = range(9, 19)
"""Days on which something happens: a week must have been seen."""
SHIFT_DAYS = range(19, 21)
BURST = 0.8
"""Height of a daily job, in levels; it lasts an hour and starts within five minutes of its time."""
TOLERANCE = HOUR
"""An alarm within an hour of an anomaly's end detects it; it is neither missed nor false."""
SHIFT_SPAN = 3 * HOUR
"""A level shift stays; it should be noticed within three hours."""
EVENT_KINDS = ("spike", "drop to zero", "dip", "missing burst", "level shift")


def seasonal(n_streams: int, random: Random) -> Streams:
    """Return three weeks of windows of five minutes with daily and weekly rhythm, trend, noise, gaps and events.

    The noise level goes through `NOISE_LEVELS`; every second stream has a daily job of an hour, which is absent once.
    From the tenth day on each stream has two spikes (5 to 15 minutes, up or down), a drop to zero (30 minutes to 2
    hours), a missing burst or a dip by half the level (1 to 3 hours), each on a day of its own; at last its level
    shifts for good. What goes down does so in the busier half of the day, where it can be seen. Two gaps of up to 2.5
    hours without documents are no events.
    """
    n_windows = SEASONAL_DAYS * DAY
    values = np.empty((n_windows, n_streams))
    events, labels = [], []
    for stream in range(n_streams):
        noise = NOISE_LEVELS[stream % len(NOISE_LEVELS)]
        traffic = _traffic(n_windows, random)
        jobs = _add_jobs(traffic, random) if stream % 2 == 0 else []
        shown = traffic + LEVEL * noise * random.normal(size=n_windows)
        planted = sorted(_plant(shown, traffic, jobs, random), key=lambda event: event.first)
        shown = np.maximum(shown, 0.0)
        for gap in _gaps(planted, n_windows, random):
            shown[gap] = np.nan
        values[:, stream] = shown
        events.append(tuple(planted))
        labels.append(f"noise {noise:.2f}")
    return Streams(INTERVAL_MS, values[:, :, None], tuple(events), tuple(labels))


def _traffic(n_windows: int, random: Random) -> Array:
    """Return one stream's expectation: day of two harmonics, quieter weekends, a linear trend of -10 to 30 %.

    Nights are at another time in each stream, and days of the week change at the lowest point of the night.
    """
    window = np.arange(n_windows) + random.integers(DAY)
    day = -np.cos(2 * np.pi * window / DAY) + 0.3 * np.cos(2 * np.pi * (2 * window / DAY + random.random()))
    weekday = (window // DAY + random.integers(7)) % 7
    week = np.where(weekday >= 5, random.uniform(0.4, 0.8), 1.0)
    trend = 1 + random.uniform(-0.1, 0.3) * np.arange(n_windows) / n_windows
    return np.asarray(LEVEL * (1 + 0.5 * day) * week * trend)


def _add_jobs(values: Array, random: Random) -> list[int]:
    """Add the daily job; return the window of its start on each day."""
    usual = int(random.integers(1, DAY - HOUR - 1))
    starts = [day * DAY + usual + int(random.integers(-1, 2)) for day in range(SEASONAL_DAYS)]
    for start in starts:
        values[start : start + HOUR] += BURST * LEVEL
    return starts


def _plant(values: Array, traffic: Array, jobs: list[int], random: Random) -> Iterator[Event]:
    """Change one stream in place, and yield what was done to it."""
    kinds = ["spike", "spike", "drop to zero", "missing burst" if jobs else "dip"]
    for kind, day in zip(kinds, random.permutation(np.array(EVENT_DAYS)).tolist(), strict=False):
        if kind == "spike":
            length = int(random.integers(1, 4))
            sign = float(random.choice([1, 1, -1]))
            first = _place(traffic, day, length, random, busy=sign < 0)
            values[first : first + length] += sign * LEVEL * random.uniform(0.8, 1.5)
        elif kind == "drop to zero":
            length = int(random.integers(HOUR // 2, 2 * HOUR + 1))
            first = _place(traffic, day, length, random, busy=True)
            values[first : first + length] = 0.0
        elif kind == "dip":
            length = int(random.integers(HOUR, 3 * HOUR + 1))
            first = _place(traffic, day, length, random, busy=True)
            values[first : first + length] -= 0.5 * LEVEL
        else:
            first, length = jobs[day], HOUR
            values[first : first + length] -= BURST * LEVEL
        yield Event(kind, first, first + length - 1 + TOLERANCE)
    first = int(random.choice(np.array(SHIFT_DAYS))) * DAY + int(random.integers(0, DAY // 2))
    values[first:] += 0.6 * LEVEL * random.choice([-1, 1])
    yield Event("level shift", first, first + SHIFT_SPAN - 1)


def _place(traffic: Array, day: int, length: int, random: Random, *, busy: bool) -> int:
    """Return a window of the day at which something of this length begins; if wanted, in the busier half."""
    starts = np.arange(day * DAY, (day + 1) * DAY - length - TOLERANCE)
    if busy:
        quiet = np.median(traffic[day * DAY : (day + 1) * DAY])
        lowest = np.minimum(traffic[starts], traffic[starts + length - 1])
        starts = starts[lowest >= quiet]
    return int(random.choice(starts))


def _gaps(events: list[Event], n_windows: int, random: Random) -> Iterator[slice]:
    """Yield two spans without documents after the first day that hide nothing of an event."""
    n_found = 0
    while n_found < 2:
        first, length = int(random.integers(DAY, n_windows)), int(random.integers(1, 31))
        if all(first + length <= event.first or first > event.last for event in events):
            n_found += 1
            yield slice(first, first + length)


# Noisy cosines, as the tests of the AWS library make them.

COSINE_PERIOD, COSINE_AMPLITUDE, COSINE_NOISE = 50, 100.0, 5.0
COSINE_WINDOWS = 10_000
ANOMALY_FACTOR = 5.0


def cosines(n_streams: int, n_features: int, interval_ms: int, random: Random) -> Streams:
    """Return streams of noisy cosines with single anomalous windows.

    Source: `MultiDimDataWithKey.getMultiDimData` of the AWS random-cut-forest library. Each feature has a phase and an
    amplitude of its own and uniform noise within +-5. A window is chosen with probability 0.01; then, with
    probability 0.3, a feature's noise is replaced by +-5 to 10 times its bound. The last window of an event is its
    only one.
    """
    windows = np.arange(COSINE_WINDOWS)[:, None, None]
    shape = (COSINE_WINDOWS, n_streams, n_features)
    phase = random.integers(0, COSINE_PERIOD, shape[1:])
    amplitude = COSINE_AMPLITUDE * (1 + 0.2 * random.random(shape[1:]))
    noise = COSINE_NOISE * random.uniform(-1, 1, shape)
    chosen = random.random(shape[:2])[:, :, None] < 0.01
    changed = chosen & (random.random(shape) < 0.3)
    far = ANOMALY_FACTOR * (1 + random.random(shape)) * COSINE_NOISE * random.choice([-1, 1], shape)
    values = amplitude * np.cos(2 * np.pi * (windows + phase) / COSINE_PERIOD) + np.where(changed, far, noise)
    events = tuple(
        tuple(Event("outlier", window, window) for window in np.flatnonzero(one).tolist())
        for one in changed.any(axis=2).T
    )
    return Streams(interval_ms, values, events, (f"f={n_features}",) * n_streams)
