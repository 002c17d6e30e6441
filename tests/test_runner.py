"""A detector under the schedule: what a stop and a limit do to windows that cannot be written, or read, yet."""

import threading
from dataclasses import replace

import pytest
from streams import MINUTE_MS, START_MS, detector, source_index, stores_of, written

from detector.open import open_job
from detector.poll import poll
from detector.present import Present
from detector.runner import SETTLE_MS, Runner
from storage.errors import Unavailable

N_HOSTS, N_WINDOWS = 4, 30
END_MS = START_MS + N_WINDOWS * MINUTE_MS


@pytest.fixture(scope="module")
def source(client):
    """Make an index with data, shared by the module."""
    with source_index(client, n_hosts=N_HOSTS, n_windows=N_WINDOWS) as index:
        yield index


class Clock:
    """The present of the cluster and of this host."""

    def __init__(self):
        self.now_ms = START_MS

    def runner(self, config, stores, **settings):
        present = Present(lambda: self.now_ms, lambda: self.now_ms, lambda: self.now_ms / 1000)
        return Runner(config, stores, present, threading.Event(), start_ms=START_MS, **settings)

    def run_at(self, runner, window, delay_ms=0):
        self.now_ms = START_MS + window * MINUTE_MS + delay_ms + SETTLE_MS
        runner.run()


class Away:
    """A store of which an operation fails while `is_away`, where there is something to do."""

    def __init__(self, store, operation):
        self._store, self._operation, self.is_away = store, operation, False

    def __getattr__(self, name):
        operation = getattr(self._store, name)
        if name != self._operation:
            return operation

        def act(items, *arguments):
            if self.is_away and items:
                msg = "the cluster is away"
                raise Unavailable(msg)
            return operation(items, *arguments)

        return act


@pytest.mark.parametrize(("store", "operation"), [("results", "save"), ("state", "advance")])
def test_a_stop_while_results_cannot_be_written_loses_neither_models_nor_windows(
    client, source, index_prefix, store, operation
):
    """The models have seen a window that nobody has written: they are not saved like that."""
    config = detector(source)
    calm = stores_of(client, f"{index_prefix}-calm")
    poll(open_job(config, calm, START_MS), calm, END_MS)
    stores = stores_of(client, f"{index_prefix}-torn")
    clock, torn = Clock(), Away(getattr(stores, store), operation)
    runner = clock.runner(config, replace(stores, **{store: torn}))
    clock.run_at(runner, 20)
    torn.is_away = True
    clock.run_at(runner, 21)
    runner.close()
    torn.is_away = False
    clock.run_at(clock.runner(config, stores), N_WINDOWS)
    assert stores.detectors.find("load").generation == 1
    assert written(client, f"{index_prefix}-torn") == written(client, f"{index_prefix}-calm")


def test_a_limit_shorter_than_the_window_delay_skips_no_live_window(client, source, index_prefix):
    """A window is as old as its delay before it may be read at all."""
    delay_ms = 10 * MINUTE_MS
    config = detector(source, window_delay={"period": {"interval": 10, "unit": "Minutes"}})
    clock, stores = Clock(), stores_of(client, index_prefix)
    runner = clock.runner(config, stores, catch_up_ms=1_000)
    for window in range(1, 8):
        clock.run_at(runner, window, delay_ms)
    documents = written(client, index_prefix).values()
    assert "skipped" not in {document["status"] for document in documents}
    assert max(document["data_end_time"] for document in documents) == START_MS + 7 * MINUTE_MS
