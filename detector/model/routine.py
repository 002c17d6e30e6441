"""How far a metric departs from its own routine: the shape of its season, moved to the level of the last hour.

The shape is a mean for each slot of the season, so its noise averages out over days. A departure is measured by the
largest one on record: whatever the noise is like, records become rare. Knows values and times, neither scores nor
alarms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner
from detector.model.records import RECORD, compare, reset_record
from detector.model.season import DAY_MS, NO_SLOT, Record, Rhythm

SEASON_WEIGHT = 0.2
"""Weight of the newest season in the shape, spread over the windows of a slot."""

LEVEL_WEIGHT = 1.0 / 12.0
"""Weight of the newest window in the level: weekends and what stays become routine within hours."""

MIN_SLOTS_LATE = 24
"""What comes once a season may come a slot early or late, where a slot is a small part of the season: no window departs
from its routine that only does what the slot before or after it does."""

LASTING_WINDOWS = 12
LASTING_WEIGHT = 2.0 / (LASTING_WINDOWS + 1.0)
"""Weight of the newest departure in the lasting one: that of a mean over twelve windows."""

MOST_LEARNT = 0.3
"""A departure enters the shape as at most this share of the record, or as much as it departed a season ago: an anomaly
must not become routine at once, but what comes every day must."""

NEWS = 3.0
"""A departure counts when it is more than so many times what lasted around this time a season ago: what went silent for
good must not alarm every day because its days no longer have a shape."""

STRIKING = 1.5
"""A lasting departure so many times the record counts also when what lasted a season ago was more than nothing, but no
record: a job that comes a little early or late every day must be missed when it does not come."""

ROUNDING = 1e-9
"""A departure below this share of the value is none: a metric without noise is only as exact as its arithmetic."""

YOUTH_MS = 6 * DAY_MS
MIN_YOUTH_WINDOWS = 720
"""Departures from which the first records are made: with the day of the first shape a week, so that a weekend is among
them, and enough for a record to mean something."""

MEMORY_MS = 365 * DAY_MS
"""How slowly records fade. Faster, each weekend would be an event again: of a month, a quarter is gone in a week."""

MOST_TIMES = 1e6
"""A departure is at most so many times the record."""

ROUTINE = np.dtype(
    [
        ("n_departures", np.int64),
        ("new_slot", np.int64),
        ("n_new", np.int64),
        ("level", np.float64),
        ("lasting", np.float64),
        ("slot", np.int64),
        ("top", np.float64),
        ("single_record", RECORD),
        ("lasting_record", RECORD),
    ],
    align=True,
)
"""Per model and metric: departures so far; the last slot that was the first of its time in the season, and the values
in it; where the level is above the shape; the lasting departure; the slot at hand and the largest lasting departure
in it; the records of single and of lasting departures."""


class Shape(NamedTuple):
    """Shape of a season; the leading axis is the model.

    Attributes
    ----------
    mean
        What the values of each slot are above the level on average, float64, NaN = not known yet, shape (n_models,
        n_metrics, slots of a season).
    past
        The largest lasting departure in each slot when it was there last, float64, same shape.
    """

    mean: NDArray[np.float64]
    past: NDArray[np.float64]


AS_USUAL, AT_ONCE, LASTING_ABOVE, LASTING_BELOW = 0, 1, 2, 3
"""What departed: nothing, this value, or the last dozen of them, to one side."""


class Departure(NamedTuple):
    """How far a value, or the last dozen of them, departs from the routine.

    Attributes
    ----------
    times
        How many times the record, 0 while there is none, and where there is no season.
    usual
        What the value is by the routine, NaN where that is not known.
    kind
        What departed by so much.
    """

    times: float
    usual: float
    kind: int


NO_PLACE = -1
"""Place of a window where there is no season."""


PLACE = np.dtype(
    [
        ("slot", np.int64),
        ("here", np.int64),
        ("neighbour", np.int64),
        ("nearness", np.float64),
        ("late", np.int64),
        ("weight", np.float64),
        ("kept", np.float64),
        ("youth", np.float64),
        ("reach", np.int64),
    ],
    align=True,
)
"""Where a window lies in the season, and what goes with the length of windows.

