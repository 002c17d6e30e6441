"""The pages that watch the sidecar: what they say, and when they say that something is wrong."""

import json
import re
import urllib.error
import urllib.request

import pytest
import yaml
from pages import ROOT
from prometheus_client.parser import text_string_to_metric_families

from detector import health as health_module
from detector.health import Health, Pulse
from detector.metrics import Metrics
from detector.monitor import Address, Monitor
from detector.outcome import Polled

POLLED = Polled(
    detector_id="taxi",
    interval_s=60.0,
    seconds=0.2,
    windows=3,
    results=30,
    anomalies=1,
    refused=0,
    frontier_s=1_000.0,
    lag_s=61.0,
    entities=10,
    partitions=64,
    model_bytes=1_000_000,
    failures=0,
    error=None,
)


@pytest.fixture
def parts():
    """Return metrics and health of a sidecar with two detectors."""
    return Metrics("1.2.3"), Health(["taxi", "web"])


@pytest.fixture
def ask(parts):
    """Give a function that asks the monitor for a page: status, type, text."""
    with Monitor(Address("127.0.0.1", 0), *parts) as monitor:

        def page(path):
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{monitor.address.port}{path}", timeout=10
                ) as answer:
                    return answer.status, answer.headers["Content-Type"], answer.read().decode()
            except urllib.error.HTTPError as refusal:
                with refusal:
                    return refusal.code, refusal.headers["Content-Type"], refusal.read().decode()

        yield page


