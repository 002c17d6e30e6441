"""Examples: the detectors load, the data are whole, and what is known about them lies within them."""

from datetime import UTC, datetime

import pytest

from detector.configuration.load import load_detectors
from detector.example_data import (
    EXAMPLES,
    MAPPINGS,
    TIME_FIELD,
    Event,
    documents,
    examples_folder,
    known_events,
    labelled_windows,
)
from features.windows import Interval, Unit


def epoch_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_the_detectors_of_the_examples_load() -> None:
    """They are the ones of the README and of the demo."""
    cloudwatch, taxi = load_detectors(examples_folder() / "detectors")
    assert (taxi.name, taxi.interval, taxi.category_field) == ("nyc-taxi", Interval(30, Unit.MINUTES), ())
    assert cloudwatch.name == "cloudwatch"
    assert (cloudwatch.interval, cloudwatch.category_field) == (Interval(5, Unit.MINUTES), ("series",))


def test_detectors_and_data_fit_together() -> None:
    """Each detector reads the fields that its documents have."""
    for config in load_detectors(examples_folder() / "detectors"):
        fields = set(MAPPINGS[config.name])
        assert config.indices == (config.name,)
        assert config.time_field == TIME_FIELD
        assert set(config.category_field) <= fields
        for feature in config.source.features:
            (parameters,) = feature.aggregation.values()
            assert parameters["field"] in fields
        assert all(set(document) == fields for document in documents(config.name))


def test_the_taxi_data_are_whole() -> None:
    """Seven months of half hours without a gap."""
    rows = list(documents("nyc-taxi"))
    times = [epoch_ms(row["timestamp"]) for row in rows]
    assert len(rows) == 10_320
    assert times == list(range(epoch_ms("2014-07-01"), epoch_ms("2015-02-01"), 1_800_000))
    assert sum(row["passengers"] for row in rows) == 156_219_716


def test_the_cloudwatch_data_are_whole() -> None:
    """17 series, digit for digit."""
    rows = list(documents("cloudwatch"))
    series = [row["series"] for row in rows]
    assert len(rows) == 67_740
    assert len(set(series)) == 17
    assert series == sorted(series)
    assert rows[1] == {
        "timestamp": "2014-02-14T14:35:00Z",
        "series": "ec2_cpu_utilization_24ae8d",
        "value": 0.134,
    }


@pytest.mark.parametrize(("example", "n_windows"), [("nyc-taxi", 5), ("cloudwatch", 30)])
def test_labelled_windows_lie_within_their_series(example: str, n_windows: int) -> None:
    """Of each a detector could find a part."""
    spans: dict[tuple[str, ...], list[int]] = {}
    for row in documents(example):
        entity = (row["series"],) if "series" in row else ()
        spans.setdefault(entity, []).append(epoch_ms(row[TIME_FIELD].removesuffix("Z")))
    labels = labelled_windows(example)
    assert len(labels) == n_windows
    for label in labels:
        times = spans[label.entity]
        assert times[0] <= label.start_ms < label.end_ms <= times[-1]


def test_the_events_of_the_taxi_series_are_known_by_day() -> None:
    """Seven, of which the benchmark labels five; each labelled window holds the day of its event."""
    events = known_events("nyc-taxi")
    assert [event.name for event in events] == [
        "Independence Day",
        "Labor Day",
        "New York City marathon",
        "Thanksgiving",
        "Christmas",
        "New Year",
        "blizzard",
    ]
    for label in labelled_windows("nyc-taxi"):
        (event,) = [event for event in events if event.name == label.name]
        assert label.start_ms <= event.start_ms < event.end_ms <= label.end_ms
    assert known_events("cloudwatch") == []


def test_an_event_covers_the_windows_it_touches() -> None:
    """Of its own entity, its end exclusive."""
    event = Event(("a",), 100, 200, "outage")
    assert event.covers(("a",), 199, 300)
    assert event.covers(("a",), 0, 101)
    assert not event.covers(("a",), 200, 300)
    assert not event.covers(("a",), 0, 100)
    assert not event.covers(("b",), 100, 200)


def test_the_licence_of_the_data_is_beside_them() -> None:
    """It asks to go with every copy."""
    assert "Numenta" in (examples_folder() / "data" / "LICENSE.txt").read_text()
    assert tuple(MAPPINGS) == EXAMPLES
