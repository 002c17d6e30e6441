"""The demo as a user runs it: real node, real data, nothing left behind; and what the default model finds."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from detector.commands.demo_data import sample_as_of, sample_as_recorded
from detector.example_data import TIME_FIELD, known_events, labelled_windows
from detector.model.fleet import Fleet, ModelSettings
from detector.roster import seed_of
from storage.embedded.node_cache import default_data_folder

HALF_HOUR_MS = 1_800_000
DAY_MS = 86_400_000
README = Path(__file__).parents[1] / "README.md"
COMMAND = [sys.executable, "-m", "detector", "demo"]


def nodes():
    """Return the process numbers of the nodes that run on the demo's data."""
    folder = str(default_data_folder(os.environ).parent / "demo")
    return {
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(folder in word for word in process.info["cmdline"] or [])
    }


def environment():
    """Return the environment of a terminal wide enough for the tables."""
    return os.environ | {"COLUMNS": "140"}


def test_the_demo_finds_what_is_known_and_ends_by_itself_leaving_nothing_behind():
    """Twice in a row; the second time over what the first left."""
    before = nodes()
    for _ in range(2):
        ended = subprocess.run(
            COMMAND, env=environment(), capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, ended.stderr
        hits, known = re.search(r"(\d+) of (\d+) known events found", ended.stdout).groups()
        assert (int(hits) >= 4, known) == (True, "5")
        assert "New York City marathon" in ended.stdout
        (said,) = re.findall(
            r"^\d+ of \d+ known events found, .* at other times$", README.read_text(), re.MULTILINE
        )
        assert said in ended.stdout
        assert "outrider results" in ended.stdout
        assert nodes() <= before


@pytest.mark.parametrize("moment", ["Starting OpenSearch", "Loading cloudwatch", "Detecting in cloudwatch"])
def test_ctrl_c_at_any_step_ends_the_demo_cleanly(moment):
    """No traceback, no node left behind; 130 as shells have it."""
    before = nodes()
    process = subprocess.Popen(
        COMMAND,
        env=environment() | {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = ""
    while moment not in output:
        part = process.stdout.read(1)
        assert part, output
        output += part
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "Stopped." in output
    assert nodes() <= before


def taxi_alarms(seed):
    """Return the starts of the windows of the taxi series that the default model flags."""
    series = sample_as_recorded("nyc-taxi").past
    starts = np.array([document[TIME_FIELD] for document in series])
    values = np.array([float(document["passengers"]) for document in series])[:, np.newaxis, np.newaxis]
    fleet = Fleet(ModelSettings(n_features=1, interval_ms=HALF_HOUR_MS))
    fleet.add(np.array([seed], np.uint64))
    scored = fleet.observe(
        np.zeros(1, np.int64), starts + HALF_HOUR_MS, values, np.ones((len(starts), 1), bool)
    )
    return starts[scored.grade[:, 0] > 0].tolist()


@pytest.mark.parametrize("seed", [seed_of("nyc-taxi", ()), 1, 2])
def test_the_default_model_finds_the_taxi_events_with_few_false_days(seed):
    """At least 4 of the 5 labelled windows, at most 3 days with alarms outside everything that is known."""
    alarms = taxi_alarms(seed)
    labels = labelled_windows("nyc-taxi")
    hits = sum(any(label.covers((), start, start + HALF_HOUR_MS) for start in alarms) for label in labels)
    known = labels + known_events("nyc-taxi")
    false_days = {
        start // DAY_MS
        for start in alarms
        if not any(event.covers((), start, start + HALF_HOUR_MS) for event in known)
    }
    assert len(labels) == 5
    assert hits >= 4
    assert len(false_days) <= 3


def test_moved_data_have_a_part_in_the_past_and_go_on_in_the_future():
    """Each series keeps its own distances; the present lies just before a labelled event."""
    now_ms = 1_800_000_000_000
    sample = sample_as_of("cloudwatch", now_ms)
    assert max(document[TIME_FIELD] for document in sample.past) <= now_ms
    assert [d[TIME_FIELD] for d in sample.ahead] == sorted(d[TIME_FIELD] for d in sample.ahead)
    assert {d["series"] for d in sample.ahead} == {d["series"] for d in sample.past}
    recorded = sample_as_recorded("cloudwatch")
    assert len(sample.past) + len(sample.ahead) == len(recorded.past)
    first = {}
    for document in sample.past:
        first.setdefault(document["series"], document[TIME_FIELD])
    offset = first["grok_asg_anomaly"] - next(
        d[TIME_FIELD] for d in recorded.past if d["series"] == "grok_asg_anomaly"
    )
    moved = {d[TIME_FIELD] - offset for d in sample.past + sample.ahead if d["series"] == "grok_asg_anomaly"}
    assert moved == {d[TIME_FIELD] for d in recorded.past if d["series"] == "grok_asg_anomaly"}