def samples(text):
    """Return the samples of a metrics page: name and labels to value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_what_polls_did(ask, parts):
    """Two polls add up; gauges hold the last; no label names an entity."""
    metrics, _ = parts
    metrics.note_poll(POLLED, 2_000.0)
    metrics.note_poll(POLLED._replace(windows=1, results=10, anomalies=0, lag_s=None, failures=2), 3_000.0)
    metrics.note_request("search", "ok", 0.03)
    status, kind, text = ask("/metrics")
    found = samples(text)
    taxi = (("detector", "taxi"),)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert found["outrider_windows_total", taxi] == 4
    assert found["outrider_results_total", taxi] == 40
    assert found["outrider_anomalies_total", taxi] == 1
    assert found["outrider_lag_seconds", taxi] == 61
    assert found["outrider_interval_seconds", taxi] == 60
    assert found["outrider_failures_in_a_row", taxi] == 2
    assert found["outrider_last_success_timestamp_seconds", taxi] == 2_000
    assert found["outrider_polls_total", (("detector", "taxi"), ("outcome", "failed"))] == 1
    assert found["outrider_request_seconds_count", (("operation", "search"), ("outcome", "ok"))] == 1
    assert found["outrider_build_info", (("version", "1.2.3"),)] == 1
    assert found["process_resident_memory_bytes", ()] > 1_000_000
    assert {name for _, labels in found for name, _ in labels} <= {
        "detector", "outcome", "operation", "version", "le", "implementation", "major", "minor", "patchlevel",
    }  # fmt: skip


def test_a_detector_that_moved_away_leaves_no_lag_behind(parts):
    """Another sidecar has all of it: the last gauges would be told for ever. One that fails has moved nowhere."""
    metrics, _ = parts
    gone = POLLED._replace(frontier_s=None, lag_s=None, entities=None, partitions=0)
    taxi = (("detector", "taxi"),)
    states = {f"outrider_{name}" for name in ("lag_seconds", "frontier_timestamp_seconds", "entities")}

    def shown():
        return {name for name, labels in samples(metrics.text().decode()) if labels == taxi} & states

    metrics.note_poll(POLLED, 2_000.0)
    metrics.note_poll(gone._replace(failures=1, error="away"), 3_000.0)
    assert shown() == states
    for _ in range(2):
        metrics.note_poll(gone, 4_000.0)
        assert shown() == set()
    metrics.note_poll(POLLED, 5_000.0)
    assert shown() == states


def test_a_sidecar_is_ready_when_every_detector_is(ask, parts):
    """Before the first poll, after a failure and far behind it is not, and says why; then it is."""
    _, health = parts
    status, kind, text = ask("/readyz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(text)["reasons"] == {"taxi": "not polled yet", "web": "not polled yet"}
    health.note("web", Pulse(60, 61, None))
    health.note("taxi", Pulse(60, None, "index nyc-taxi does not exist"))
    assert json.loads(ask("/readyz")[2])["reasons"] == {"taxi": "index nyc-taxi does not exist"}
    health.note("taxi", Pulse(60, 7_200, None))
    assert json.loads(ask("/readyz")[2])["reasons"] == {"taxi": "7,200 s behind, still catching up"}
    health.note("taxi", Pulse(60, 599, None))
    assert ask("/readyz")[::2] == (200, '{"status": "ok"}\n')


def test_lag_is_judged_by_the_interval(parts):
    """A detector of daily windows lags by a day: it is ready all the same."""
    _, health = parts
    health.note("web", Pulse(60, 0, None))
    health.note("taxi", Pulse(86_400, 100_000, None))
    assert health.complaints() == {}


def test_a_scheduler_that_hangs_is_not_alive(ask, parts, monkeypatch):
    """The cluster has no say in it: not ready is alive; a scheduler that does not turn is not."""
    _, health = parts
    assert ask("/healthz")[0] == 200
    monkeypatch.setattr(health_module, "LONGEST_TURN_S", 0.0)
    status, _, text = ask("/healthz")
    assert (status, json.loads(text)["reasons"]) == (503, {"scheduler": "does not turn"})
    monkeypatch.undo()
    health.turn()
    assert ask("/healthz")[0] == 200


def test_any_other_page_names_those_there_are(ask):
    """Somebody who guesses is told."""
    status, _, text = ask("/")
    assert (status, text) == (404, "there are /metrics, /healthz and /readyz\n")


def test_an_address_is_written_as_in_a_url():
    """One of IPv6 stands in brackets, else its port could not be told from it."""
    assert [str(Address(host, 9108)) for host in ("localhost", "::1")] == ["localhost:9108", "[::1]:9108"]


def test_an_address_in_use_is_refused(parts):
    """A second sidecar on the same port fails at once and not when it is asked."""
    with (
        Monitor(Address("127.0.0.1", 0), *parts) as first,
        pytest.raises(OSError, match="in use"),
        Monitor(first.address, *parts),
    ):
        pass


def test_alert_rules_are_about_metrics_that_there_are(parts):
    """A rule about a metric that nobody has would never fire."""
    metrics, _ = parts
    metrics.note_poll(POLLED, 2_000.0)
    metrics.note_request("search", "ok", 0.03)
    known = {name for name, _ in samples(metrics.text().decode())}
    rules = yaml.safe_load((ROOT / "examples/monitoring/outrider-rules.yaml").read_text())["groups"][0][
        "rules"
    ]
    named = {name for rule in rules for name in re.findall(r"outrider_\w+", rule["expr"])}
    assert len(rules) >= 5
    assert len(named) >= 5
    assert named <= known
    assert all({"summary", "what_to_do"} <= rule["annotations"].keys() for rule in rules)


def test_silence_is_judged_by_the_interval(parts):
    """With windows of half an hour and longer, a poll an interval is all there should be."""
    metrics, _ = parts
    metrics.note_poll(POLLED._replace(interval_s=86_400.0), 2_000.0)
    found = samples(metrics.text().decode())
    rules = yaml.safe_load((ROOT / "examples/monitoring/outrider-rules.yaml").read_text())["groups"][0]
    (rule,) = [rule for rule in rules["rules"] if rule["alert"] == "OutriderDetectorIsSilent"]
    limit = re.fullmatch(r"time\(\) - (\w+) > (\d+) \+ (\d+) \* (\w+)", rule["expr"])
    success, base_s, times, interval = limit.groups()
    # Prometheus compares samples whose labels are the same.
    taxi = (("detector", "taxi"),)
    assert found[success, taxi] == 2_000
    assert int(base_s) + int(times) * found[interval, taxi] > 86_400 + 600


def test_every_metric_is_explained(parts):
    """The page has the metrics that the sidecar has."""
    metrics, _ = parts
    metrics.note_poll(POLLED, 2_000.0)
    text = metrics.text().decode()
    have = set(re.findall(r"^# HELP (outrider_\w+)", text, re.MULTILINE))
    have = {name for name in have if not name.endswith("_created")}
    said = set(re.findall(r"`(outrider_\w+)`", (ROOT / "docs/monitoring.md").read_text()))
    assert len(have) > 12
    assert have <= said | {name.removesuffix("_total") for name in said}
