"""Several sidecars on one cluster, as processes: they share the work, and one that dies or stops is replaced."""

import json
import signal
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from sidecar import Sidecar, is_poll, outrider
from streams import MINUTE_MS, START_MS, detector, index_stream, stores_of, written
from test_run import Feed

from detector.commands.moment import iso_text
from detector.commands.run import run
from detector.membership import RENEWALS
from detector.open import open_job
from detector.poll import poll
from detector.roster import log_names
from detector.save import prune_journal, save_checkpoints
from storage.records import Lease

LEASE_S = 1.5
HOSTS = tuple(f"host-{number}" for number in range(12))
INTERVALS = {"load": 2, "slow": 3_600}
"""Seconds: one detector that is polled all the time, and one whose next window does not close during the test."""
ONE_FEATURE = [{"feature_name": "mean", "aggregation_query": {"mean": {"avg": {"field": "load"}}}}]


def add_detector(folder, source, name="load", **changes):
    """Write a detector into a folder; return it as it is read."""
    interval = {"period": {"interval": INTERVALS.get(name, 60), "unit": "Seconds"}}
    config = detector(
        source, name=name, detection_interval=interval, feature_attributes=ONE_FEATURE, history=40, **changes
    )
    (folder / f"{name}.json").write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    return config


@pytest.fixture
def start(node_url, index_prefix, tmp_path):
    """Give a function that starts a sidecar over the folder of the test; those still alive are killed at the end."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(
            Sidecar(tmp_path, node_url, index_prefix, "--lease", str(LEASE_S), *arguments)
        )


def held(stores):
    """Return the partitions of each detector that each sidecar says it works on."""
    return {lease.holder: lease.held for lease in stores.leases.read()}


def wait_until(condition, seconds=120):
    """Wait for what other processes do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


def frontier_of_all(stores, config):
    """Return the end of the last window that every partition has committed; 0 before there is one."""
    markers = stores.state.markers(log_names(config.detector_id, 1, 64))
    return min(marker.frontier_ms for marker in markers.values()) if len(markers) == 64 else 0


def wait_for_windows(stores, config, n_windows=3):
    """Wait until all partitions have gone on by some windows."""
    goal_ms = frontier_of_all(stores, config) + n_windows * config.interval.milliseconds
    wait_until(lambda: frontier_of_all(stores, config) >= goal_ms)


def assert_undisturbed(client, prefix, config):
    """Compare what stands with what one run writes over the same windows."""
    stores = stores_of(client, prefix)
    registration = stores.detectors.find(config.detector_id)
    assert registration.generation == 1
    frontier_ms = frontier_of_all(stores, config)
    poll(open_job(config, stores, frontier_ms), stores, frontier_ms)
    torn = {
        key: body
        for key, body in written(client, prefix).items()
        if body["detector_id"] == config.detector_id
    }
    calm_stores = stores_of(client, f"{prefix}-calm")
    poll(open_job(config, calm_stores, registration.start_ms), calm_stores, frontier_ms)
    calm = written(client, f"{prefix}-calm")
    late = {key for key in torn.keys() - calm.keys() if torn[key]["data_end_time"] > frontier_ms}
    assert {key: body for key, body in torn.items() if key not in late} == calm
    per_host = Counter(body["entity_key"] for body in calm.values())
    assert set(per_host) == {f"host={host}" for host in HOSTS}
    assert len(set(per_host.values())) == 1, "every entity has every window"


def test_two_share_the_work_and_a_killed_one_is_replaced_whatever_the_interval(
    client, index_prefix, tmp_path, start
):
    """Within its time and two renewals, also of a detector whose next window closes in an hour."""
    source = f"{index_prefix}-source"
    config = add_detector(tmp_path, source)
    add_detector(tmp_path, source, "slow")
    stores = stores_of(client, index_prefix)
    with Feed(client, source, HOSTS):
        first = start()
        first.wait_for(is_poll("load"))
        second = start()
        second.wait_for(is_poll("load"))
        wait_until(lambda: [share["load"] for share in held(stores).values()] == [32, 32])
        wait_for_windows(stores, config)
        second.process.kill()
        began = time.monotonic()
        wait_until(lambda: {"load": 64, "slow": 64} in held(stores).values())
        taken_s = time.monotonic() - began
        wait_for_windows(stores, config)
        assert first.stop() == 0
    assert taken_s < LEASE_S * (1 + 2 / RENEWALS) + 5
    polls = [event for event in first.events if event["event"] == "poll"]
    assert all(event["error"] is None for event in polls)
    assert sum(event["detector"] == "slow" for event in polls) >= 2, "polled again when it got the rest"
    assert_undisturbed(client, index_prefix, config)


