"""README and documentation are true: every command and every JSON document in them is run.

A ```console block is run line by line: `$ ` begins a command, what follows is its output, `…` stands for anything.
The commands of a page share one shell and one folder. Blocks marked `not-run-in-ci` are checked by their syntax.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from opensearchpy import OpenSearch
from pages import NOT_RUN, PAGES, ROOT, Block, anchors, blocks, difference, find, table_column

from detector.__main__ import COMMANDS
from detector.commands.demo_data import sample_as_recorded
from detector.commands.run import run
from detector.configuration.config import DetectorConfig
from detector.example_data import EXAMPLES, MAPPINGS
from detector.outcome import outcome_of
from detector.poll import PollReport
from storage.cluster import PATH_SETTINGS, Cluster, variable
from storage.ingest import add_documents, replace_index
from storage.node import EmbeddedNode
from storage.settings import load_cluster

ENVIRONMENT = dict(os.environ)
PREFIX = "outrider"
"""Prefix of the results that stand in the cluster for all pages; one that runs detectors itself has its own."""

DEMO = """
from rich.console import Console
from detector.commands.demo_data import sample_as_recorded
from detector.commands.findings import print_findings
from storage.client import connect
from storage.results import ResultStore
from storage.retry import ONCE
from storage.settings import load_cluster
with connect(load_cluster()) as client:
    found = ResultStore(client, "outrider", ONCE).find(detector_id="nyc-taxi", min_grade=0.0, most=1000)
    print_findings(Console(), "nyc-taxi", found, sample_as_recorded("nyc-taxi").labels)
