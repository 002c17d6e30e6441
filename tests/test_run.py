"""`outrider run` as a user has it: a process that watches, logs, survives and stops."""

import json
import re
import signal
import socket
import threading
import time
from datetime import datetime
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from faults import FaultyProxy
from opensearchpy import OpenSearch, helpers
from sidecar import Sidecar, is_poll, outrider
from streams import MAPPING, MINUTE_MS, START_MS, detector, index_stream, stores_of, written

from detector.__main__ import main
from detector.commands.moment import iso_text
from detector.open import open_job
from detector.poll import poll

INTERVAL_MS = 2_000
TWO_SECONDS = {"period": {"interval": 2, "unit": "Seconds"}}
ONE_FEATURE = [{"feature_name": "mean", "aggregation_query": {"mean": {"avg": {"field": "load"}}}}]


@pytest.fixture
def folder(tmp_path):
    """Give a folder for detectors."""
    path = tmp_path / "detectors"
    path.mkdir()
    return path


def add_detector(folder, index, name="load", **changes):
    """Write a detector of windows of two seconds into a folder; return it as it is read."""
    changes = {"detection_interval": TWO_SECONDS, "feature_attributes": ONE_FEATURE, "history": 40} | changes
    config = detector(index, name=name, **changes)
    (folder / f"{name}.json").write_text(json.dumps(config.model_dump(mode="json", exclude_none=True)))
    return config


class Feed:
    """Indexes documents while time passes, each some seconds before the moment it is dated."""

    AHEAD_S = 4

    def __init__(self, client, index, hosts=("a", "b", "c")):
        self._client, self._index, self._hosts = client, index, hosts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        if not self._client.indices.exists(index=self._index):
            self._client.indices.create(index=self._index, body={"mappings": MAPPING})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        moment = int(time.time()) - 120
        while not self._ended.is_set():
            until = int(time.time()) + self.AHEAD_S
            bodies = [
                {"_index": self._index, "time": second * 1000, "load": second % 7 + 10 * number, "host": host}
                for second in range(moment, until)
                for number, host in enumerate(self._hosts)
            ]
            helpers.bulk(self._client, bodies, refresh=True)
            moment = until
            self._ended.wait(0.5)


def test_windows_are_scored_as_they_close_and_a_second_start_goes_on_without_a_gap(
    client, node_url, index_prefix, folder
):
    """The documents of both runs are those of one poll over everything."""
    source = f"{index_prefix}-source"
    config = add_detector(folder, source)
    with Feed(client, source):
        for _ in range(2):
            with Sidecar(folder, node_url, index_prefix) as sidecar:
                for _ in range(4):
                    last = sidecar.wait_for(is_poll("load"))
                assert sidecar.stop() == 0
                polls = [event for event in sidecar.events if event["event"] == "poll"]
                assert all(event["error"] is None for event in polls)
                assert [event["event"] for event in sidecar.events][-2:] == ["stopping", "stopped"]
            assert last["lag_s"] <= 6
            assert last["entities"] == 3
    documents = written(client, index_prefix)
    registration = stores_of(client, index_prefix).detectors.find_all()[0]
    stores = stores_of(client, f"{index_prefix}-calm")
    frontier_ms = int(datetime.fromisoformat(polls[-1]["frontier"]).timestamp() * 1000)
    calm = open_job(config, stores, registration.start_ms)
    report = poll(calm, stores, frontier_ms)
    assert report.windows >= 6
    undisturbed = written(client, f"{index_prefix}-calm")
    differing = {
        key: (documents[key], undisturbed[key]) for key in documents if documents[key] != undisturbed.get(key)
    }
    assert (differing, documents.keys()) == ({}, undisturbed.keys())


