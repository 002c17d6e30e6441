"""What time it is: never later than by the cluster's clock, whatever happens to the clock of the host."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opensearchpy import helpers
from sidecar import outrider
from streams import MAPPING, MINUTE_MS, START_MS, detector, index_stream, stores_of, written

from detector.commands.moment import iso_text
from detector.open import open_job
from detector.poll import poll
from detector.present import MEASURE_EVERY_S, Present
from storage.cluster_time import cluster_time_ms
from storage.errors import Unavailable
from storage.retry import ONCE

HOUR_MS = 3_600_000


class World:
    """True time, the clock of a host that may be set, and how often the cluster was asked."""

    def __init__(self, ahead_ms=0):
        self.true_ms, self.ahead_ms, self.asked = 1_700_000_000_000, ahead_ms, 0
        self.answer_takes_ms = 0
        self.present = Present(
            self.cluster_ms, lambda: self.true_ms + self.ahead_ms, lambda: self.true_ms / 1000
        )

    def cluster_ms(self):
        self.asked += 1
        self.true_ms += self.answer_takes_ms
        return self.true_ms

    def late_ms(self):
        """Return by how much the present is behind true time."""
        return self.true_ms - self.present.now_ms()


def test_a_host_whose_clock_is_right_asks_rarely():
    """At the start, and then every ten minutes."""
    world = World()
    for _ in range(3_600):
        assert world.late_ms() == 0
        world.true_ms += 1_000
    assert world.asked <= 1 + 3_600 / MEASURE_EVERY_S


@pytest.mark.parametrize("ahead_ms", [0, 40_000])
def test_an_answer_that_takes_its_time_makes_nobody_read_early(ahead_ms):
    """By as much as the host is ahead it would, if the question were taken for the moment of the answer."""
    world = World(ahead_ms)
    world.answer_takes_ms = 40_000
    world.present.now_ms()
    assert 0 <= world.late_ms() <= 40_000


@pytest.mark.parametrize("ahead_ms", [2_000, HOUR_MS, 365 * 24 * HOUR_MS])
def test_a_host_that_is_ahead_goes_by_the_clusters_clock(ahead_ms):
    """From the start, and when it is set wrong while it runs; also after it was set right."""
    world = World(ahead_ms)
    assert world.late_ms() == 0
    world.ahead_ms = 0
    assert world.late_ms() == 0
    world.true_ms += 60_000
    world.ahead_ms = ahead_ms
    assert world.late_ms() == 0
    assert world.asked == 3


def test_a_host_that_is_behind_reads_late_and_never_early():
    """Nothing is lost by it."""
    world = World(-HOUR_MS)
    assert world.late_ms() == HOUR_MS
    world.ahead_ms = 0
    assert world.late_ms() == 0


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**9), 10**9)), max_size=20))
def test_the_present_is_never_ahead_of_true_time_by_more_than_what_counts_as_a_jump(steps):
    """Whatever is done to the clock of the host."""
    world = World()
    for passed_ms, ahead_ms in steps:
        world.true_ms += passed_ms
        world.ahead_ms = ahead_ms
        assert world.late_ms() >= -1_001


def test_a_person_is_told_that_a_clock_is_wrong_and_what_it_does():
    """Once a measurement."""
    world = World(HOUR_MS)
    with structlog.testing.capture_logs() as lines:
        world.present.now_ms()
        world.present.now_ms()
        world.ahead_ms = -HOUR_MS
        world.present.now_ms()
    told = [(line["event"], line["ahead_of_cluster_s"], line["effect"]) for line in lines]
    assert told == [
        ("clock_differs", 3_600, "windows are read by the cluster's clock"),
        ("clock_differs", -3_600, "windows are read late"),
    ]


def test_without_an_answer_nothing_is_guessed():
    """The poll fails, as it would anyway."""

    def away():
        msg = "the cluster is away"
        raise Unavailable(msg)

    with pytest.raises(Unavailable):
        Present(away).now_ms()


def test_the_cluster_says_what_time_it_is(client, index_prefix):
    """The node of the tests runs on this machine."""
    stores = stores_of(client, index_prefix)
    before_ms = Present(stores.cluster_time).now_ms()
    assert abs(cluster_time_ms(client, index_prefix, ONCE) - before_ms) < 30_000


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/Los_Angeles"])
def test_the_time_zone_of_the_host_has_no_effect(client, node_url, index_prefix, tmp_path, zone):
    """Neither on windows of minutes, nor on days of the zone of the detector, nor on moments that are printed."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=3, n_windows=10)
    configs = [
        detector(source, name="minutes"),
        detector(
            source,
            name="days",
            detection_interval={"period": {"interval": 1, "unit": "Days"}},
            timezone="Europe/Berlin",
        ),
    ]
    for config in configs:
        path = tmp_path / f"{config.name}.json"
        path.write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    end = iso_text(START_MS + 10 * MINUTE_MS + 2 * 86_400_000)
    arguments = ["run", "-c", tmp_path, "--start", "2024-01-31T23:50", "--until", end, "--log-format", "json"]
    there = outrider(*arguments, url=node_url, prefix=f"{index_prefix}-there", TZ=zone)
    here = outrider(*arguments, url=node_url, prefix=f"{index_prefix}-here", TZ="UTC")
    assert there.returncode == here.returncode == 0, there.stderr
    assert written(client, f"{index_prefix}-there") == written(client, f"{index_prefix}-here")
    frontiers = [
        [json.loads(line).get("frontier") for line in ended.stderr.splitlines()] for ended in (there, here)
    ]
    assert frontiers[0] == frontiers[1]
    code = "import time; print(time.localtime(0).tm_hour)"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TZ": zone}, capture_output=True, check=True
    )
    assert int(shown.stdout) != 0, "the zone is known to this system, so the test can fail"


