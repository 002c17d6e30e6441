"""Slow and obvious twin of a model beside its forest: whole histories in lists, every rule read off its definition.

It imports nothing of the product. The forest is handed in as two functions, so that both can use the same one.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Row = Sequence[float]


@dataclass
class Season:
    """Where the same time of the season before lies, in slots."""

    interval_ms: int

    @property
    def slot_ms(self) -> int:
        return max(15 * 60_000, self.interval_ms)

    @property
    def lag_ms(self) -> int:
        """A day if it has four windows, else a week if that has, else none."""
        return next((lag for lag in (DAY_MS, 7 * DAY_MS) if lag >= 4 * self.interval_ms), 0)

    def slot(self, time_ms: int) -> int:
        return (time_ms + self.slot_ms // 2) // self.slot_ms

    def into_slot(self, time_ms: int) -> float:
        """Return the place in its slot, -0.5 to 0.5."""
        return (time_ms + self.slot_ms // 2) % self.slot_ms / self.slot_ms - 0.5

    def in_slots(self, span_ms: int) -> int:
        """Return the nearest number of slots, the smaller of two."""
        return math.ceil(span_ms / self.slot_ms - 0.5)

    def around(self, time_ms: int, hours: int) -> range:
        """Slots a season before `time_ms`, so many hours to either side, or two windows, at most three hours."""
        if not self.lag_ms:
            return range(0)
        tolerance = min(max(hours * HOUR_MS, 2 * self.interval_ms if hours else 0), 3 * HOUR_MS)
        middle, reach = self.slot(time_ms) - self.in_slots(self.lag_ms), self.in_slots(tolerance)
        return range(middle - reach, middle + reach + 1)

    def hour(self, time_ms: int) -> int:
        """Return the number of the hour of a time, of whole slots, or of the slot where that is longer."""
        return self.slot(time_ms) // self.slots_an_hour

    @property
    def slots_an_hour(self) -> int:
        return max(1, HOUR_MS // self.slot_ms)

    def week_before(self, time_ms: int) -> range:
        """Hours a week before `time_ms`, one to either side, where the season is a day."""
        if self.lag_ms != DAY_MS:
            return range(0)
        lag = math.ceil(7 * DAY_MS / (self.slots_an_hour * self.slot_ms) - 0.5)
        middle = self.hour(time_ms) - lag
        return range(middle - 1, middle + 2)


@dataclass
class Skew:
    """Which side of a metric's noise has a long tail, and by what it is straightened."""

    middle: float = 0.0
    unit: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> "Skew":
        """Decide from the values of the warm-up, of which there must be 128."""
        if len(values) < 128:
            return cls()
        (below, above), far = (sides(noise(values, around)) for around in (9, 25))
        if max(below, above) <= 2.6 * min(below, above) or max(far) > 7 * min(far):
            return cls()
        short = sides(values)
        return cls(sorted(values)[len(values) // 2], short[0] if above > below else -short[1])

    def straight(self, value: float) -> float:
        if self.unit == 0 or (value - self.middle) * self.unit <= 0:
            return value
        return self.middle + self.unit * math.log(1 + (value - self.middle) / self.unit)


def noise(values: Sequence[float], around: int) -> list[float]:
    """Return what values differ by from the median of those around them."""
    firsts = [min(max(place - around // 2, 0), len(values) - around) for place in range(len(values))]
    return [
        value - statistics.median(values[first : first + around])
        for value, first in zip(values, firsts, strict=True)
    ]


def sides(values: Sequence[float]) -> tuple[float, float]:
    """Return how far the means of the lowest and of the highest quarter lie from the median."""
    ordered, quarter = sorted(values), len(values) // 4
    middle = ordered[len(values) // 2]
    return middle - mean(ordered[:quarter]), mean(ordered[-quarter:]) - middle


def outside(past: Sequence[float], value: float) -> float:
    """Return how far a value lies outside the range of others."""
    return max(value - max(past), min(past) - value, 0.0)


@dataclass
class Metric:
    """History of a metric, without what was missing: what the season has seen; values and residuals of the columns."""

    season: Season
    skew: Skew = field(default_factory=Skew)
    seen: list[tuple[int, float]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    day_error: float = 0.0
    week_error: float = 0.0

    def past(self, time_ms: int, hours: int) -> list[float]:
        slots = self.season.around(time_ms, hours)
        return [value for time, value in self.seen if self.season.slot(time) in slots]

    def reach(self, value: float) -> float:
        value = self.skew.straight(value)
        farthest = max((abs(value - old) for old in self.values), default=0.0)
        if farthest == 0:
            return 0.0
        span = max(self.values) - min(self.values)
        return farthest / span if span else math.inf

    def push(self, time_ms: int, value: float, *, has_past: bool) -> None:
        past = self.compared_with(time_ms, value) if has_past else []
        past = [self.skew.straight(old) for old in past]
        value = self.skew.straight(value)
        residual = 0.0
        if past and value > max(past):
            residual = value - max(past)
        if past and value < min(past):
            residual = value - min(past)
        self.values.append(value)
        self.residuals.append(residual)

    def compared_with(self, time_ms: int, value: float) -> list[float]:
        """Values of yesterday, and of a week ago if values have left those by less than half as much lately."""
        past = self.past(time_ms, hours=1)
        hours = self.season.week_before(time_ms)
        week = [old for time, old in self.seen if self.season.hour(time) in hours]
        if not week:
            return past
        if past:
            self.day_error += (outside(past, value) - self.day_error) / 576
            self.week_error += (outside(week, value) - self.week_error) / 576
        return [*past, *week] if self.week_error < self.day_error / 2 else past

    def mean(self, span: int) -> float:
        return mean(self.values[-span:])

    def features(self) -> list[float]:
        return [*(self.mean(span) for span in (1, 4, 16, 64)), mean(self.residuals[-16:])]


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


@dataclass
class Scale:
    """Median and standard deviation of the first four columns over the warm-up; the fifth goes with the value."""

    centers: list[float]
    spreads: list[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Scale":
        columns = [
            [mean(values[max(0, end - span) : end]) for end in range(1, len(values) + 1)]
            for span in (1, 4, 16, 64)
        ]
        spreads = [statistics.pstdev(column) if len(set(column)) > 1 else 0.0 for column in columns]
        return cls([*map(statistics.median, columns), 0.0], [*spreads, spreads[0]])

    def apply(self, features: Sequence[float]) -> list[float]:
        if self.spreads[0] == 0.0:
            self.spreads = [abs(features[0] - self.centers[0])] * 5
        return [
            squash((feature - center) / spread) if spread else 0.0
            for feature, center, spread in zip(features, self.centers, self.spreads, strict=True)
        ]


def squash(ratio: float) -> float:
    size = abs(ratio)
    if size > 4:
        size = min(4 + 4 * math.log(size / 4), 127)
    return math.copysign(size, ratio)


@dataclass
class Surprise:
    """How far values fall outside their bands, in logarithms, against the mean of the peaks so far."""

    season: Season
    slots: list[int] = field(default_factory=list)
    excesses: list[float] = field(default_factory=list)
    usual: float = 0.2
    n_peaks: int = 8
    peak: float = 0.0

    def forget_season(self) -> None:
        self.slots, self.excesses = [], []

    def rarity(self, time_ms: int, excess: float) -> float:
        """Return what exceeds the season before, in units of the mean."""
        past = self.season.around(time_ms, hours=1)
        beyond = excess - max(
            [0.0, *(e for s, e in zip(self.slots, self.excesses, strict=True) if s in past)]
        )
        self.slots.append(self.season.slot(time_ms))
        self.excesses.append(excess)
        if beyond > 0:
            self.peak = max(self.peak, min(beyond, 6 * self.usual))
            return beyond / self.usual
        if self.peak > 0:
            self.n_peaks = min(self.n_peaks + 1, 64)
            self.usual += (self.peak - self.usual) / self.n_peaks
            self.peak = 0.0
        return 0.0


@dataclass
class Record:
    """The largest departure on record, which fades over a year, and the runs that make it."""

    most: float = 0.0
    run: list[float] = field(default_factory=list)

    def times(self, size: float, *, is_young: bool, years: float) -> float:
        """Return how many times the record a departure is, and enter it; a run that broke it by far counts little."""
        self.most *= 1 - years
        if is_young:
            self.most = max(self.most, size)
            return 0.0
        before = self.most
        if size > 0.5 * before:
            self.run.append(size)
        elif self.run:
            top, self.run = max(self.run), []
            self.most = 1.05 * before if 0 < 1.2 * before < top else max(before, top)
        return size / before if before > 0 else 0.0


@dataclass
class Routine:
    """Shape of a season in slots, on the level of the last hour, and the records of what departed from it."""

    season: Season
    shape: dict[int, float] = field(default_factory=dict)
    new: dict[int, list[float]] = field(default_factory=dict)
    n_departures: int = 0
    level: float = 0.0
    lasting: float = 0.0
    here: int = 0
    past: dict[int, float] = field(default_factory=dict)
    lasted: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.single_record, self.lasting_record = Record(), Record()

    def departure(self, time_ms: int, value: float) -> float:
        """Return how many times the record the value or the last ones depart, and learn the value."""
        if not self.season.lag_ms:
            return 0.0
        n_slots, slot = self.season.in_slots(self.season.lag_ms), self.season.slot(time_ms)
        here = self.here = slot % n_slots
        if here not in self.shape or slot in self.new:
            self.new.setdefault(slot, []).append(value - self.level)
            self.shape[here] = mean(self.new[slot])
            return 0.0
        into = self.season.into_slot(time_ms)
        beside = (here + (1 if into > 0 else -1)) % n_slots
        neighbour = self.shape.get(beside, self.shape[here])
        for over in [other for other in self.lasted if other != slot]:
            self.past[over % n_slots] = max(self.lasted.pop(over))
        reach = min(math.ceil(12 * self.season.interval_ms / self.season.slot_ms), n_slots // 4)
        past = max(self.past.get((here + ahead) % n_slots, 0.0) for ahead in range(reach + 1))
        said = (1 - abs(into)) * self.shape[here] + abs(into) * neighbour
        late = 1 if n_slots >= 24 else 0
        around = [self.shape.get((here + off) % n_slots, said) for off in range(-late, late + 1)]
        departure = value - said - self.level
        single = max(0.0, value - self.level - max(said, *around), min(said, *around) - value + self.level)
        least = 1e-9 * abs(value)
        times = self.learn(*(0.0 if abs(size) < least else size for size in (departure, single)), past)
        self.lasted.setdefault(slot, []).append(abs(self.lasting))
        return times

    def learn(self, departure: float, single: float, past: float) -> float:
        interval_ms = self.season.interval_ms
        self.n_departures += 1
        is_young = self.n_departures <= max(6 * DAY_MS / interval_ms, 720)
        self.lasting = (2 * departure + 11 * self.lasting) / 13
        years = interval_ms / (365 * DAY_MS)
        times = [0.0]
        record = self.lasting_record.most
        found = self.single_record.times(single, is_young=is_young, years=years)
        if single > 3 * past:
            times.append(found)
        found = self.lasting_record.times(abs(self.lasting), is_young=is_young, years=years)
        if abs(self.lasting) > 3 * past or (past <= record and found > 1.5):
            times.append(found)
        self.level += departure / 12
        most = math.inf if is_young else max(0.3 * self.single_record.most, past)
        share = 0.2 * min(1, interval_ms / self.season.slot_ms)
        self.shape[self.here] += share * max(-most, min(most, departure))
        return min(max(times), 1e6)


def excess(said: tuple[float, float, float], value: float) -> float:
    """Return the logarithm of how many times the reach of its side of the band a value is off, 0 to 3."""
    expected, lower, upper = said
    reach = upper - expected if value >= expected else expected - lower
    off = abs(value - expected)
    if math.isnan(expected) or off <= reach:
        return 0.0
    return min(3.0, math.log(off / reach)) if reach > 0 else 3.0


class Witness(NamedTuple):
    """What else is known of a row than the forest's score; of one that is replayed nothing."""

    is_inside: bool = False
    rarity: float = 0.0
    departure: float = 0.0


@dataclass
class Rule:
    """Discounted score, alarm and grade."""

    season: Season
    decay: float
    times: list[int] = field(default_factory=list)
    n_scores: int = 0
    season_scores: list[tuple[int, float]] = field(default_factory=list)
    alarms: list[tuple[int, float]] = field(default_factory=list)
    usual: float = 0.0
    echo: float = 0.0
    fatigue: float = 0.0
    lasting: float = 0.0
    budget: float = 0.0
    level: float = 0.0
    told: bool = False
    calm_ms: int = 0

    def youth(self, days: int) -> float:
        """Return what a bar is higher by in the first days: at least 256 windows, at most those of five minutes."""
        windows = min(max(days * DAY_MS / self.season.interval_ms, 256), days * 288)
        return 1.2 * max(0.0, 1 - self.n_scores / windows)

    @property
    def lasts(self) -> float:
        """Windows of four hours, at least 24 and at most 48."""
        return min(max(4 * HOUR_MS / self.season.interval_ms, 24), 48)

    def judge(
        self,
        time_ms: int,
        score: float,
        reach: float,
        witness: Witness,
        *,
        has_past: bool = True,
    ) -> tuple[float, float, float, int]:
        """Return grade, threshold, the share of such alarms that is right, and how long scores have been high."""
        if self.times:
            hours = (time_ms - self.times[-1]) / HOUR_MS
            self.echo *= math.exp(-hours / 12)
            self.fatigue *= math.exp(-hours / (14 * 24))
        else:
            self.usual = score
        slots = self.season.around(time_ms, hours=2)
        past = [s for t, s in self.season_scores if self.season.slot(t) in slots]
        excuse = self.usual if reach > 1.05 else max([self.usual, *(past if has_past else [])])
        before = self.lasting
        if self.n_scores >= 32:
            self.lasting += 2 / (self.lasts + 1) * (score - excuse - before)
        height = 2**self.level
        if self.lasting <= height * 0.16:
            self.calm_ms = time_ms
        rested = not self.alarms or time_ms - self.alarms[-1][0] > min(
            6 * HOUR_MS, 72 * self.season.interval_ms
        )
        wandered = reach >= 0.9 and witness.is_inside
        bar = height * (0.6 if witness.rarity >= 6 else 2.05 if wandered else 1.55) + self.youth(5)
        long = height * 0.32 + self.youth(8)
        needed = self.echo + self.fatigue
        enough = [bar + needed]
        if not self.told:
            enough.append(before + (long + needed - before) * (self.lasts + 1) / 2)
        threshold = max(0.0, excuse + min(enough))
        self.told = self.lasting >= height * 0.32 and (self.told or not rested)
        surplus = max(score - excuse - bar, -math.inf if self.told else self.lasting - long)
        ways = [surplus] if surplus >= self.echo + self.fatigue else []
        lasts = surplus > score - excuse - bar and witness.departure < 1 + height * 0.25
        if witness.departure >= 1 + height * 0.25:
            ways.append(math.log(witness.departure / (1 + height * 0.25)))
            threshold = 0.0
        grade, trust, lasted_ms = 0.0, 1.0, 0
        if rested and self.n_scores >= 32 and ways:
            grade = 1 - math.exp(-max(ways) - 0.1)
            trust = 1 / (1 + math.exp(0.25 * self.fatigue / 0.1 - 2 * max(ways)))
            lasted_ms = time_ms - self.calm_ms if lasts else 0
            self.alarms.append((time_ms, grade))
            self.echo = max(self.echo, *ways)
            self.fatigue += 0.1
            self.told = True
        if self.budget and self.n_scores >= 32:
            gained = (grade > 0) - self.budget * self.season.interval_ms / (7 * DAY_MS)
            self.level = min(max(self.level + gained / 4, -1), 3)
        if self.times:
            self.usual += max(self.decay, 1 / (self.n_scores + 2)) * (score - self.usual)
        self.times.append(time_ms)
        self.n_scores += 1
        if has_past:
            self.season_scores.append((time_ms, score))
        return grade, threshold, trust, lasted_ms


@dataclass
class Band:
    """Expected value of a metric and the band around it."""

    levels: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=lambda: [0.0] * 6)
    n_known: list[int] = field(default_factory=lambda: [0] * 6)
    outside: list[float] = field(default_factory=list)
    far_share: float = 0.0
    n_errors: int = 0
    scale: float = 0.0
    below: float = 2.5
    above: float = 2.5
    was_negative: bool = False

    def panel(self, metric: Metric, time_ms: int) -> list[float | None]:
        """Say what each predictor expects; None = nothing yet."""
        here, there = metric.past(time_ms, hours=0), metric.past(metric.seen[-1][0], hours=0)
        middle = (min(here) + max(here)) / 2 if here else None
        step = None
        if here and there:
            step = self.levels[0] + (min(here) + max(here)) / 2 - (min(there) + max(there)) / 2
        return [*self.levels, middle, step]

    def forecast(self, panel: Sequence[float | None]) -> tuple[float, float, float]:
        """Return expected value, lower and upper end."""
        speaking = [0] + [i for i in range(1, 6) if self.n_known[i] and panel[i] is not None]
        value = panel[min(speaking, key=lambda i: self.errors[i])]
        assert value is not None
        return value, value - self.below * self.scale, value + self.above * self.scale

    def learn(self, panel: Sequence[float | None], said: tuple[float, float, float], value: float) -> None:
        expected, lower, upper = said
        self.was_negative |= value < 0
        self.outside = [] if lower <= value <= upper else [*self.outside, value]
        if len(self.outside) == 8:
            self.start_again(panel, value)
            return
        is_far = self.n_errors >= 16 and abs(value - expected) > 2 * max(expected - lower, upper - expected)
        self.far_share += (is_far - self.far_share) / 64
        if is_far and self.far_share <= 1 / 8:
            return
        self.below = max(0.0, self.below + 0.1 * ((value < lower) - 0.02))
        self.above = max(0.0, self.above + 0.1 * ((value > upper) - 0.02))
        self.n_errors += 1
        self.scale += max(1 / 64, 1 / self.n_errors) * (abs(value - expected) - self.scale)
        for predictor, said_value in enumerate(panel):
            if said_value is not None:
                self.n_known[predictor] += 1
                weight = max(1 / 64, 1 / self.n_known[predictor])
                self.errors[predictor] += weight * (abs(value - said_value) - self.errors[predictor])
        for index, span in enumerate((1, 4, 16, 64)):
            self.levels[index] += max(2 / (span + 1), 1 / (self.n_errors + 1)) * (value - self.levels[index])

    def start_again(self, panel: Sequence[float | None], value: float) -> None:
        changes = [abs(b - a) for a, b in pairwise(self.outside)]
        self.scale = max(self.scale, statistics.median(changes))
        self.outside = []
        self.below = self.above = 2.5
        self.levels = [value] * 4
        self.errors[:4] = [self.scale] * 4
        for index in (4, 5):
            said_value = panel[index]
            if said_value is not None:
                self.errors[index] = max(self.errors[index], abs(value - said_value))


@dataclass
class Said:
    """What the twin says about one row."""

    expected: list[float]
    lower: list[float]
    upper: list[float]
    score: float = math.nan
    grade: float = math.nan
    threshold: float = math.nan
    confidence: float = math.nan
    lasted_ms: int = 0


@dataclass
class Model:
    """One model of several metrics in the five-column form.

    Parameters
    ----------
    score_and_update
        The forest: takes a point, returns its score, learns it.
    forget
        Makes the forest empty again.
    """

    seed: int
    n_metrics: int
    season: Season
    decay: float
    score_and_update: Callable[[list[float]], float]
    forget: Callable[[], None]
    rows: list[tuple[int, Row]] = field(default_factory=list)
    known_shares: list[float] = field(default_factory=list)
    scales: list[Scale] | None = None
    budget: float = 0.0

    def __post_init__(self) -> None:
        self.bands = [Band() for _ in range(self.n_metrics)]
        self.routines = [Routine(self.season) for _ in range(self.n_metrics)]
        self.skews = [Skew() for _ in range(self.n_metrics)]
        self.surprise = Surprise(self.season)
        self.restart()

    def restart(self) -> None:
        self.metrics = [Metric(self.season, skew) for skew in self.skews]
        self.rule = Rule(self.season, self.decay, budget=self.budget)
        self.surprise.forget_season()
        self.forget()

    def observe(self, time_ms: int, row: Row) -> Said:
        row = [value if math.isfinite(value) else math.nan for value in row]
        self.known_shares.append(sum(not math.isnan(value) for value in row) / len(row))
        said, outside = self.expect(time_ms, row)
        departure = max(
            0.0 if math.isnan(value) else routine.departure(time_ms, skew.straight(value))
            for routine, skew, value in zip(self.routines, self.skews, row, strict=True)
        )
        witness = Witness(outside == 0, self.surprise.rarity(time_ms, outside), departure)
        if self.known_shares[-1] == 0:
            return said
        self.rows.append((time_ms, row))
        verdict = (math.nan,) * 4 + (0,)
        if len(self.rows) <= 40:
            self.enter_season(time_ms, row)
        if len(self.rows) == 40:
            verdict = self.begin(witness)
        elif len(self.rows) == 192 + self.seed % 128:
            self.freeze(self.rows)
            self.restart()
            for old_time, old_row in self.rows[:-1]:
                self.step(old_time, old_row, Witness())
            verdict = self.step(time_ms, row, witness)
        elif len(self.rows) > 40:
            verdict = self.step(time_ms, row, witness)
        if self.scales:
            said.score, said.grade, said.threshold, trust, said.lasted_ms = verdict
            said.confidence = trust * self.confidence()
        return said

    def expect(self, time_ms: int, row: Row) -> tuple[Said, float]:
        said, outside = Said([], [], []), [0.0]
        for metric, band, value in zip(self.metrics, self.bands, row, strict=True):
            triple = told = (math.nan, math.nan, math.nan)
            if metric.seen:
                panel = band.panel(metric, time_ms)
                triple = told = band.forecast(panel)
                if not band.was_negative:
                    told = tuple(max(0.0, each) for each in triple)
                if not math.isnan(value):
                    outside.append(excess(triple, value))
                    band.learn(panel, triple, value)
            elif not math.isnan(value):
                band.levels = [value] * 4
                band.was_negative = value < 0
            for ends, end in zip((said.expected, said.lower, said.upper), told, strict=True):
                ends.append(end)
        return said, max(outside)

    def freeze(self, rows: Sequence[tuple[int, Row]]) -> None:
        every = [[values[i] for _, values in rows] for i in range(self.n_metrics)]
        columns = [[value for value in values if not math.isnan(value)] for values in every]
        self.skews = [Skew.of(column) for column in columns]
        self.routines = [
            Routine(self.season) if skew.unit else routine
            for skew, routine in zip(self.skews, self.routines, strict=True)
        ]
        self.scales = [
            Scale.of([skew.straight(value) for value in column])
            for skew, column in zip(self.skews, columns, strict=True)
        ]

    def enter_season(self, time_ms: int, row: Row) -> None:
        for metric, value in zip(self.metrics, row, strict=True):
            if not math.isnan(value):
                metric.seen.append((time_ms, value))

    def begin(self, witness: Witness) -> tuple[float, float, float, float, int]:
        """Learn the first forty rows in the scale of 32 of them, without a season; only the last is judged with one."""
        self.freeze(self.rows[:32])
        for time_ms, row in self.rows[:-1]:
            self.describe(time_ms, row, has_past=False)
            self.rule.judge(time_ms, self.score_and_update(self.point), self.reach, Witness(), has_past=False)
        time_ms, row = self.rows[-1]
        self.describe(time_ms, row, has_past=False)
        score = self.score_and_update(self.point)
        return score, *self.rule.judge(time_ms, score, self.reach, witness)

    def describe(self, time_ms: int, row: Row, *, has_past: bool = True) -> None:
        """Enter a row into the columns, and make the forest's point of them."""
        self.reach, self.point = 0.0, []
        for metric, value in zip(self.metrics, row, strict=True):
            if not math.isnan(value):
                self.reach = max(self.reach, metric.reach(value))
                metric.push(time_ms, value, has_past=has_past)
        for metric, scale in zip(self.metrics, self.scales or [], strict=True):
            self.point += scale.apply(metric.features()) if metric.values else [0.0] * 5

    def step(self, time_ms: int, row: Row, witness: Witness) -> tuple[float, float, float, float, int]:
        self.describe(time_ms, row)
        self.enter_season(time_ms, row)
        score = self.score_and_update(self.point)
        return score, *self.rule.judge(time_ms, score, self.reach, witness)

    def confidence(self) -> float:
        quality = 0.0
        for n_before, share in enumerate(self.known_shares):
            quality += max(self.decay, 1 / (n_before + 1)) * (share - quality)
        n_points = len(self.rows)
        if n_points <= 32:
            return 0.0
        trained = math.exp(self.decay * n_points)
        return quality * (trained - math.exp(self.decay * 32)) / (trained - 1)