def test_every_line_is_one_a_person_can_read(client, node_url, index_prefix, folder):
    """What is done, by whom, how much, how far, how long it took; an error in words."""
    source = f"{index_prefix}-source"
    add_detector(folder, source)
    add_detector(folder, f"{source}-absent", name="absent")
    with Feed(client, source), Sidecar(folder, node_url, index_prefix, log_format="text") as sidecar:
        started = sidecar.wait_for_line("started")
        good = sidecar.wait_for_line("detector=load")
        while "results=0" in good:
            good = sidecar.wait_for_line("detector=load")
        bad = next(line for line in sidecar.lines if "detector=absent" in line)
        sidecar.stop(signal.SIGINT)
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(
        rf"{moment} \[info\] started version=\S+ cluster={node_url} index_prefix={index_prefix} detectors=2\n",
        started,
    )
    assert re.fullmatch(
        rf"{moment} \[info\] poll detector=load windows=\d+ results=\d+ anomalies=\d+ refused=0 entities=3 "
        r"frontier=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ lag_s=\d+ took_ms=\d+\n",
        good,
    )
    assert f"index {source}-absent does not exist: correct the name, or create it" in bad
    assert "next_try_s=" in bad
    assert "\x1b" not in "".join(sidecar.lines), "no colours where nobody sees them"
    assert "Traceback" not in "".join(sidecar.lines)


def test_the_cluster_may_be_away_at_the_start_and_in_between_and_at_the_end(
    embedded_node_factory, node_folder, folder, unused_port
):
    """The same process goes on each time; nothing but the log shows that it was away."""
    url = f"http://127.0.0.1:{unused_port}"
    add_detector(folder, "source")
    with Sidecar(folder, url, "outrider") as sidecar:
        failed = sidecar.wait_for(is_poll("load", failed=True))
        assert failed["error"].startswith(f"{url}: no connection: Connection refused: is the cluster running")
        assert (failed["windows"], failed["frontier"]) == (0, None)
        node = embedded_node_factory(data_folder=node_folder, port=unused_port)
        with OpenSearch(url, timeout=60) as client, Feed(client, "source"):
            for _ in range(2):
                before = sidecar.wait_for(is_poll("load"))
        node.stop()
        sidecar.wait_for(lambda event: event["event"] == "storage_retry")
        node = embedded_node_factory(data_folder=node_folder, port=unused_port)
        after = sidecar.wait_for(is_poll("load"))
        assert after["frontier"] > before["frontier"]
        with OpenSearch(url, timeout=60) as client:
            ends = {body["data_end_time"] for body in written(client, "outrider").values()}
        assert max(ends) - min(ends) == (len(ends) - 1) * INTERVAL_MS, "no window is missing"
        node.stop()
        retry = sidecar.wait_for(lambda event: event["event"] == "storage_retry")
        assert retry["detector"] == "load"
        assert sidecar.stop() == 0
        assert sidecar.events[-1]["event"] == "stopped"


@pytest.fixture
def unused_port():
    """Give a port on which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def hanging(client, node_url, index_prefix, folder):
    """Give a sidecar of which one poll waits for an answer that never comes."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=2, n_windows=2)
    add_detector(folder, source, name="stuck")
    with FaultyProxy(node_url) as proxy:
        proxy.fault = lambda request: "hang" if f"/{source}/_search" in request.path else None
        with Sidecar(folder, proxy.url, index_prefix) as sidecar:
            deadline = time.monotonic() + 60
            while not any(f"/{source}/_search" in request.path for request in proxy.requests):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield sidecar


def test_sigterm_ends_it_within_30_seconds_also_while_a_poll_hangs(hanging):
    """And says which detector was left in the middle."""
    assert hanging.stop(within_s=30) == 0
    last = hanging.events[-1]
    assert (last["event"], last["level"], last["unfinished"]) == ("stopped", "warning", ["stuck"])


def test_a_second_ctrl_c_ends_it_at_once(hanging):
    """The first one waits for the poll."""
    hanging.process.send_signal(signal.SIGINT)
    hanging.wait_for(lambda event: event["event"] == "stopping")
    began = time.monotonic()
    assert hanging.stop(signal.SIGINT, within_s=10) == -signal.SIGINT
    assert time.monotonic() - began < 5