Number of the slot of local time; place of the slot in the season, that of the neighbour it is nearer to, and how near,
0 to 0.5; slots by which what belongs to this one may be early or late; weight of a window in the shape; what is left of
a record a window later; departures from which the first records are made; slots ahead of which the last season is
looked at as well: the length of a lasting departure.
"""


def places_of(
    rhythm: Rhythm, interval_ms: int, slots: NDArray[np.int64], into_ms: NDArray[np.int64]
) -> NDArray[np.void]:
    """Return the places of windows that end `into_ms` milliseconds into `slots`, both int64, shape (n_windows,).

    Once for all models of a block: what takes a dozen divisions is not done for each.
    """
    places = np.zeros(len(slots), PLACE)
    places["slot"] = slots
    places["kept"] = 1.0
    if rhythm.lag == 0:
        places["here"] = places["neighbour"] = NO_PLACE
        return places
    off = into_ms / rhythm.slot_ms - 0.5
    places["here"] = slots % rhythm.lag
    places["neighbour"] = (slots + np.where(off > 0.0, 1, -1)) % rhythm.lag
    places["nearness"] = np.abs(off)
    places["late"] = 1 if rhythm.lag >= MIN_SLOTS_LATE else 0
    places["weight"] = SEASON_WEIGHT * min(1.0, interval_ms / rhythm.slot_ms)
    places["kept"] = 1.0 - interval_ms / MEMORY_MS
    places["youth"] = max(YOUTH_MS / interval_ms, MIN_YOUTH_WINDOWS)
    places["reach"] = min(-(-LASTING_WINDOWS * interval_ms // rhythm.slot_ms), rhythm.lag // 4)
    return places


def allocate_shape(n_models: int, n_metrics: int, rhythm: Rhythm) -> Shape:
    """Return shapes for `n_models` models; a model is usable after `reset_routine`."""
    shape = (n_models, n_metrics, max(rhythm.lag, 1))
    return Shape(np.zeros(shape), np.zeros(shape))


@inner
def reset_routine(shape: Shape, model: int, metric: int, routine: Record) -> None:
    """Forget the routine of a metric."""
    shape.mean[model, metric] = np.nan
    shape.past[model, metric] = 0.0
    routine["n_departures"] = 0
    routine["new_slot"] = NO_SLOT
    routine["n_new"] = 0
    routine["level"] = 0.0
    routine["lasting"] = 0.0
    routine["slot"] = NO_SLOT
    routine["top"] = 0.0
    reset_record(routine["single_record"])
    reset_record(routine["lasting_record"])


@inner
def departure_of(
    shape: Shape, model: int, metric: int, routine: Record, place: Record, value: float
) -> Departure:
    """Return how far a value departs from the routine, and learn the value."""
    if place["here"] == NO_PLACE:
        return Departure(0.0, np.nan, AS_USUAL)
    mean = shape.mean[model, metric]
    if np.isnan(mean[place["here"]]):
        mean[place["here"]] = 0.0
        routine["new_slot"] = place["slot"]
        routine["n_new"] = 0
    said = mean[place["here"]]
    if routine["new_slot"] == place["slot"]:
        routine["n_new"] += 1
        mean[place["here"]] += (value - routine["level"] - said) / routine["n_new"]
        return Departure(0.0, np.nan, AS_USUAL)
    if not np.isnan(mean[place["neighbour"]]):
        said += place["nearness"] * (mean[place["neighbour"]] - said)
    usual = said + routine["level"]
    departure = value - usual
    if abs(departure) < ROUNDING * abs(value):
        departure = 0.0
    past = _past_of(shape.past[model, metric], routine, place)
    single = _beyond(mean, place, said, value - routine["level"])
    if single < ROUNDING * abs(value):
        single = 0.0
    times, kind = _learn(mean, routine, place, past, departure, single)
    return Departure(times, usual, kind)


@inner
def _beyond(mean: NDArray[np.float64], place: Record, said: float, above_level: float) -> float:
    """Return how far a value lies outside what is said here and what the shape is in the slots around."""
    low = high = said
    for slot in range(place["here"] - place["late"], place["here"] + place["late"] + 1):
        other = mean[_wrapped(slot, mean.shape[0])]
        if not np.isnan(other):
            low, high = min(low, other), max(high, other)
    return max(above_level - high, 0.0) + max(low - above_level, 0.0)


@inner
def _past_of(past: NDArray[np.float64], routine: Record, place: Record) -> float:
    """Return what lasted around this time a season ago, and file the last slot if it is over."""
    if routine["slot"] != place["slot"]:
        if routine["slot"] != NO_SLOT:
            past[routine["slot"] % past.shape[0]] = routine["top"]
        routine["slot"] = place["slot"]
        routine["top"] = 0.0
    # Of the slots around, those ahead: the ones behind hold today already.
    most = past[place["here"]]
    for ahead in range(1, place["reach"] + 1):
        most = max(most, past[_wrapped(place["here"] + ahead, past.shape[0])])
    return float(most)


@inner
def _wrapped(place: int, n_places: int) -> int:
    """Return a place that lies less than a season before or behind; without a division, it is done often."""
    if place < 0:
        return place + n_places
    return place - n_places if place >= n_places else place


@inner
def _learn(
    mean: NDArray[np.float64], routine: Record, place: Record, past: float, departure: float, single: float
) -> tuple[float, int]:
    """Return how many times the record this departure, or the lasting one, is, and which; enter it everywhere."""
    routine["n_departures"] += 1
    is_young = routine["n_departures"] <= place["youth"]
    routine["lasting"] += LASTING_WEIGHT * (departure - routine["lasting"])
    lasting = abs(routine["lasting"])
    most_lasting = routine["lasting_record"]["most"]
    single_times = compare(routine["single_record"], single, is_young, place["kept"])
    lasting_times = compare(routine["lasting_record"], lasting, is_young, place["kept"])
    times = single_times if single > NEWS * past else 0.0
    kind = AT_ONCE if times >= 1.0 else AS_USUAL
    is_news = lasting > NEWS * past or (past <= most_lasting and lasting_times > STRIKING)
    if is_news and lasting_times > times:
        times = lasting_times
        if kind == AS_USUAL:
            kind = LASTING_ABOVE if routine["lasting"] > 0.0 else LASTING_BELOW
    routine["top"] = max(routine["top"], lasting)
    routine["level"] += LEVEL_WEIGHT * departure
    if not is_young:
        most = max(MOST_LEARNT * routine["single_record"]["most"], past)
        departure = min(max(departure, -most), most)
    mean[place["here"]] += place["weight"] * departure
    return min(times, MOST_TIMES), kind