def test_the_default_time_is_short_enough():
    """A dead sidecar is seen as such within its time and two renewals: at most 50 of the 60 seconds promised."""
    default_s = next(option.default for option in run.params if option.name == "lease_s")
    assert default_s * (1 + 2 / RENEWALS) <= 50


def test_one_that_stands_still_past_the_pruning_of_the_journal_changes_nothing(
    client, index_prefix, tmp_path, start
):
    """SIGSTOP, everything it knows of is taken over, saved and pruned, SIGCONT; three times."""
    source = f"{index_prefix}-source"
    config = add_detector(tmp_path, source)
    stores = stores_of(client, index_prefix)
    with Feed(client, source, HOSTS):
        sidecars = [start(), start()]
        wait_until(lambda: [share["load"] for share in held(stores).values()] == [32, 32])
        for step in range(3):
            wait_for_windows(stores, config, 2)
            stopped, other = sidecars[step % 2], sidecars[1 - step % 2]
            stopped.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: 64 in [share["load"] for share in held(stores).values()])
            wait_for_windows(stores, config, 2)
            prune(client, index_prefix, stores, config)
            stopped.process.send_signal(signal.SIGCONT)
            wait_until(lambda: [share["load"] for share in held(stores).values()] == [32, 32])
        wait_for_windows(stores, config, 2)
        assert [sidecar.stop() for sidecar in sidecars] == [0, 0]
        assert other.events
    assert_undisturbed(client, index_prefix, config)


def prune(client, prefix, stores, config):
    """Save all models and delete all of the journal that they cover, as if a day had gone by."""
    job = open_job(config, stores, 0)
    save_checkpoints(job, stores.checkpoints, every_entries=1)
    client.indices.refresh(index=f"{prefix}-journal")
    prune_journal(job, stores.journal, int(time.time() * 1000) + 10**9)


def test_a_rolling_restart_moves_the_work_at_once_and_loses_nothing(client, index_prefix, tmp_path, start):
    """A sidecar that stops gives its lease back; the other has it after a renewal, not after the lease's time."""
    source = f"{index_prefix}-source"
    config = add_detector(tmp_path, source)
    stores = stores_of(client, index_prefix)
    with Feed(client, source, HOSTS):
        sidecars = [start(), start()]
        for number in (0, 1):
            wait_until(lambda: [share["load"] for share in held(stores).values()] == [32, 32])
            wait_for_windows(stores, config, 2)
            assert sidecars[number].stop() == 0
            assert len(held(stores)) == 1
            wait_until(lambda: [share["load"] for share in held(stores).values()] == [64])
            sidecars[number] = start()
        wait_until(lambda: [share["load"] for share in held(stores).values()] == [32, 32])
        wait_for_windows(stores, config, 2)
        assert [sidecar.stop() for sidecar in sidecars] == [0, 0]
    assert stores.leases.read() == []
    assert_undisturbed(client, index_prefix, config)


def test_two_replays_share_the_past_and_one_does_the_rest_of_a_killed_one(
    client, index_prefix, tmp_path, start
):
    """Whoever ends well says that everything is there."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=8, n_windows=200)
    config = add_detector(tmp_path, source, "past")
    end_ms = START_MS + 200 * MINUTE_MS
    arguments = ("--start", iso_text(START_MS), "--until", iso_text(end_ms))
    first, second = start(*arguments), start(*arguments)
    second.wait_for(lambda event: event["event"] == "replaying")
    second.process.kill()
    done = first.wait_for(lambda event: event["event"] == "replayed")
    assert done["frontier"] == iso_text(end_ms)
    assert first.process.wait(timeout=30) == 0
    stores = stores_of(client, f"{index_prefix}-calm")
    poll(open_job(config, stores, START_MS), stores, end_ms)
    assert written(client, index_prefix) == written(client, f"{index_prefix}-calm")


def test_an_older_release_beside_a_newer_one_stops_and_says_what_to_do(
    client, node_url, index_prefix, tmp_path, start
):
    """Live and replaying; both versions and the way out stand in the message, and nothing was written."""
    source = f"{index_prefix}-source"
    add_detector(tmp_path, source)
    stores = stores_of(client, index_prefix)
    newer = Lease(0, "new-host:1", "9.0.0", {"checkpoints": 99}, 3600.0, {"load": 64}, {})
    with Feed(client, source, HOSTS):
        running = start()
        running.wait_for(is_poll("load"))
        stores.leases.write(newer._replace(number=1), 0)
        assert running.process.wait(timeout=30) == 1
        replay = outrider("run", "-c", tmp_path, "--once", url=node_url, prefix=index_prefix)
    said = "".join(running.lines[-3:])
    for message in (said, replay.stderr):
        assert "new-host:1 (release 9.0.0) writes checkpoints version 99" in message
        assert "upgrade this one" in message
    assert replay.returncode == 1
    assert "Traceback" not in said + replay.stderr