class TestOnce:
    """`--once` and `--until`: analyse and end."""

    def test_the_past_is_analysed_and_doing_it_again_changes_nothing(
        self, client, node_url, index_prefix, folder
    ):
        """One line when a detector begins and one when it is done."""
        source = f"{index_prefix}-source"
        index_stream(client, source, n_hosts=3, n_windows=10)
        minute = {"detection_interval": {"period": {"interval": 1, "unit": "Minutes"}}}
        add_detector(folder, source, **minute)
        arguments = ["run", "-c", folder, "--start", iso_text(START_MS), "--log-format", "json"]
        until = ["--until", iso_text(START_MS + 10 * MINUTE_MS)]
        first = outrider(*arguments, *until, url=node_url, prefix=index_prefix)
        assert first.returncode == 0, first.stderr
        _, done = map(json.loads, first.stderr.splitlines())
        documents = written(client, index_prefix)
        assert (done["event"], done["windows"], done["results"]) == ("replayed", 10, len(documents))
        again = outrider(*arguments, *until, url=node_url, prefix=index_prefix)
        assert json.loads(again.stderr.splitlines()[-1])["windows"] == 0
        assert written(client, index_prefix) == documents

    def test_one_that_fails_does_not_keep_the_others_from_their_work(
        self, client, node_url, index_prefix, folder
    ):
        """The command fails in the end, and names it."""
        source = f"{index_prefix}-source"
        index_stream(client, source, n_hosts=2, n_windows=2)
        add_detector(folder, f"{source}-absent", name="a-absent")
        add_detector(folder, source, name="b-typo", time_field="tiem")
        add_detector(folder, source, name="c-good")
        arguments = [
            "run",
            "-c",
            folder,
            "--start",
            iso_text(START_MS),
            "--until",
            iso_text(START_MS + 60_000),
        ]
        ended = outrider(*arguments, url=node_url, prefix=index_prefix)
        assert ended.returncode == 1
        assert ended.stderr.endswith("Error: 2 of 3 detectors failed: a-absent, b-typo\n")
        assert "no index knows the field `tiem`; did you mean `time`?" in ended.stderr
        assert "replayed detector=c-good windows=30" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.fixture
