"""The image's recipe and the compose file, without a container engine: what a linter would say, and what must agree."""

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from opensearchpy import OpenSearch

from detector.commands.demo_data import Sample, sample_as_recorded
from detector.health import Health
from detector.metrics import Metrics
from detector.monitor import Address, Monitor

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE = ROOT / "docker" / "compose.yaml"


def instructions() -> list[dict[str, Any]]:
    """Instructions of the Dockerfile in order, each with `instruction` and `value`."""
    return [
        part for part in DockerfileParser(path=str(DOCKERFILE)).structure if part["instruction"] != "COMMENT"
    ]


def stages() -> list[list[dict[str, Any]]]:
    """Instructions of each stage, the FROM first."""
    found: list[list[dict[str, Any]]] = []
    for part in instructions():
        if part["instruction"] == "FROM":
            found.append([])
        if found:
            found[-1].append(part)
    return found


def values(stage: list[dict[str, Any]], instruction: str) -> list[str]:
    """Values of all instructions of one kind."""
    return [part["value"] for part in stage if part["instruction"] == instruction]


def environment(stage: list[dict[str, Any]]) -> dict[str, str]:
    """Variables that the stage sets."""
    pairs = (pair.split("=", 1) for text in values(stage, "ENV") for pair in shlex.split(text))
    return dict(pairs)


def services() -> dict[str, dict[str, Any]]:
    """Services of the compose file."""
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_the_image_has_two_stages() -> None:
    """What builds is left behind: the last stage takes the installed environment only."""
    build, final = stages()
    assert all(re.search(r"python:\$\{PYTHON_VERSION\}-slim", stage[0]["value"]) for stage in (build, final))
    assert values(final, "COPY") == ["--from=build /opt/outrider /opt/outrider"]
    assert not any("pip" in text for text in values(final, "RUN"))


def test_the_base_image_is_pinned() -> None:
    """The Python of the image is one that the package supports, and never `latest`."""
    (argument,) = [part["value"] for part in instructions() if part["instruction"] == "ARG"]
    name, _, series = argument.partition("=")
    assert name == "PYTHON_VERSION"
    assert (3, 11) <= tuple(map(int, series.split("."))) <= (3, 14)


def test_the_image_runs_as_a_fixed_user_that_is_not_root() -> None:
    """By number, so that a cluster's policy can check it; nothing after it goes back to root."""
    final = stages()[-1]
    (user,) = values(final, "USER")
    assert user == "10001:10001"
    assert any("useradd" in text and "--uid 10001" in text for text in values(final, "RUN"))


def test_the_kernels_are_compiled_by_the_user_who_runs_them() -> None:
    """Into a known folder that this user may write."""
    final = stages()[-1]
    folder = environment(final)["NUMBA_CACHE_DIR"]
    assert any(
        "install --directory --owner=outrider" in text and folder in text for text in values(final, "RUN")
    )
    order = [part["instruction"] for part in final]
    command = json.loads(values(final, "RUN")[-1])
    assert order.index("USER") < len(order) - 1 - order[::-1].index("RUN"), "the last RUN comes after USER"
    assert command[:2] == ["python", "-c"]
    imported = [node for node in ast.walk(ast.parse(command[2])) if isinstance(node, ast.ImportFrom)]
    assert [(node.module, node.names[0].name) for node in imported] == [("detector.model.warm_up", "warm_up")]


def test_commands_of_the_image_are_lists() -> None:
    """In shell form a signal would reach the shell and not the sidecar."""
    final = stages()[-1]
    (entrypoint,), (command,) = values(final, "ENTRYPOINT"), values(final, "CMD")
    assert json.loads(entrypoint) == ["outrider"]
    assert json.loads(command) == ["run"]
    (health,) = values(final, "HEALTHCHECK")
    program, option, text = json.loads(health.partition("CMD ")[2])
    port = environment(final)["OUTRIDER_MONITOR"].rpartition(":")[2]
    assert (program, option) == ("python", "-c")
    assert f"http://127.0.0.1:{port}/healthz" in text
    assert values(final, "EXPOSE") == [port]
    compile(text, "healthcheck", "exec")


def test_the_health_check_asks_the_sidecar_and_no_proxy() -> None:
    """A proxy for the rest of the container knows nothing of its loopback; the check fails with the sidecar only."""
    (health,) = values(stages()[-1], "HEALTHCHECK")
    _, option, text = json.loads(health.partition("CMD ")[2])
    vitals = Health(["taxi"])
    with Monitor(Address("127.0.0.1", 0), Metrics("1.2.3"), vitals) as monitor:
        command = [sys.executable, option, text.replace("9108", str(monitor.address.port))]
        proxied = os.environ | {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        answers = [subprocess.run(command, check=False, capture_output=True, text=True, env=proxied)]
        vitals._turned_s = float("-inf")
        answers.append(subprocess.run(command, check=False, capture_output=True, text=True, env=proxied))
    assert answers[0].returncode == 0, answers[0].stderr
    assert "HTTP Error 503" in answers[1].stderr


def test_the_image_sets_variables_that_the_sidecar_reads() -> None:
    """A misspelt one would be ignored in silence."""
    from detector.commands.run import run

    known = {parameter.envvar for parameter in run.params}
    ours = {name for name in environment(stages()[-1]) if name.startswith("OUTRIDER_")}
    assert ours
    assert ours <= known


def test_nothing_is_added_from_the_network_by_hand() -> None:
    """Packages come from pip with the constraints; no ADD, no curl, no apt."""
    text = DOCKERFILE.read_text()
    assert not re.search(r"^ADD|\b(curl|wget|apt-get|sudo)\b", text, re.MULTILINE)
    assert environment(stages()[0])["PIP_CONSTRAINT"].endswith("constraints.txt")


def test_the_builder_gets_all_that_the_wheel_is_made_of() -> None:
    """`.dockerignore` lets in what pyproject.toml names, and nothing else."""
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {
        "constraints.txt", "detector", "examples", "features", "LICENSE", "pyproject.toml", "README.md", "storage",
    }  # fmt: skip
    assert all((ROOT / name).exists() for name in allowed)


def test_every_port_is_on_loopback() -> None:
    """Security is off in this set-up, so nobody else may reach it."""
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)


