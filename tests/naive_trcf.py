"""Slow and obvious twin of the plugin-compatible profile beside its forest: whole histories in lists.

It imports nothing of the product. The forest is handed in as an object with `score`, `attribute`, `impute`, `reach`,
`learn` and `forget`. Written from the description of the reference's NORMALIZE transform, streaming imputation,
BasicThresholder and PredictorCorrector (4.3), with the plugin's settings.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

Point = list[float]
UNKNOWN = float("nan")


class Forest(Protocol):
    """What the twin asks of a forest; points are in its own units."""

    def score(self, point: Point) -> float: ...
    def attribute(self, point: Point) -> tuple[Point, Point]: ...
    def impute(self, point: Point, missing: Sequence[int]) -> Point: ...
    def reach(self, point: Point) -> list[Point]: ...
    def learn(self, point: Point) -> None: ...
    def forget(self) -> None: ...


def single(value: float) -> float:
    """Round to a float of 32 bits."""
    return struct.unpack("f", struct.pack("f", value))[0]


@dataclass
class Statistic:
    """Discounted mean and deviation, from all values there ever were."""

    discount: float
    values: list[float] = field(default_factory=list)

    def weights(self) -> list[float]:
        n = len(self.values)
        return [(1 - self.discount) ** (n - 1 - i) for i in range(n)]

    def mean(self) -> float:
        weights = self.weights()
        return (
            sum(w * v for w, v in zip(weights, self.values, strict=True)) / sum(weights)
            if self.values
            else 0.0
        )

    def deviation(self) -> float:
        weights, mean = self.weights(), self.mean()
        squares = [(value - mean) ** 2 for value in self.values]
        return (
            math.sqrt(sum(w * s for w, s in zip(weights, squares, strict=True)) / sum(weights))
            if self.values
            else 0.0
        )


class Feature:
    """Statistics of one feature."""

    def __init__(self, decay: float) -> None:
        self.value, self.change, self.spread = Statistic(decay), Statistic(decay), Statistic(decay)
        self.noise = Statistic(0.1 * decay)

    def learn(self, value: float, previous: float, *, known: bool) -> None:
        if known:
            self.value.values.append(value)
            self.spread.values.append(self.value.deviation())
        self.change.values.append(value - previous if self.change.values else 0.0)
        self.noise.values.append(self.change.deviation())

    @property
    def scale(self) -> float:
        return self.spread.mean() + 1.0


class Thresholder:
    """Scores to threshold and grade."""

    def __init__(self, decay: float) -> None:
        self.scores, self.changes = Statistic(decay), Statistic(0.005)
        self.below = Statistic(decay / 2)

    def judge(self, score: float, shingle_size: int) -> tuple[float, float]:
        n, mean, usual = len(self.scores.values), self.scores.mean(), self.scores.deviation()
        ramp = 0.0 if n < 10 else min((n - 10) / 10, 1.0)
        z = max(2.0, 3.0 * mean / 0.9 if mean < 0.9 else 3.0)
        calm = math.sqrt(2) * self.below.deviation()
        if shingle_size == 1:
            long = min(calm, usual)
        else:
            long = 0.5 * min(usual, max(self.changes.deviation(), calm)) + 0.5 * self.changes.deviation()
        sigma = (z - 1) * long + usual
        lowest = 0.8 * mean / 0.9 if ramp == 1.0 and mean < 0.9 else 0.8
        threshold = max(lowest, ramp * (mean + sigma) + (1 - ramp) * 1.5 if n >= 10 else 1.5)
        if score < threshold:
            return threshold, 0.0
        if n < 10:
            surprise = min((score - 0.8) / 0.8, 1.0)
        else:
            surprise = min((score - threshold) / sigma, 1.0) if sigma > 0 else 2.0
        grade = min(math.floor(20 * single(surprise)) / 16, 1.0)
        return (threshold if grade > 0 else score), grade

    def learn(self, score: float, corrected: float, last: float) -> None:
        value = min(score, 2.0)
        if self.scores.mean() > value:
            self.below.values.append(self.scores.mean() - value)
        self.scores.values.append(value)
        self.changes.values.append(corrected - last)


@dataclass
class Said:
    """What the twin says about a row."""

    score: float = UNKNOWN
    grade: float = UNKNOWN
    threshold: float = UNKNOWN
    confidence: float = UNKNOWN
    share: list[float] | None = None
    expected: list[float] | None = None


@dataclass
class Alarm:
    """The last alarm, by the step it came at."""

    step: int = 0
    score: float = 0.0
    wanted: Point | None = None
    shift: list[float] | None = None


class Model:
    """One model of the profile."""

    def __init__(
        self,
        n_features: int,
        shingle_size: int,
        decay: float,
        interval_ms: int,
        forest: Forest,
        margin: Sequence[Sequence[float]] | None = None,
        filler: Sequence[float] | None = None,
    ) -> None:
        self.f, self.s, self.decay, self.forest = n_features, shingle_size, decay, forest
        self.margin = margin or [[0.0] * n_features] * 4
        self.filler = filler or [UNKNOWN] * n_features
        self.features = [Feature(decay) for _ in range(n_features)]
        self.thresholder = Thresholder(decay)
        self.quality, self.interval_ms = Statistic(decay), interval_ms
        self.waiting: list[tuple[int, list[float]]] = []
        self.steps: list[tuple[list[float], Point, bool]] = []
        self.imputed, self.seen, self.gain, self.last_ms = [True] * shingle_size, 0, 1.0, 0
        self.alarm, self.after_alarm = Alarm(), False
        self.last_score = self.last_threshold = 0.0
        self.run, self.actual, self.wanted = 0, self._runs(), self._runs()

    def _runs(self) -> list[Statistic]:
        return [Statistic(self.decay) for _ in range(self.f)]

    # --- steps, shingle and forest ---

    def shingle(self, steps: Sequence[Any]) -> Point:
        points = [point for _, point, _ in steps][-self.s :]
        return [0.0] * (self.f * (self.s - len(points))) + [value for point in points for value in point]

    def scaled(self, point: Point) -> Point:
        return [single(value * self.gain) for value in point]

    def usual_gain(self) -> float:
        recent = [point for _, point, _ in self.steps][-512:]
        columns = list(zip(*recent, strict=True))
        spread = max(sum(v * v for v in c) / len(c) - (sum(c) / len(c)) ** 2 for c in columns)
        if spread <= 0:
            return 1.27
        largest = max(abs(value) for point in recent for value in point)
        return min(max(min(1 / math.sqrt(spread), 127.0 / (4 * largest)), 1.27), 2.0**20)

    def refill(self, gain: float) -> None:
        self.gain = gain
        self.forest.forget()
        first = max(len(self.steps) - 512, 0) + self.s - 1
        for end in range(first, len(self.steps)):
            if self.steps[end][2]:
                self.forest.learn(self.scaled(self.shingle(self.steps[: end + 1])))

    def take(self, values: list[float], point: Point, *, imputed: bool) -> None:
        self.imputed.append(imputed)
        share = sum(self.imputed[-self.s :]) / self.s
        self.quality.values.append(1 - share)
        taken = (share < 0.5 or self.s == 1) and len(self.steps) + 1 >= self.s
        self.steps.append((list(values), point, taken))
        largest = max(map(abs, point))
        if largest * self.gain > 127.0:
            self.refill(max(min(self.usual_gain(), 127.0 / (4 * largest)), 1.27))
        elif taken:
            self.forest.learn(self.scaled(self.shingle(self.steps)))
        n = len(self.steps)
        if n >= 64 and n & (n - 1) == 0 and self.usual_gain() > 4 * self.gain:
            self.refill(self.usual_gain())

    def normal(self, values: Sequence[float], shift: Sequence[float], scale: Sequence[float]) -> Point:
        rows = zip(values, shift, scale, strict=True)
        return [single(min(max((v - m) / d, -100.0), 100.0)) for v, m, d in rows]

    def previous(self) -> list[float]:
        return self.steps[-1][0] if self.steps else [0.0] * self.f

    # --- the first ten rows ---

    def begin(self) -> None:
        times = [time for time, _ in self.waiting]
        columns = [self.complete([row[i] for _, row in self.waiting], self.filler[i]) for i in range(self.f)]
        rows = [list(row) for row in zip(*columns, strict=True)]
        whole = [Statistic(self.decay, list(column)) for column in columns]
        shift, scale = [one.mean() for one in whole], [one.deviation() + 1 for one in whole]
        for index, row in enumerate(rows):
            before = max(index - 1, 0)
            passed = times[index] - times[before]
            missed = self.missed(passed)
            for step in range(missed):
                part = (step + 1) / (missed + 1)
                line = [a + (b - a) * part for a, b in zip(rows[before], row, strict=True)]
                self.take(line, self.normal(line, shift, scale), imputed=True)
            for feature, value, previous in zip(self.features, row, self.previous(), strict=True):
                feature.learn(value, previous, known=True)
            self.take(row, self.normal(row, shift, scale), imputed=False)
        self.refill(self.usual_gain())

    @staticmethod
    def complete(column: list[float], filler: float) -> list[float]:
        known = [i for i, value in enumerate(column) if not math.isnan(value)]
        out = []
        for i, value in enumerate(column):
            left = max((k for k in known if k <= i), default=None)
            right = min((k for k in known if k >= i), default=None)
            if not math.isnan(value):
                out.append(value)
            elif not math.isnan(filler):
                out.append(filler)
            elif left is None or right is None:
                end = right if left is None else left
                out.append(0.0 if end is None else column[end])
            else:
                out.append(column[left] + (column[right] - column[left]) * (i - left) / (right - left))
        return out

    def missed(self, passed_ms: int) -> int:
        late = passed_ms / self.interval_ms
        return 0 if self.s == 1 or late < 1.5 else round(late) - 1

    # --- a row ---

    def observe(self, time_ms: int, row: list[float]) -> Said:
        if self.seen < 10:
            self.waiting.append((time_ms, row))
            self.seen += 1
            if self.seen == 10:
                self.begin()
            self.last_ms = time_ms
            return Said()
        self.shift = [feature.value.mean() for feature in self.features]
        self.scale = [feature.scale for feature in self.features]
        self.noise = [feature.noise.mean() for feature in self.features]
        previous, passed = self.previous(), time_ms - self.last_ms
        fill = [p if math.isnan(c) else c for p, c in zip(previous, self.filler, strict=True)]
        filled = [g if math.isnan(v) else v for v, g in zip(row, fill, strict=True)]
        missed = self.missed(passed)
        gap_step = (fill, self.normal(fill, self.shift, self.scale), False)
        new_step = (filled, self.normal(filled, self.shift, self.scale), False)
        point = self.shingle([*self.steps[-self.s :], *[gap_step] * min(missed, self.s), new_step])
        said = Said()
        first = max(32, self.s) - self.s + 1
        if len(self.steps) >= first and any(taken for _, _, taken in self.steps):
            said = self.verdict(point, filled, len(self.steps) + missed + 1, first)
        for _ in range(missed):
            self.take(fill, gap_step[1], imputed=True)
        self.take(filled, new_step[1], imputed=all(map(math.isnan, row)))
        self.seen += not all(map(math.isnan, row))
        self.last_ms = time_ms
        for feature, value, full, before in zip(self.features, row, filled, previous, strict=True):
            feature.learn(full, before, known=not math.isnan(value))
        if said.grade > 0:
            self.alarm.shift = [f.value.mean() - s for f, s in zip(self.features, self.shift, strict=True)]
        return said

    def confidence(self, first: int) -> float:
        age, quality = self.decay * self.seen, self.quality.mean()
        if age >= 20:
            return min(1.0, quality)
        young = math.exp(self.decay * min(self.seen, first))
        return max(0.0, quality * (math.exp(age) - young) / (math.exp(age) - 1))

    def verdict(self, point: Point, filled: list[float], step: int, first: int) -> Said:
        score = self.forest.score(self.scaled(point))
        if score == 0:
            return Said()
        threshold, grade = self.thresholder.judge(score, self.s)
        said = Said(score, grade, threshold, self.confidence(first))
        corrected, reason, wanted, block = score, "", None, 0
        if grade > 0:
            gap = step - self.alarm.step
            candidate = self.is_candidate(score, threshold)
            said.grade, corrected, reason, wanted, block = self.correct(point, gap, score, threshold, grade)
            if candidate:
                said.grade, reason = self.settle(point, gap, said.grade, reason, wanted)
        if said.grade > 0 or (reason and self.run):
            self.run += 1
        elif not reason:
            self.run, self.actual, self.wanted = 0, self._runs(), self._runs()
        self.thresholder.learn(score, corrected, self.last_score if self.s > 1 else 0.0)
        self.last_score, self.last_threshold = score, threshold
        self.after_alarm = said.grade > 0 and wanted is not None
        if said.grade > 0:
            self.alarm = Alarm(step, score, wanted)
            self.tell(said, point, filled, wanted, block)
        return said

    def is_candidate(self, score: float, threshold: float) -> bool:
        if not self.thresholder.scores.values:
            return False
        allowed = max(0.2, self.run / (2 * max(10, self.s)))
        discount = max(threshold, self.last_threshold) * (1 + allowed)
        return score > self.last_score or self.last_score - self.last_threshold > score - discount

    # --- corrections ---

    def undone(self, point: Point, gap: int) -> Point:
        corrected = list(point)
        if self.alarm.wanted is not None and gap < self.s:
            kept = self.alarm.wanted[gap * self.f :]
            corrected[: len(kept)] = kept
        if self.alarm.shift is not None and not self.after_alarm and gap < 2 * self.s:
            left = math.exp(-gap * self.decay)
            for column in range(len(point) - min(gap, self.s) * self.f, len(point)):
                change = self.alarm.shift[column % self.f] * left / self.scale[column % self.f]
                corrected[column] = single(corrected[column] + min(max(change, -1e6), 1e6))
        return corrected

    def parts(self, point: Point) -> tuple[Point, Point]:
        return self.forest.attribute(self.scaled(point))

    def correct(
        self, point: Point, gap: int, score: float, threshold: float, grade: float
    ) -> tuple[float, float, str, Point | None, int]:
        f, width = self.f, len(point)
        corrected = self.undone(point, gap)
        limits = [0.001 * (1 + abs(shift)) for shift in self.shift]
        if all(abs(v) * self.scale[i % f] <= limits[i % f] for i, v in enumerate(corrected)):
            return 0.0, score, "rounding", None, 0
        high, low = self.parts(corrected)
        both = [h + w for h, w in zip(high, low, strict=True)]
        sums = {b: sum(both[width + (b - 1) * f : width + b * f]) for b in range(1 - min(gap, self.s), 1)}
        block = max(sums, key=lambda b: (sums[b], -b))
        start = width + (block - 1) * f
        missing = self.to_impute(both[start : start + f], start, width)
        wanted = None
        if missing:
            imputed = self.forest.impute(self.scaled(corrected), missing)
            wanted = [single(imputed[i] / self.gain) if i in missing else v for i, v in enumerate(corrected)]
        ideal, enough = score, True
        if wanted is not None and gap * f < width:
            other = self.parts(wanted)
            ideal = sum(other[0]) + sum(other[1])
            news = sum(
                abs(high[i] - other[0][i]) + abs(low[i] - other[1][i]) for i in range(width - gap * f, width)
            )
            enough = news > 0.3 * self.alarm.score and news * width / (gap * f) > 1.2 * threshold
            if corrected != point and sum(both) > threshold and not enough:
                return 0.0, score, "in shingle", None, block
        self.box = self.tolerance(point, start)
        if self.is_explained(point, corrected, start):
            return 0.0, score, "explained", None, block
        if wanted is None:
            return grade, sum(both) if corrected != point else score, "", None, block
        if not enough or self.is_within(point, wanted, start):
            return 0.0, score, "forecast" if enough else "in shingle", wanted, block
        self.share = [value / sum(both[start : start + f]) for value in both[start : start + f]]
        return grade, ideal, "", wanted, block

    def to_impute(self, parts: list[float], start: int, width: int) -> list[int]:
        if len(parts) == 1:
            return [start] if width > 1 else []
        total, largest = sum(parts), max(parts)
        if largest < 0.1 * total:
            return []
        picked = [i for i, p in enumerate(parts) if p >= min(0.1 * total, 0.1) or p == largest]
        missing = [start + i for i in picked if parts[i] > 0.1 * total or parts[i] == largest]
        return missing if len(picked) <= 5 and 2 * len(missing) <= width else []

    def tolerance(self, point: Point, start: int) -> tuple[list[float], list[float]]:
        above, below = [], []
        for i in range(self.f):
            column = point[start + i :: self.f]
            moves = [abs(a - b) for a, b in pairwise(column)]
            path = sum(moves) / len(moves) if moves else 0.0
            slack = 0.001 * (self.scale[i] + abs(self.shift[i])) if self.shift[i] != 0 else 0.0
            least = max(self.scale[i] * path, self.noise[i]) + slack + 0.001
            value = abs(self.scale[i] * point[start + i] + self.shift[i])
            above.append(max(self.margin[0][i], self.margin[2][i] * value, least))
            below.append(max(self.margin[1][i], self.margin[3][i] * value, least))
        return above, below

    def is_within(self, point: Point, other: Point, start: int) -> bool:
        offs = [self.scale[i] * (point[start + i] - other[start + i]) for i in range(self.f)]
        return all(-b <= off <= a for off, a, b in zip(offs, *self.box, strict=True))

    def is_explained(self, point: Point, corrected: Point, start: int) -> bool:
        reached = self.forest.reach(self.scaled(corrected))
        held = self.scaled(corrected)
        distances = [math.dist(one, held) for one in reached]
        mean = sum({tuple(one): d for one, d in zip(reached, distances, strict=True)}.values()) / len(
            set(map(tuple, reached))
        )
        near = [one for one, d in zip(reached, distances, strict=True) if d < 1.1 * mean]
        like = [one for one in near if self.is_within(point, [v / self.gain for v in one], start)]
        return len(like) >= 0.1 * len(reached)

    def settle(
        self, point: Point, gap: int, grade: float, reason: str, wanted: Point | None
    ) -> tuple[float, str]:
        now = point[-self.f :]
        for i in range(self.f):
            self.actual[i].values.append(now[i])
            if wanted is not None:
                self.wanted[i].values.append(wanted[-self.f :][i])
        if self.run > 2 and grade > 0 and all(self.stays(i, now, wanted) for i in range(self.f)):
            return 0.0, "drift"
        if grade > 0 and self.run > 0 and gap < self.s:
            return 0.0, "once"
        return grade, reason

    def stays(self, i: int, now: Point, wanted: Point | None) -> bool:
        actual, expected = self.actual[i], self.wanted[i]
        if abs(actual.mean() - now[i]) >= max(2 * actual.deviation(), self.noise[i] / self.scale[i]):
            return False
        if wanted is None:
            return True
        wide = 2 * max(expected.deviation(), actual.deviation()) + 0.1 * abs(actual.mean() - expected.mean())
        return abs(expected.mean() - wanted[-self.f :][i]) < wide

    def tell(self, said: Said, point: Point, filled: list[float], wanted: Point | None, block: int) -> None:
        if wanted is None or block != 0:
            return
        said.share, first = self.share, len(point) - self.f
        said.expected = [
            filled[i]
            if wanted[first + i] == point[first + i]
            else wanted[first + i] * self.scale[i] + self.shift[i]
            for i in range(self.f)
        ]
