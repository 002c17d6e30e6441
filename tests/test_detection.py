"""Counting of the quality benchmark: hits, false flags, delays, and the driver that feeds the fleet."""

from collections import Counter

import numpy as np
import pytest
from streams import detector

from benchmarks.nab import Series
from benchmarks.quality.band import coverage_of
from benchmarks.quality.detection import detect, n_runs, total
from benchmarks.quality.drive import (
    PROFILES,
    model_seeds,
    observe,
    run_series,
    run_streams,
    settings_of_profile,
)
from benchmarks.quality.generators import INTERVAL_MS, MINUTE_MS, WEEK, Event, Streams
from benchmarks.quality.rows import row
from detector.job import model_settings
from detector.model.fleet import ModelSettings

EVENTS = ((Event("spike", 300, 309), Event("shift", 600, 629)), ())


def streams(n_windows=WEEK):
    values = np.random.default_rng(0).normal(size=(n_windows, 2, 1))
    return Streams(INTERVAL_MS, values, EVENTS, ("a", "b"))


def flags(*rows, stream=0):
    flagged = np.zeros((WEEK, 2), bool)
    flagged[list(rows), stream] = True
    return flagged


def settings_of(n_features, interval_ms):
    return ModelSettings(n_features=n_features, interval_ms=interval_ms, n_trees=5)


def test_hits_false_flags_and_delays():
    """A run outside events counts once; a hit counts from the event's start; weeks are those without event."""
    found = detect(flags(100, 101, 200, 302, 304), streams())
    assert found.planted == Counter(spike=1, shift=1)
    assert found.found == Counter(spike=1)
    assert (found.right_flags, found.false_flags) == (2, 2)
    assert found.delays_ms == (3 * INTERVAL_MS,)
    assert found.recall == 0.5
    assert found.precision == 0.5
    assert found.weeks == pytest.approx(2 - 40 / WEEK)
    assert found.false_per_week == pytest.approx(2 / (2 - 40 / WEEK))
    assert found.median_delay_minutes == 15


def test_an_event_ends_with_its_last_window():
    """One window later a flag is false; in a stream without events every flag is."""
    assert detect(flags(309), streams()).found == Counter(spike=1)
    late = detect(flags(310), streams())
    assert (late.found, late.false_flags) == (Counter(), 1)
    assert detect(flags(300, stream=1), streams()).false_flags == 1


def test_only_events_inside_the_span_count():
    """What lies across an end is neither planted nor false."""
    part = detect(flags(302, 305, 615), streams(), 305, 1000)
    assert part.planted == Counter(shift=1)
    assert (part.right_flags, part.false_flags) == (2, 0)
    both = total([part, detect(flags(7), streams())])
    assert both.planted == Counter(shift=2, spike=1)
    assert both.false_flags == 1


def test_runs_are_counted_by_their_beginnings():
    """Also one that begins with the first window."""
    assert n_runs(np.array([True, True, False, True, False])) == 2
    assert n_runs(np.zeros(4, bool)) == n_runs(np.zeros(0, bool)) == 0


def test_windows_without_documents_are_no_rows_for_the_fleet():
    """They have no status, and do not count as time; what other streams do changes nothing."""
    made = streams(400)
    made.values[350:360, 0] = np.nan
    run = run_streams(made, model_seeds(2), settings_of)
    assert (run.scored.status[350:360, 0] == 0).all()
    assert (run.scored.status[350:360, 1] == 2).all()
    alone = run_streams(made.select([1]), model_seeds(2)[1:], settings_of)
    np.testing.assert_array_equal(alone.scored.score[:, 0], run.scored.score[:, 1])
    assert detect(run.flags, made).weeks == pytest.approx((2 * 400 - 10 - 10) / WEEK)


def test_rows_that_do_not_ascend_have_no_verdict_and_disturb_no_other():
    """The verdicts of a labelled series stand in its own rows."""
    times = np.arange(300, dtype=np.int64) * MINUTE_MS
    values = np.random.default_rng(1).normal(size=300)
    twice = Series("x/y", np.insert(times, 200, times[150]), np.insert(values, 200, 9.0), ())
    run = run_series(twice, model_seeds(2), settings_of)
    assert run.scored.status[200].tolist() == [0, 0]
    assert np.isnan(run.scored.score[200]).all()
    once = run_series(Series("x/y", times, values, ()), model_seeds(2), settings_of)
    np.testing.assert_array_equal(np.delete(run.scored.score, 200, axis=0), once.scored.score)
    assert np.isfinite(once.scored.score[-1]).all()
    assert once.seconds > 0


def test_coverage_counts_scored_normal_values_only():
    """Neither the warm-up nor what is marked as abnormal."""
    made = streams(300)
    run = observe(made.end_times_ms, made.values, model_seeds(2), settings_of, made.interval_ms)
    normal = np.ones((300, 2), bool)
    normal[290:] = False
    covered = coverage_of(run.scored, made.values, normal)
    assert covered.of == 2 * (290 - (run.scored.status[:, 0] != 2).sum())
    assert 85 < covered.percent < 100
    assert coverage_of(run.scored, made.values + 1e6, normal).inside == 0


def test_a_row_has_mean_and_spread_over_the_seeds():
    """With the fields of every benchmark's lines."""
    line = row("nab", "standard_fixed", "", [70.0, 74.0])
    assert (line["benchmark"], line["case"], line["metric"]) == ("quality", "nab", "standard_fixed")
    assert (line["ours"], line["low"], line["high"], line["spread"]) == (72.0, 70.0, 74.0, 2.0)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_settings_under_test_are_those_of_a_detector_of_the_profile(profile):
    """Two features a minute, and nothing else said in the detector's JSON."""
    assert settings_of_profile(profile)(2, MINUTE_MS) == model_settings(detector("any", profile=profile))
    assert settings_of_profile(profile, 7)(2, MINUTE_MS).n_trees == 7


def test_the_profile_of_the_plugin_runs_as_the_default_does():
    """Its verdicts have the same columns, and a band."""
    made = streams(400)
    run = run_streams(made, model_seeds(2), settings_of_profile("trcf", 5))
    assert (run.scored.status[-1] == 2).all()
    assert coverage_of(run.scored, made.values, np.ones((400, 2), bool)).of > 300
