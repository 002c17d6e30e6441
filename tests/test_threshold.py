"""Scores to alarms: each part of the rule on scores made by hand."""

import copy
import math

import numpy as np
import pytest

from detector.model.bars import (
    DEFAULT_BARS,
    DEPARTED,
    LASTING,
    STRONG,
    SUPPORTED,
    WANDERED,
    YOUTH,
    Bars,
    bars_of,
)
from detector.model.pace import make_pace
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
from detector.model.threshold import (
    ALARM,
    CALM_SHARE,
    COMMON,
    RARE,
    Verdict,
    Witness,
    confidence,
    judge,
    reset_alarm,
)

INTERVAL_MS = 300_000
CALM = 0.8
DECAY = 1 / 2560
PACE = make_pace(DECAY, INTERVAL_MS)


class Bench:
    """A rule that has seen calm scores for longer than it is young."""

    def __init__(self, interval_ms: int = INTERVAL_MS, n_calm: int = 2400, bars: Bars = DEFAULT_BARS) -> None:
        self.bars = bars
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

    def score(
        self,
        value: float,
        *,
        novel: bool = False,
        rarity: float = 0.0,
        departure: float = 0.0,
        wandered: bool = False,
    ) -> Verdict:
        """Judge the next score."""
        self.time_ms += self.interval_ms
        slot = slots_of(self.rhythm, np.array([self.time_ms]))[0]
        turn_to(self.ring, self.rhythm, 0, self.moment, self.ranges, slot)
        past, rest_ms = self.moment["past_top_score"], self.rhythm.rest_ms
        witness = Witness(novel, rarity, departure, wandered)
        verdict = judge(self.alarm, past, self.pace, self.bars, rest_ms, self.time_ms, value, witness)
        self.moment["top_score"] = max(self.moment["top_score"], value)
        return Verdict(*verdict)

    def wait(self, hours: float, value: float = CALM) -> None:
        """Let calm scores pass."""
        for _ in range(round(hours * HOUR_MS / self.interval_ms)):
            self.score(value)


def test_a_strong_score_alarms_where_the_threshold_says() -> None:
    """A calm mean plus the bar; the grade of a bare pass is 1 - exp(-0.1)."""
    threshold = Bench().score(CALM).threshold
    assert threshold == pytest.approx(CALM + STRONG)
    assert Bench().score(threshold - 1e-3).grade == 0
    assert Bench().score(threshold + 1e-9).grade == pytest.approx(1 - math.exp(-0.1))
    assert Bench().score(threshold + 1).grade == pytest.approx(1 - math.exp(-1.1))


def test_a_rare_value_supports_a_lower_score() -> None:
    """One that is only unusual does not."""
    assert Bench().score(CALM + SUPPORTED + 0.01, rarity=RARE).grade > 0
    assert Bench().score(CALM + SUPPORTED - 0.01, rarity=RARE).grade == 0
    assert Bench().score(CALM + STRONG - 0.01, rarity=RARE - 0.01).grade == 0


def test_a_value_that_wandered_far_out_takes_a_stronger_score() -> None:
    """In which the threshold says so; what lasts takes no more."""
    bench = Bench()
    threshold = bench.score(CALM, wandered=True).threshold
    assert threshold == pytest.approx(CALM + STRONG + WANDERED)
    assert bench.score(CALM + STRONG + WANDERED - 0.01, wandered=True).grade == 0
    assert Bench().score(CALM + STRONG + WANDERED + 0.01, wandered=True).grade > 0
    grades = [Bench().score(CALM + STRONG + 0.01, wandered=wandered).grade for wandered in (False, True)]
    assert grades[0] > grades[1] == 0
    bench.wait(48)
    assert any(bench.score(CALM + 2 * LASTING, wandered=True).grade > 0 for _ in range(24))


def test_scores_that_last_alarm_at_a_lower_level() -> None:
    """Within two hours at twice what has to last; single ones of the same height never."""
    bench = Bench()
    grades = [bench.score(CALM + 2 * LASTING).grade for _ in range(24)]
    first = next(window for window, grade in enumerate(grades) if grade > 0)
    assert 4 < first < 24
    lonely = Bench()
    for _ in range(24):
        assert lonely.score(CALM + 2 * LASTING).grade == 0
        lonely.wait(2)


def test_what_lasts_makes_one_alarm_until_it_has_been_over() -> None:
    """However long; an alarm follows when it begins again, if not in the rest after the last one."""

    def alarms(bench: Bench, hours: int, value: float) -> int:
        return sum(bench.score(value).grade > 0 for _ in range(12 * hours))

    high = CALM + 2 * LASTING
    bars = Bars(uses_echo=False, fatigue_step=0.0, uses_season=False)
    bench = Bench(bars=bars)
    assert alarms(bench, 20, high) == 1
    assert alarms(bench, 5, CALM) == 0
    assert alarms(bench, 20, high) == 1
    in_rest = Bench(bars=bars)
    assert in_rest.score(5.0).grade > 0
    in_rest.wait(1)
    assert alarms(in_rest, 20, high) == 0
    assert in_rest.score(high).threshold > CALM + 1
    again = Bench(bars=bars._replace(tells_once=False))
    assert alarms(again, 20, high) == 4