def test_the_future_is_not_read_however_far_a_replay_is_to_go(client, node_url, index_prefix, tmp_path):
    """A detector that is in the future would wait there, and miss what comes until then."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=1, n_windows=1)
    hour = {"period": {"interval": 1, "unit": "Hours"}}
    config = detector(source, name="hours", detection_interval=hour)
    (tmp_path / "hours.json").write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    now_ms = int(time.time() * 1000)
    arguments = ["run", "-c", tmp_path, "--start", iso_text(now_ms - 3 * HOUR_MS), "--until", "2100-01-01"]
    ended = outrider(*arguments, url=node_url, prefix=index_prefix)
    assert ended.returncode == 0, ended.stderr
    frontier_ms = open_job(config, stores_of(client, index_prefix), 0).frontier_ms
    assert 0 <= now_ms - frontier_ms < HOUR_MS


@pytest.mark.parametrize(("change", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_clocks_change_has_all_its_documents_and_no_others(
    client, index_prefix, change, hours
):
    """One document an hour is counted a day: 23 or 25, and 24 on the days around, however late it is read."""
    source = f"{index_prefix}-source"
    client.indices.create(index=source, body={"mappings": MAPPING})
    first_ms = int(datetime.fromisoformat(f"{change}T00:00+00:00").timestamp() * 1000) - 3 * 24 * HOUR_MS
    bodies = [{"_index": source, "time": first_ms + hour * HOUR_MS, "load": 1.0} for hour in range(7 * 24)]
    helpers.bulk(client, bodies, refresh=True)
    count = [{"feature_name": "count", "aggregation_query": {"count": {"value_count": {"field": "load"}}}}]
    day = {"period": {"interval": 1, "unit": "Days"}}
    config = detector(
        source,
        is_single=True,
        detection_interval=day,
        timezone="Europe/Berlin",
        feature_attributes=count,
        history=1,
    )
    stores = stores_of(client, index_prefix)
    start_ms = first_ms + 24 * HOUR_MS
    for days in (2, 2.5, 5):
        poll(open_job(config, stores, start_ms), stores, int(start_ms + days * 24 * HOUR_MS))
    counts = [
        (body["value"]["count"], (body["data_end_time"] - body["data_start_time"]) / HOUR_MS)
        for _, body in sorted(
            written(client, index_prefix).items(), key=lambda item: item[1]["data_end_time"]
        )
    ]
    assert counts[-5:] == [(24, 24), (24, 24), (hours, hours), (24, 24), (24, 24)]