"""
"""What `make demo` prints of the taxis at its end; the whole of it runs a node of its own in a test of its own."""

on_embedded_node = pytest.mark.usefixtures("embedded_node_factory")
"""Not collected with another server: pages use the default names of indices, which may be in use there."""


class Shell:
    """Runs the commands of a page, one after another, in one bash."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def outputs(self, commands: list[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield exit code and lines of each command; standard error is part of the output."""
        mark = "\x1e"
        script = "".join(f"{command}\nprintf '{mark}%s{mark}' $?\n" for command in commands)
        answer = subprocess.run(
            ["bash", "-c", f"make() {{ OUTRIDER_INDEX_PREFIX={PREFIX} python demo.py; }}\n{script}"],
            check=True,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        parts = answer.stdout.split(mark)
        for output, code in zip(parts[::2], parts[1::2], strict=False):
            yield int(code), output.splitlines()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder like a fresh checkout, which a node can also read when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="outrider-docs-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o755)
        shutil.copytree(ROOT / "examples", path / "examples")
        (path / "demo.py").write_text(DEMO)
        yield path


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Mapping[str, str]]:
    """Give the environment of commands on a node with the examples and their results."""
    with EmbeddedNode(heap="512m", environ=ENVIRONMENT) as embedded:
        with OpenSearch(embedded.url, timeout=60) as client:
            for name in EXAMPLES:
                replace_index(client, name, MAPPINGS[name])
                add_documents(client, name, sample_as_recorded(name).past)
        clean = {
            name: value
            for name, value in ENVIRONMENT.items()
            if not name.startswith(("OPENSEARCH_", "OUTRIDER_"))
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{ENVIRONMENT['PATH']}"
        environment = {
            **clean,
            "PATH": path,
            "OPENSEARCH_URL": embedded.url,
            "COLUMNS": "110",
            "NO_COLOR": "1",
        }
        for name, start, until in (
            ("nyc-taxi", "2014-07-01", "2015-02-01"),
            ("cloudwatch", "2014-04-10", "2014-04-11"),
        ):
            command = f"outrider run -c examples/detectors/{name}.json --start {start} --until {until}"
            ((code, lines),) = Shell(folder, environment).outputs([command])
            assert code == 0, lines
        with OpenSearch(embedded.url, timeout=60) as client:
            client.indices.refresh(index="outrider-*")
        yield environment


@pytest.fixture
def node_client(node: Mapping[str, str]) -> Iterator[OpenSearch]:
    """Give a client of that node."""
    with OpenSearch(node["OPENSEARCH_URL"], timeout=60) as client:
        yield client


def runnable(page: Path) -> list[Block]:
    """Return the console blocks of a page that are run."""
    return [block for block in blocks(page) if block.language == "console" and NOT_RUN not in block.words]


def test_there_is_something_to_run() -> None:
    """The tests of this file find what they are about."""
    assert len([page for page in PAGES if runnable(page)]) >= 4
    assert len(find("json", "query")) >= 4
    assert find("json", "detector")
    assert find("json", "result")


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    """A command in an unmarked block would be run by nobody; pictures have no language."""
    for page in PAGES:
        for block in blocks(page):
            kind = (block.language, *block.words)
            known = [("console",), ("console", NOT_RUN), ("toml",), ("yaml",), ("",)]
            known += [("json", word) for word in ("detector", "result", "query", "heartbeats")]
            assert kind in known, f"{block}: {kind}"
            assert block.language or not re.search(r"^\$ |^outrider ", block.text, re.MULTILINE), str(block)


def test_every_fence_is_closed() -> None:
    """An open one would hide blocks from the tests."""
    for page in PAGES:
        fences = re.findall(r"^```", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(list(blocks(page))), page


@on_embedded_node
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=lambda page: page.name)
def test_commands_print_what_the_page_says(page: Path, folder: Path, node: Mapping[str, str]) -> None:
    """Every command ends well, and its output is the one beside it."""
    commands = [(block, *command) for block in runnable(page) for command in block.commands]
    writes = any(command.startswith("outrider run") for _, command, _ in commands)
    shell = Shell(folder, node | {"OUTRIDER_INDEX_PREFIX": f"page-{page.stem.lower()}" if writes else PREFIX})
    results = list(shell.outputs([command for _, command, _ in commands]))
    assert len(results) == len(commands) > 0
    for (block, command, said), (code, printed) in zip(commands, results, strict=True):
        output = "\n".join(printed)
        assert code == 0, f"{block}: `{command}` ended with {code}:\n{output}"
        problem = difference(said, printed)
        assert problem is None, f"{block}: `{command}`: {problem}; it prints\n{output}"


@pytest.mark.parametrize("block", find("console", NOT_RUN), ids=str)
def test_commands_that_are_not_run_are_commands(block: Block) -> None:
    """They are at least of a shell's grammar, and their page says that they are not run."""
    assert block.commands
    for command, _ in block.commands:
        subprocess.run(["bash", "-n", "-c", command], check=True)
    assert "not run by the tests" in block.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("block", find("json", "detector"), ids=str)
def test_detectors_are_detectors(block: Block) -> None:
    """Each loads."""
    assert DetectorConfig.model_validate_json(block.text).feature_attributes


def test_the_first_detector_is_the_one_of_the_demo() -> None:
    """README shows the very file that `make demo` runs."""
    shown = next(block for block in blocks(ROOT / "README.md") if "detector" in block.words)
    assert json.loads(shown.text) == json.loads((ROOT / "examples/detectors/nyc-taxi.json").read_text())


def properties() -> dict[str, Any]:
    """Return the mapped fields of a result document."""
    mapping = json.loads((ROOT / "storage/mappings/results.json").read_text())
    return mapping["mappings"]["properties"]


@pytest.mark.parametrize("block", find("json", "result"), ids=str)
def test_results_have_the_fields_of_the_mapping(block: Block) -> None:
    """A document on a page could be one of the index."""
    document = json.loads(block.text)
    assert len(document) > 10
    assert set(document) <= set(properties())


def test_every_field_of_a_result_is_explained() -> None:
    """The table has the fields of the mapping, each once."""
    fields = table_column(ROOT / "docs/results.md", "field")
    assert sorted(fields) == sorted(properties())


@on_embedded_node
def test_fields_are_present_when_the_page_says_so(node_client: OpenSearch) -> None:
    """Of real documents: warming up, normal, and anomalies; a single stream, and entities."""
    when = dict(
        re.findall(
            r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", (ROOT / "docs/results.md").read_text(), re.MULTILINE
        )
    )
    kinds = [
        {"term": {"detector_id": "cloudwatch"}},
        {"bool": {"filter": [{"term": {"detector_id": "nyc-taxi"}}, {"term": {"is_anomaly": False}}]}},
        {"term": {"is_anomaly": True}},
        {"term": {"status": "warming_up"}},
    ]
    for kind in kinds:
        answer = node_client.search(index=f"{PREFIX}-results", body={"query": kind, "size": 3})
        assert answer["hits"]["hits"], f"nothing is found for {kind}"
        for hit in answer["hits"]["hits"]:
            document = hit["_source"]
            holds = {
                "always": True,
                "scored": document["status"] == "scored",
                "anomaly": bool(document.get("is_anomaly")),
                "entities": document["detector_id"] == "cloudwatch",
                "refused": document["status"] == "refused",
                # Both detectors have means only: without documents there is nothing to fill in.
                "silent": False,
                "never yet": False,
            }
            assert set(document) == {field for field, time in when.items() if holds[time.strip()]}


@on_embedded_node
@pytest.mark.parametrize("block", find("json", "query"), ids=str)
def test_queries_find_something(block: Block, node_client: OpenSearch) -> None:
    """Each runs as it stands, and answers with documents or with buckets that hold numbers."""
    answer = node_client.search(index=f"{PREFIX}-results", body=json.loads(block.text))
    assert answer["hits"]["total"]["value"] > 0
    for aggregation in answer.get("aggregations", {}).values():
        assert aggregation["buckets"]
        inner = [part for part in aggregation["buckets"][0].values() if isinstance(part, dict)]
        assert inner
        assert all(part.get("value", part.get("buckets")) not in (None, []) for part in inner)


@on_embedded_node
@pytest.mark.parametrize("block", find("json", "heartbeats"), ids=str)
def test_queries_of_heartbeats_find_something(block: Block, node_client: OpenSearch) -> None:
    """Each runs as it stands, over the state index, and answers with a bucket a detector."""
    answer = node_client.search(index=f"{PREFIX}-state", body=json.loads(block.text))
    buckets = {bucket["key"]: bucket for bucket in answer["aggregations"]["detectors"]["buckets"]}
    assert {"nyc-taxi", "cloudwatch"} <= buckets.keys()
    assert all(bucket["last"]["value"] > 0 for bucket in buckets.values())


@pytest.mark.parametrize("block", find("toml"), ids=str)
def test_settings_files_load(block: Block, tmp_path: Path) -> None:
    """Each settings file on a page is accepted; the files that it names are made first."""
    for key, value in tomllib.loads(block.text)["cluster"].items():
        if key in PATH_SETTINGS:
            (tmp_path / value).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / value).write_text("secret")
    (tmp_path / "outrider.toml").write_text(block.text)
    assert load_cluster(tmp_path / "outrider.toml").url