def test_an_alarm_of_what_lasts_says_for_how_long() -> None:
    """Since the mean of the last scores was half as high; one that a single score or a departure makes says nothing."""
    bench = Bench()
    verdicts = [bench.score(CALM + 2 * LASTING) for _ in range(24)]
    first = next(window for window, verdict in enumerate(verdicts) if verdict.grade > 0)
    means = 2 * (1 - (1 - PACE.lasting_weight) ** np.arange(1, 25))
    n_calm = np.count_nonzero(means <= CALM_SHARE)
    assert 1 < n_calm < first
    assert [verdict.lasted_ms for verdict in verdicts] == [
        (window + 1 - n_calm) * INTERVAL_MS if window == first else 0 for window in range(24)
    ]
    assert Bench().score(5.0).lasted_ms == 0
    assert Bench().score(CALM + SUPPORTED + 0.01, rarity=RARE).lasted_ms == 0
    departed = Bench()
    departed.score(CALM + 2 * LASTING)
    assert departed.score(CALM + 2 * LASTING, departure=2.0).lasted_ms == 0


def test_the_threshold_is_the_score_that_would_have_alarmed() -> None:
    """Also where scores have been high for a while: there less is enough."""
    thresholds = []
    for n_high in range(0, 10, 3):
        bench = Bench()
        for _ in range(n_high):
            bench.score(CALM + 3 * LASTING)
        thresholds.append(copy.deepcopy(bench).score(CALM).threshold)
        assert copy.deepcopy(bench).score(thresholds[-1] - 1e-6).grade == 0
        assert bench.score(thresholds[-1] + 1e-6).grade > 0
    assert thresholds[0] == pytest.approx(thresholds[1], abs=0.01)
    assert thresholds[0] > thresholds[-1] + 0.5


