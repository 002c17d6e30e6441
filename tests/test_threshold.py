"""Scores to alarms: each part of the rule on scores made by hand."""

import math

import numpy as np
import pytest

from detector.model.season import (
    DAY_MS,
    HOUR_MS,
    MOMENT,
    RANGE,
    allocate_ring,
    reset_season,
    rhythm_of,
    slots_of,
    turn_to,
)
from detector.model.threshold import ALARM, THETA, Verdict, confidence, judge, make_pace, reset_alarm

INTERVAL_MS = 300_000
CALM = 0.8
DECAY = 1 / 2560
PACE = make_pace(DECAY, INTERVAL_MS)


class Bench:
    """A rule that has seen a day of calm scores."""

    def __init__(self, interval_ms: int = INTERVAL_MS, n_calm: int = 400) -> None:
        self.interval_ms = interval_ms
        self.rhythm = rhythm_of(interval_ms)
        self.ring = allocate_ring(1, 1, self.rhythm)
        self.moment = np.zeros(1, MOMENT)[0]
        self.ranges = np.zeros(1, np.dtype([("season", RANGE)], align=True))
        self.alarm = np.zeros(1, ALARM)[0]
        self.pace = make_pace(DECAY, interval_ms)
        self.time_ms = 1_400_000_000_000
        reset_season(self.ring, 0, self.moment, self.ranges)
        reset_alarm(self.alarm)
        for _ in range(n_calm):
            self.score(CALM)

    def score(self, value: float, *, novel: bool = False) -> Verdict:
        """Judge the next score."""
        self.time_ms += self.interval_ms
        slot = slots_of(self.rhythm, np.array([self.time_ms]))[0]
        turn_to(self.ring, self.rhythm, 0, self.moment, self.ranges, slot)
        past, rest_ms = self.moment["past_top_score"], self.rhythm.rest_ms
        verdict = judge(self.alarm, past, self.pace, rest_ms, self.time_ms, value, novel)
        self.moment["top_score"] = max(self.moment["top_score"], value)
        return Verdict(*verdict)

    def wait(self, hours: float, value: float = CALM) -> None:
        """Let calm scores pass."""
        for _ in range(round(hours * HOUR_MS / self.interval_ms)):
            self.score(value)


def test_an_alarm_begins_where_the_threshold_says() -> None:
    """A calm mean plus theta; the grade of a bare pass is 1 - exp(-0.1)."""
    _, threshold = Bench().score(CALM)
    assert threshold == pytest.approx(CALM + THETA)
    assert Bench().score(threshold - 1e-3).grade == 0
    assert Bench().score(threshold + 1e-9).grade == pytest.approx(1 - math.exp(-0.1))
    assert Bench().score(threshold + 1).grade == pytest.approx(1 - math.exp(-1.1))


def test_no_second_alarm_within_six_hours() -> None:
    """However high; after them a higher one alarms again."""
    bench = Bench()
    assert bench.score(2.0).grade > 0
    bench.wait(5.9)
    assert bench.score(6.0).grade == 0
    bench.wait(0.2)
    assert bench.score(6.0).grade > 0


def test_rest_is_time_and_not_windows() -> None:
    """Daily data may alarm on the next day."""
    bench = Bench(interval_ms=DAY_MS, n_calm=60)
    assert bench.score(2.0).grade > 0
    assert bench.score(4.0).grade > 0


def test_the_echo_of_an_alarm_asks_for_more_and_fades() -> None:
    """A lesser one is its aftermath for a day; days later it is news again."""
    for hours, alarms in ((8, False), (100, True)):
        bench = Bench()
        assert bench.score(2.0).grade > 0
        bench.wait(hours)
        assert (bench.score(1.8).grade > 0) == alarms


def test_each_alarm_tires_for_two_weeks() -> None:
    """After ten alarms the bar is higher by nearly one; it comes down by half in ten days."""
    bench = Bench()
    for _ in range(10):
        bench.alarm["fatigue"] += 0.1
    bench.alarm["last_alarm_ms"] = 0
    tired = bench.score(CALM).threshold
    bench.wait(14 * 24 * math.log(2))
    rested = bench.score(CALM).threshold
    assert tired == pytest.approx(CALM + THETA + 1.0, abs=0.01)
    assert rested == pytest.approx(CALM + THETA + 0.5, abs=0.01)


def test_what_was_as_unusual_yesterday_is_excused_unless_the_value_is_novel() -> None:
    """A daily job that scores high is no alarm on its second day, at its time or two hours off."""
    for novel in (False, True):
        bench = Bench()
        bench.score(2.0)
        bench.alarm["echo"] = bench.alarm["fatigue"] = 0.0
        bench.wait(24 + 1.5)
        assert (bench.score(2.0, novel=novel).grade > 0) == novel
        late = Bench()
        late.score(2.0)
        late.alarm["echo"] = late.alarm["fatigue"] = 0.0
        late.wait(24 + 3)
        assert late.score(2.0).grade > 0


def test_windows_of_seconds_do_not_mute_for_hours() -> None:
    """Below five minutes the rest is 72 windows."""
    bench = Bench(interval_ms=10_000)
    assert bench.score(2.0).grade > 0
    bench.wait(71 * 10_000 / HOUR_MS)
    assert bench.score(6.0).grade == 0
    bench.wait(2 * 10_000 / HOUR_MS)
    assert bench.score(6.0).grade > 0


@pytest.mark.parametrize("n_calm", [0, 31])
def test_scores_of_a_nearly_empty_forest_neither_alarm_nor_mute(n_calm: int) -> None:
    """The 33rd is the first that counts."""
    bench = Bench(n_calm=n_calm)
    assert bench.score(8.0).grade == 0
    bench.wait(32 * INTERVAL_MS / HOUR_MS)
    assert bench.score(8.0).grade > 0


@pytest.mark.parametrize(("n_points", "expected"), [(0, 0), (32, 0), (256, 0.880), (60_000, 1)])
def test_confidence_is_that_of_the_reference(n_points: int, expected: float) -> None:
    """Figures of AWS RCF with an output after 32 points; lower quality lowers it in proportion."""
    assert confidence(n_points, 1.0, PACE) == pytest.approx(expected, abs=1e-3)
    assert confidence(n_points, 0.5, PACE) == pytest.approx(expected / 2, abs=1e-3)
