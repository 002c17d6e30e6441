"""What the sidecar counts, in the form that Prometheus and its kin read.

Labels are detectors and operations, never entities: their number is the user's, and would be the monitoring's ruin.
"""

from contextlib import suppress

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from detector.outcome import Polled

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Buckets of durations: a request takes milliseconds, a poll of 100,000 entities some ten seconds."""


class Metrics:
    """Counters and gauges of one process, in a registry of their own.

    Parameters
    ----------
    release
        Version of Outrider.
    """

    def __init__(self, release: str) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Gauge("outrider_build_info", "1; the label is the release", ("version",), registry=registry).labels(
            release
        ).set(1)
        self._polls = Counter(
            "outrider_polls", "Polls that have ended", ("detector", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "outrider_poll_seconds", "Duration of polls", ("detector",), buckets=SECONDS, registry=registry
        )
        self._requests = Histogram(
            "outrider_request_seconds",
            "Requests to the cluster",
            ("operation", "outcome"),
            buckets=SECONDS,
            registry=registry,
        )
        self._windows = self._counter("windows", "Windows scored and committed")
        self._results = self._counter("results", "Result documents written")
        self._anomalies = self._counter("anomalies", "Results with a grade above 0")
        self._refused = self._counter("refused", "Documents the cluster refused for good")
        self._failures = self._gauge("failures_in_a_row", "Failed polls since the last good one")
        self._success = self._gauge("last_success_timestamp_seconds", "End of the last good poll")
        self._interval = self._gauge("interval_seconds", "Length of a window")
        self._frontier = self._gauge("frontier_timestamp_seconds", "End of the last window that is done")
        self._lag = self._gauge("lag_seconds", "How far that was behind at the last poll")
        self._entities = self._gauge("entities", "Entities with a model here")
        self._partitions = self._gauge("partitions", "Partitions that this process holds")
        self._bytes = self._gauge("model_bytes", "Memory of the models here")

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"outrider_{name}", text, ("detector",), registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"outrider_{name}", text, ("detector",), registry=self._registry)

    def note_poll(self, polled: Polled, now_s: float) -> None:
        """Enter a poll that ended at `now_s`, seconds since the epoch."""
        name = polled.detector_id
        outcome = "failed" if polled.failures else "ok"
        self._polls.labels(name, outcome).inc()
        self._seconds.labels(name).observe(polled.seconds)
        self._windows.labels(name).inc(polled.windows)
        self._results.labels(name).inc(polled.results)
        self._anomalies.labels(name).inc(polled.anomalies)
        self._refused.labels(name).inc(polled.refused)
        self._failures.labels(name).set(polled.failures)
        self._interval.labels(name).set(polled.interval_s)
        self._partitions.labels(name).set(polled.partitions)
        self._bytes.labels(name).set(polled.model_bytes)
        if not polled.failures:
            self._success.labels(name).set(now_s)
        for gauge, value in (
            (self._frontier, polled.frontier_s),
            (self._lag, polled.lag_s),
            (self._entities, polled.entities),
        ):
            if value is not None:
                gauge.labels(name).set(value)
            elif not polled.partitions and not polled.failures:
                # All of it is another sidecar's now: what was true when it left would be told for ever.
                with suppress(KeyError):
                    gauge.remove(name)

    def note_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Enter a request to the cluster."""
        self._requests.labels(operation, outcome).observe(seconds)

    def text(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self._registry)