def test_the_bars_of_a_young_model_are_higher() -> None:
    """They come down in five days, of what lasts in eight; with windows of an hour not before the sample is full."""
    for interval_ms, windows in ((INTERVAL_MS, 1440), (HOUR_MS, 256), (10_000, 1440)):
        bench = Bench(interval_ms=interval_ms, n_calm=windows // 2)
        assert bench.score(CALM).threshold == pytest.approx(CALM + STRONG + YOUTH / 2, abs=0.01)
        assert Bench(interval_ms=interval_ms, n_calm=windows).score(CALM).threshold == pytest.approx(
            CALM + STRONG
        )
    for n_calm, wanted in ((4 * 288, LASTING + YOUTH / 2), (8 * 288, LASTING)):
        bench = Bench(n_calm=n_calm, bars=Bars(strong=math.inf))
        grades = (bench.score(CALM + 2 * wanted).grade for _ in range(48))
        assert any(grade > 0 for grade in grades)
        assert bench.alarm["lasting"] == pytest.approx(wanted, abs=0.06)


def test_what_an_alarm_takes_falls_with_the_sensitivity() -> None:
    """To twice at 0 and half at 1; 0.5 is the default."""
    thresholds = [Bench(bars=bars_of(sensitivity)).score(CALM).threshold for sensitivity in (0, 0.5, 0.75, 1)]
    assert thresholds == pytest.approx([CALM + times * STRONG for times in (2, 1, 2**-0.5, 0.5)])
    assert bars_of(0.5) == DEFAULT_BARS


def test_parts_can_be_turned_off() -> None:
    """What the benchmark does to see what each is worth."""
    deaf = Bench(bars=Bars(strong=math.inf, lasting=math.inf))
    assert deaf.score(50.0).grade == 0
    assert deaf.score(50.0, rarity=RARE).grade > 0
    fresh = Bench(bars=Bars(uses_echo=False, fatigue_step=0.0))
    assert fresh.score(5.0).grade > 0
    fresh.wait(7)
    assert fresh.score(4.0).grade > 0
    forgetful = Bench(bars=Bars(uses_season=False, uses_echo=False))
    assert forgetful.score(3.0).grade > 0
    forgetful.wait(24)
    assert forgetful.score(3.0).grade > 0
    restless = Bench(bars=Bars(rests=False, uses_echo=False))
    assert restless.score(4.0).grade > 0
    assert restless.score(4.0).grade > 0
    absolute = Bench(bars=Bars(uses_mean=False))
    absolute.alarm["mean_score"] = 2.0
    assert absolute.score(CALM).threshold == pytest.approx(COMMON + STRONG)


def test_no_second_alarm_within_six_hours() -> None:
    """However high; after them a higher one alarms again."""
    bench = Bench()
    assert bench.score(3.0).grade > 0
    bench.wait(5.9)
    assert bench.score(8.0).grade == 0
    bench.wait(0.2)
    assert bench.score(8.0).grade > 0


def test_rest_is_time_and_not_windows() -> None:
    """Daily data may alarm on the next day."""
    bench = Bench(interval_ms=DAY_MS, n_calm=300)
    assert bench.score(3.0).grade > 0
    assert bench.score(6.0).grade > 0


def test_the_echo_of_an_alarm_asks_for_more_and_fades() -> None:
    """A lesser one is its aftermath for some hours; days later it is news again."""
    for hours, alarms in ((8, False), (100, True)):
        bench = Bench()
        assert bench.score(4.0).grade > 0
        bench.wait(hours)
        assert (bench.score(3.0).grade > 0) == alarms


def test_each_alarm_tires_for_two_weeks() -> None:
    """After ten alarms the bar is higher by nearly one; it comes down by half in ten days."""
    bench = Bench()
    bench.alarm["fatigue"], bench.alarm["last_alarm_ms"] = 1.0, bench.time_ms
    tired = bench.score(CALM).threshold
    bench.wait(14 * 24 * math.log(2))
    rested = bench.score(CALM).threshold
    assert tired == pytest.approx(CALM + STRONG + 1.0, abs=0.01)
    assert rested == pytest.approx(CALM + STRONG + 0.5, abs=0.01)


def test_what_was_as_unusual_yesterday_is_excused_unless_the_value_is_novel() -> None:
    """A daily job that scores high is no alarm on its second day, at its time or two hours off."""
    for novel in (False, True):
        bench = Bench()
        bench.score(3.0)
        bench.alarm["echo"] = bench.alarm["fatigue"] = 0.0
        bench.wait(24 + 1.5)
        assert (bench.score(3.0, novel=novel).grade > 0) == novel
        late = Bench()
        late.score(3.0)
        late.alarm["echo"] = late.alarm["fatigue"] = 0.0
        late.wait(24 + 3)
        assert late.score(3.0).grade > 0


def test_windows_of_seconds_do_not_mute_for_hours() -> None:
    """Below five minutes the rest is 72 windows."""
    bench = Bench(interval_ms=10_000)
    assert bench.score(3.0).grade > 0
    bench.wait(71 * 10_000 / HOUR_MS)
    assert bench.score(8.0).grade == 0
    bench.wait(2 * 10_000 / HOUR_MS)
    assert bench.score(8.0).grade > 0


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


def test_a_departure_far_beyond_the_record_alarms_whatever_the_score() -> None:
    """Neither youth nor fatigue counts, and any score would have alarmed; only the rest after an alarm does."""
    for bench in (Bench(), Bench(n_calm=200)):
        assert bench.score(CALM, departure=1 + DEPARTED - 0.01).grade == 0
        verdict = bench.score(CALM, departure=(1 + DEPARTED) * math.e)
        assert verdict.grade == pytest.approx(1 - math.exp(-1.1))
        assert verdict.threshold == 0
        assert bench.score(CALM, departure=10.0).grade == 0
        bench.wait(7)
        assert bench.score(CALM, departure=1 + DEPARTED + 0.01).grade > 0
    assert Bench(bars=Bars(departed=math.inf)).score(CALM, departure=1e6).grade == 0
    assert Bench(bars=bars_of(1)).score(CALM, departure=1 + 0.51 * DEPARTED).grade > 0


def test_trust_in_an_alarm_grows_with_its_strength_and_falls_with_their_number() -> None:
    """One that barely passes is as likely right as wrong; where there is no alarm nothing is taken away."""
    assert Bench().score(CALM).trust == 1
    bare, clear = (Bench().score(CALM + STRONG + more).trust for more in (1e-9, 2.0))
    assert bare == pytest.approx(0.5, abs=1e-6)
    assert clear == pytest.approx(1 / (1 + math.exp(-2 * 2.0)), abs=1e-6)
    tired = Bench()
    for _ in range(4):
        assert tired.score(CALM, departure=2.0).grade > 0
        tired.wait(7)
    assert tired.score(CALM, departure=1e3).trust < Bench().score(CALM, departure=1e3).trust


def test_a_budget_raises_the_bars_after_alarms_and_lowers_them_in_between() -> None:
    """By a fifth an alarm, and back in the time that one alarm of the budget takes."""
    bench = Bench(bars=bars_of(0.5, 1.0), n_calm=1500)
    bench.alarm["level"] = 0.0
    assert bench.score(50.0).grade > 0
    assert bench.alarm["level"] == pytest.approx(0.25, abs=1e-3)
    bench.wait(7 * 24, CALM)
    assert bench.alarm["level"] == pytest.approx(0.0, abs=1e-3)
    bench.wait(8 * 7 * 24, CALM)
    assert bench.alarm["level"] == -1
    usual = bench.alarm["mean_score"] + bench.alarm["echo"] + bench.alarm["fatigue"]
    assert bench.score(CALM).threshold == pytest.approx(usual + STRONG / 2, abs=1e-3)
    for _ in range(40):
        bench.score(CALM, departure=1e6)
        bench.wait(7)
    assert bench.alarm["level"] == pytest.approx(3, abs=0.02)