def test_every_service_is_healthy_before_the_next_one_starts() -> None:
    """Each dependency waits for health, and what is waited for has a check (the sidecar's is in the image)."""
    for name, service in services().items():
        assert "healthcheck" in service or service.get("image") == "outrider", name
        for dependency, waits in service.get("depends_on", {}).items():
            assert waits == {"condition": "service_healthy"}
            assert "healthcheck" in services()[dependency]


def test_the_sidecar_of_the_compose_file_may_do_little() -> None:
    """Read-only root, no capabilities; what it writes are kernels and temporary files."""
    sidecar = services()["sidecar"]
    assert sidecar["read_only"] is True
    assert sidecar["cap_drop"] == ["ALL"]
    writable = [volume for volume in sidecar["volumes"] if not volume.endswith(":ro")]
    assert writable == [f"kernels:{environment(stages()[-1])['NUMBA_CACHE_DIR']}"]
    assert int(sidecar["stop_grace_period"].removesuffix("s")) >= 30


def test_every_file_that_is_mounted_exists() -> None:
    """A path with a slip would become an empty folder."""
    mounts = [
        volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])
    ]
    files = [mount for mount in mounts if mount.startswith(".")]
    assert files
    assert all((COMPOSE.parent / file).exists() for file in files)


def test_images_are_pinned() -> None:
    """OpenSearch and Dashboards are of one version, that of the embedded node."""
    from storage.embedded.distribution import VERSION

    foreign = [service["image"] for service in services().values() if service["image"] != "outrider"]
    assert len(foreign) == 2
    assert all(image.endswith(f":${{OPENSEARCH_VERSION:-{VERSION}}}") for image in foreign)


def test_named_volumes_are_declared() -> None:
    """Each is used, and each used one is declared."""
    used = {
        volume.split(":")[0]
        for service in services().values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "/"))
    }
    assert used == set(yaml.safe_load(COMPOSE.read_text())["volumes"])


def has_compose() -> bool:
    """Whether `docker compose` is a command of this machine; it needs no engine to check a file."""
    docker = shutil.which("docker")
    return (
        docker is not None
        and subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode == 0
    )


if has_compose():

    def test_compose_accepts_the_file() -> None:
        """Only where the client exists: elsewhere there is nothing to collect."""
        command = ["docker", "compose", "--file", str(COMPOSE), "config", "--quiet"]
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr


@pytest.fixture
def loader() -> ModuleType:
    """Give the program of the service `loader` as a module."""
    spec = importlib.util.spec_from_file_location("loader", ROOT / "docker" / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_loader_scores_what_it_has_loaded(
    loader: ModuleType,
    client: OpenSearch,
    node_url: str,
    index_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sidecar finds models and results when it starts."""
    recorded = sample_as_recorded("nyc-taxi")
    past = recorded.past[:100]
    until_ms = past[-1]["timestamp"] + 3_600_000
    sample = recorded._replace(name=f"{index_prefix}-taxi", past=past, until_ms=until_ms)
    monkeypatch.setitem(loader.MAPPINGS, sample.name, loader.MAPPINGS["nyc-taxi"])
    monkeypatch.setenv("OPENSEARCH_URL", node_url)
    monkeypatch.setenv("OUTRIDER_INDEX_PREFIX", index_prefix)
    detector = json.loads((ROOT / "examples/detectors/nyc-taxi.json").read_text())
    (tmp_path / "taxi.json").write_text(json.dumps(detector | {"indices": [sample.name]}))
    loader.load(client, sample, tmp_path / "taxi.json")
    client.indices.refresh(index=f"{index_prefix}-results")
    assert client.count(index=f"{index_prefix}-results")["count"] == len(past)


def test_the_loader_feeds_what_is_due_once(loader: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are indexed when their time has come, in order, each once."""
    fed: list[int] = []
    monkeypatch.setattr(loader, "add_documents", lambda _, __, due: fed.extend(d["timestamp"] for d in due))
    monkeypatch.setattr(loader.time, "time_ns", lambda: 2_000_000)
    sample = Sample("nyc-taxi", [], [{"timestamp": 1}, {"timestamp": 2}, {"timestamp": 3}], [], 2)
    loader.feed(None, sample)
    loader.feed(None, sample)
    assert fed == [1, 2]
    assert sample.ahead == [{"timestamp": 3}]