@pytest.mark.parametrize("block", find("yaml"), ids=str)
def test_yaml_can_be_read(block: Block) -> None:
    """Manifests and the like are at least well formed."""
    assert list(yaml.safe_load_all(block.text))


def test_links_lead_somewhere() -> None:
    """Files and headings that pages refer to exist."""
    n_links = 0
    pages = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "SECURITY.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            n_links += 1
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"
    assert n_links > 30


def test_every_page_can_be_reached_from_the_readme() -> None:
    """A page that nothing links to is read by nobody."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in text, page.name


def test_every_command_is_in_the_readme() -> None:
    """The table of commands has those that `outrider --help` lists, in its order or another."""
    shown = {entry.split()[1] for entry in table_column(ROOT / "README.md", "command")}
    assert shown == set(COMMANDS)


def test_the_fields_of_the_log_line_are_explained() -> None:
    """The table of the line a poll has the fields that the line has."""
    said = table_column(ROOT / "docs/operations.md", "field")
    written = {"detector", *outcome_of(PollReport(), None, 0), "took_ms", "error", "failures", "next_try_s"}
    assert sorted(said) == sorted(written)


def test_the_options_of_run_are_explained() -> None:
    """The table has every option that has a variable."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    options = [parameter for parameter in run.params if parameter.envvar]
    assert len(options) >= 3
    for parameter in options:
        assert f"`{parameter.opts[-1]}` | `{parameter.envvar}`" in text


def test_variables_on_pages_are_read_by_somebody() -> None:
    """Every OPENSEARCH_… and OUTRIDER_… that a page names exists."""
    pattern = re.compile(r"\b(?:OPENSEARCH|OUTRIDER)_[A-Z_]+\b")
    known = {variable(setting) for setting in Cluster.model_fields}
    for source in [
        *(ROOT / "detector").rglob("*.py"),
        *(ROOT / "storage").rglob("*.py"),
        ROOT / "tests/conftest.py",
    ]:
        known |= set(pattern.findall(source.read_text(encoding="utf-8")))
    named = {name for page in PAGES for name in pattern.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 5
    assert named <= known


def test_a_page_that_says_something_else_is_noticed() -> None:
    """The comparison of pages and output can fail: in words, numbers, order, and lines that are left out."""
    printed = ["Detectors", "", " a   1.00   29,547 ", " b   0.50   7 ", "end"]
    assert difference(["Detectors", "…", " b 0.50 7", "end"], printed) is None
    assert difference(["Detectors", " a 1.01 29,500", "…"], printed) is None
    assert difference(["… a 1.00 …", "…"], [" x a 1.00 y"]) is None
    assert difference([], printed) is None
    assert difference(["Detectors", " b 0.50 7", "end"], printed)
    assert difference(["Detectors", "…", " b 0.60 7", "end"], printed)
    assert difference(["Detectors", "…", "end", "…", " b 0.50 7"], printed)
    assert difference(["Detectors", "…", " b 0.50 7"], printed)
    assert difference(["Detector", "…"], printed)