def invoke(monkeypatch):
    """Give a function that runs the command line in this process; signals and logging are put back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("OPENSEARCH_URL", "http://127.0.0.1:1")
    yield lambda *arguments, **environment: CliRunner().invoke(
        main, list(map(str, arguments)), env=environment, prog_name="outrider"
    )
    for number, handler in handlers.items():
        signal.signal(number, handler)


WRONG_LINES = {
    "no folder": (["run"], "Missing option '-c' / '--config'"),
    "unknown option": (["run", "-c", "FOLDER", "--srart", "2026-01-01"], r"No such option.*--start"),
    "unknown command": (["rnu", "-c", "FOLDER"], r"No such command 'rnu'"),
    "no moment": (
        ["run", "-c", "FOLDER", "--start", "yesterday"],
        "'yesterday' is not a moment: write 2026-01-31",
    ),
    "too few threads": (["run", "-c", "FOLDER", "--threads", "0"], "0 is not in the range 1<=x<=64"),
    "no format": (["run", "-c", "FOLDER", "--log-format", "xml"], "'xml' is not one of 'text', 'json'"),
    "absent folder": (["run", "-c", "FOLDER/absent"], "no such file or folder; give a detector's JSON file"),
    "absent settings": (
        ["run", "-c", "FOLDER", "--settings", "FOLDER/no.toml"],
        "cannot read the settings file",
    ),
}


@pytest.mark.parametrize("case", WRONG_LINES)
def test_a_wrong_command_line_is_told_what_is_wrong_and_what_would_be_right(invoke, folder, case):
    """Exit code 2, a message, no traceback."""
    add_detector(folder, "source")
    arguments, message = WRONG_LINES[case]
    ended = invoke(*(argument.replace("FOLDER", str(folder)) for argument in arguments))
    assert ended.exit_code == 2
    assert re.search(message, ended.output)
    assert isinstance(ended.exception, SystemExit)


def test_an_empty_folder_and_wrong_files_are_told_with_file_and_place(invoke, folder):
    """Everything that is wrong, in one go."""
    ended = invoke("run", "-c", folder)
    assert (ended.exit_code, "holds no file named *.json" in ended.output) == (2, True)
    (folder / "comma.json").write_text('{"name": "x", }')
    (folder / "keys.json").write_text('{"name": "y", "time_feild": "time"}')
    ended = invoke("run", "-c", folder)
    assert ended.exit_code == 2
    assert "comma.json:1:15: is not valid JSON" in ended.output
    assert re.search(r"keys.json.*time_feild.*did you mean `time_field`", ended.output)


def test_without_a_cluster_the_variable_to_set_is_named(invoke, folder):
    """And how to do without one."""
    add_detector(folder, "source")
    ended = invoke("run", "-c", folder, OPENSEARCH_URL="")
    assert ended.exit_code == 2
    assert "set OPENSEARCH_URL (for example https://localhost:9200)" in ended.output
    ended = invoke("run", "-c", folder, OPENSEARCH_URL="localhost:9200")
    assert ended.exit_code == 2
    assert "expected http:// or https://" in ended.output


def test_once_without_an_answering_cluster_fails_with_the_reason(invoke, folder):
    """Exit code 1: nothing is wrong with the command line."""
    add_detector(folder, "source")
    ended = invoke("run", "-c", folder, "--once")
    assert ended.exit_code == 1
    assert "http://127.0.0.1:1: no connection" in ended.output


def test_moments_are_read_as_utc_unless_they_say_otherwise():
    """A date, with or without a time, with or without an offset."""
    from detector.commands.moment import MOMENT

    same = ["2026-01-31T08:00", "2026-01-31 08:00:00", "2026-01-31T08:00:00Z", "2026-01-31T10:00:00+02:00"]
    assert {iso_text(MOMENT.convert(text, None, None)) for text in same} == {"2026-01-31T08:00:00Z"}
    assert iso_text(MOMENT.convert("2026-01-31", None, None)) == "2026-01-31T00:00:00Z"


def test_the_sidecar_is_seen_from_outside_while_it_runs(client, node_url, index_prefix, folder):
    """Pages tell of polls and requests; the heartbeat says the same in the cluster; readiness follows the source."""
    add_detector(folder, f"{index_prefix}-feed")
    with (
        Feed(client, f"{index_prefix}-feed"),
        Sidecar(folder, node_url, index_prefix, "--monitor", "0") as sidecar,
    ):
        page = sidecar.wait_for(lambda event: event["event"] == "started")["monitor"]
        for _ in range(2):
            # What a poll has come to is entered after its line: behind the second line stands the first.
            sidecar.wait_for(lambda event: is_poll(event) and event["results"])
        with urlopen(page, timeout=10) as answer:
            text = answer.read().decode()
        with urlopen(page.replace("metrics", "readyz"), timeout=10) as answer:
            assert answer.status == 200
    assert re.search(r'outrider_results_total{detector="load"} [1-9]', text)
    assert re.search(r'outrider_request_seconds_count{operation="bulk",outcome="ok"} [1-9]', text)
    client.indices.refresh(index=f"{index_prefix}-state")
    query = {
        "query": {"bool": {"filter": [{"term": {"kind": "heartbeat"}}, {"range": {"results": {"gt": 0}}}]}}
    }
    heartbeats = client.search(index=f"{index_prefix}-state", body=query)["hits"]["hits"]
    assert heartbeats
    assert {hit["_source"]["detector_id"] for hit in heartbeats} == {"load"}
    assert all(hit["_source"]["host"] and hit["_source"]["lag_s"] >= 0 for hit in heartbeats)


def test_an_address_that_cannot_be_had_ends_the_start(node_url, index_prefix, folder):
    """With the address and the option; a wrong one with the forms that there are."""
    add_detector(folder, "feed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = outrider("run", "-c", folder, "--monitor", str(port), url=node_url, prefix=index_prefix)
    assert ended.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port} (--monitor)" in ended.stderr
    ended = outrider("run", "-c", folder, "--monitor", "here", url=node_url, prefix=index_prefix)
    assert ended.returncode == 2
    assert "write 9108 (loopback), 0.0.0.0:9108 or [::1]:9108" in ended.stderr
