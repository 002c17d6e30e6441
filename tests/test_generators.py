"""Generated streams: what each kind is like, and that labels stand where something was planted."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.quality.generators import (
    ANOMALY_FACTOR,
    COSINE_AMPLITUDE,
    COSINE_NOISE,
    COSINE_PERIOD,
    DAY,
    EVENT_KINDS,
    HOUR,
    LEVEL,
    MINUTE_MS,
    NOISE_KINDS,
    SEASONAL_DAYS,
    TOLERANCE,
    WEEK,
    clean_noise,
    cosines,
    seasonal,
)

N_STREAMS = 24


def random(seed=3):
    return np.random.default_rng(seed)


def noise(kind, *, daily):
    return clean_noise(kind, N_STREAMS, 2 * WEEK, random(), daily=daily).values[:, :, 0]


@pytest.mark.parametrize("daily", [False, True])
@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_noise_holds_nothing_and_is_the_same_for_the_same_seed(kind, daily):
    """No event, no missing value, and another seed gives other noise."""
    streams = clean_noise(kind, N_STREAMS, WEEK, random(), daily=daily)
    assert streams.values.shape == (WEEK, N_STREAMS, 1)
    assert np.isfinite(streams.values).all()
    assert streams.events == ((),) * N_STREAMS
    again = clean_noise(kind, N_STREAMS, WEEK, random(), daily=daily)
    np.testing.assert_array_equal(streams.values, again.values)
    other = clean_noise(kind, N_STREAMS, WEEK, random(4), daily=daily)
    assert (other.values != streams.values).any()


def test_noise_has_the_moments_of_its_kind():
    """Mean, variance, and dependence of neighbours as the documentation says."""
    white, ar1, poisson, log_normal = (noise(kind, daily=False) for kind in NOISE_KINDS)
    for values, mean, deviation in ((white, 100, 5), (ar1, 100, 5), (poisson, 5, np.sqrt(5))):
        assert values.mean() == pytest.approx(mean, rel=0.01)
        assert values.std() == pytest.approx(deviation, rel=0.02)
    for values, neighbours in ((white, 0.0), (ar1, 0.8), (poisson, 0.0)):
        assert np.corrcoef(values[1:].ravel(), values[:-1].ravel())[0, 1] == pytest.approx(
            neighbours, abs=0.01
        )
    assert np.log(log_normal).mean() == pytest.approx(0, abs=0.01)
    assert np.log(log_normal).std() == pytest.approx(1, rel=0.01)
    assert set(np.unique(poisson)) <= set(range(30))


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_the_daily_rhythm_of_noise_repeats_every_day_and_no_two_streams_share_a_phase(kind):
    """Means by time of day differ far more than without, and peak at different times."""
    by_time = noise(kind, daily=True).reshape(-1, DAY, N_STREAMS).mean(axis=0)
    flat = noise(kind, daily=False).reshape(-1, DAY, N_STREAMS).mean(axis=0)
    smooth = by_time.reshape(24, HOUR, N_STREAMS).mean(axis=1)
    assert (
        np.ptp(smooth, axis=0).min()
        > 3 * np.ptp(flat.reshape(24, HOUR, N_STREAMS).mean(axis=1), axis=0).max()
    )
    assert len(set(smooth.argmax(axis=0).tolist())) > 8


def test_an_unknown_noise_is_refused():
    """With the names there are."""
    with pytest.raises(ValueError, match="unknown kind of noise 'pink': expected one of white, ar1"):
        clean_noise("pink", 1, 10, random(), daily=False)


def test_seasonal_streams_have_every_kind_of_event_where_it_is_labelled():
    """Five a stream, in order, none in the first nine days, and each with its mark on the values."""
    streams = seasonal(N_STREAMS, random())
    assert streams.values.shape == (SEASONAL_DAYS * DAY, N_STREAMS, 1)
    kinds = Counter(event.kind for events in streams.events for event in events)
    assert set(kinds) == set(EVENT_KINDS)
    assert kinds["spike"] == 2 * N_STREAMS
    assert kinds["drop to zero"] == kinds["level shift"] == N_STREAMS
    assert kinds["dip"] == kinds["missing burst"] == N_STREAMS // 2
    for stream, events in enumerate(streams.events):
        assert events == tuple(sorted(events, key=lambda event: event.first))
        assert events[0].first >= 9 * DAY
        values = streams.values[:, stream, 0]
        for event in events:
            span = values[event.first : event.last + 1 - TOLERANCE]
            before = values[event.first - 2 : event.first]
            if event.kind == "drop to zero":
                assert (span == 0).all()
                assert np.nanmean(before) > 0.2 * LEVEL
            elif event.kind == "spike" and stream % 2:  # without a daily job that may begin or end just here
                assert np.abs(span - np.nanmean(before)).min() > 0.15 * LEVEL
            elif event.kind == "dip":
                assert span.mean() < np.nanmean(before)


def bump(values, first):
    """Return how far the hour from `first` on rises above the hours around it."""
    around = np.r_[values[first - HOUR : first - 2], values[first + HOUR + 2 : first + 2 * HOUR]]
    return np.mean(values[first + 2 : first + HOUR - 2]) - np.mean(around)


def test_a_level_shift_stays_and_a_burst_that_is_missing_comes_on_all_other_days():
    """The last days lie 60 % of the level from where they would; the job leaves its time once."""
    with_shift = seasonal(N_STREAMS, random())
    shifts = []
    for stream, events in enumerate(with_shift.events):
        (shift,) = [event for event in events if event.kind == "level shift"]
        values = np.nan_to_num(with_shift.values[:, stream, 0], nan=LEVEL)
        shifts.append(
            np.nanmean(values[shift.first : shift.first + HOUR])
            - np.nanmean(values[shift.first - HOUR : shift.first])
        )
        for missing in (event for event in events if event.kind == "missing burst"):
            there, *usual = (bump(values, missing.first - days * DAY) for days in range(9))
            assert there < 0.3 * LEVEL < 0.5 * LEVEL < np.median(usual)
    assert np.median(np.abs(shifts)) == pytest.approx(0.6 * LEVEL, rel=0.25)


def test_seasonal_streams_have_rhythms_noise_and_gaps():
    """Weekends are quieter, the noise is one of three levels, and gaps are short and hide no event."""
    streams = seasonal(60, random())
    first_week = np.nan_to_num(streams.values[:WEEK, :, 0], nan=LEVEL)
    total = np.cumsum(first_week, axis=0)
    by_day = (total[DAY:] - total[:-DAY]) / DAY
    assert (by_day.min(axis=0) < 0.93 * by_day.max(axis=0)).all()
    weekend = (by_day < 0.9 * by_day.max(axis=0)).mean(axis=0)
    assert 0.1 < np.median(weekend) < 0.5
    roughness = np.nanmedian(np.abs(np.diff(streams.values[:, :, 0], axis=0)), axis=0) / LEVEL
    levels = [np.median(roughness[level::3]) for level in range(3)]
    assert levels[0] < 0.6 * levels[1] < 0.6**2 * levels[2] * 1.3
    missing = np.isnan(streams.values[:, :, 0])
    assert (missing.sum(axis=0) >= 1).all()
    assert (missing.sum(axis=0) <= 60).all()
    assert not missing[:DAY].any()
    for stream in range(streams.n_streams):
        assert not (missing[:, stream] & streams.expected_flags(stream)).any()


@pytest.mark.parametrize("n_features", [1, 3])
def test_cosines_leave_their_course_where_labelled_and_nowhere_else(n_features):
    """About 0.3 % of the windows with one feature and 0.66 % with three; by 25 to 50 instead of at most 5."""
    streams = cosines(5, n_features, MINUTE_MS, random())
    window = np.arange(len(streams.values))
    share = np.mean([len(events) for events in streams.events]) / len(window)
    assert share == pytest.approx({1: 0.003, 3: 0.0066}[n_features], rel=0.25)
    wave = np.column_stack([turn(2 * np.pi * window / COSINE_PERIOD) for turn in (np.cos, np.sin)])
    for stream in range(5):
        course, *_ = np.linalg.lstsq(wave, streams.values[:, stream], rcond=None)
        assert np.hypot(*course) == pytest.approx(1.1 * COSINE_AMPLITUDE, rel=0.1)
        distance = np.abs(streams.values[:, stream] - wave @ course).max(axis=1)
        expected = streams.expected_flags(stream)
        assert distance[expected].min() > 0.95 * ANOMALY_FACTOR * COSINE_NOISE
        assert distance[~expected].max() < 1.1 * COSINE_NOISE
