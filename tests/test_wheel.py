"""What `pip install` of the wheel gives, in an environment that has never seen the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("detector", "features", "storage", "examples")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the checkout without a download."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of commands of a fresh environment with the wheel in it.

    The libraries that Outrider depends on are lent by the environment of the tests; the checkout is not, because
    the file that makes it importable there is read only in its own environment.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps"]
    subprocess.run([*command, "--quiet", str(wheel)], check=True)
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    Path(packages, "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(environment: Path, *arguments: str) -> str:
    """Return the output of the installed command, started far from the checkout."""
    clean = {"PATH": os.defpath, "HOME": str(environment)}
    answer = subprocess.run(
        [str(environment / "outrider"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=clean,
        cwd=environment,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_the_wheel_holds_everything_and_nothing_else(wheel: Path) -> None:
    """Every module, mapping and example of the checkout; no tests, no benchmarks."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SOURCES]
    tracked = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    expected = {f"detector/{name}" if name.startswith("examples/") else name for name in tracked}
    assert len(expected) > 60
    assert names == expected


def test_the_wheel_names_its_licence_and_its_extras(wheel: Path) -> None:
    """Metadata that a package index and a licence check read."""
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    assert "License-Expression: Apache-2.0" in metadata
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())
    assert {"Provides-Extra: aws", "Provides-Extra: embedded"} <= set(metadata.splitlines())


def test_the_installed_packages_are_those_of_the_wheel(environment: Path) -> None:
    """The checks below would prove nothing if they ran the checkout."""
    code = "import detector, features, storage; print(detector.__file__, features.__file__, storage.__file__)"
    command = [str(environment / "python"), "-c", code]
    places = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=environment
    ).stdout.split()
    assert all(Path(place).is_relative_to(environment.parent) for place in places), places


def test_the_installed_command_tells_its_version(environment: Path) -> None:
    """It is the version of pyproject.toml."""
    assert f'version = "{run(environment, "--version").split()[-1]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_installed_command_explains_itself(environment: Path) -> None:
    """Every command is listed, and each one can be imported."""
    from detector.__main__ import COMMANDS

    text = run(environment, "--help")
    for name in COMMANDS:
        assert name in text
        assert f"outrider {name}" in run(environment, name, "--help")


def test_the_installed_command_prints_the_schema(environment: Path) -> None:
    """It is JSON and describes a detector."""
    schema = json.loads(run(environment, "schema"))
    assert "feature_attributes" in schema["properties"]


def test_the_installed_command_validates_the_installed_examples(environment: Path) -> None:
    """The examples travel in the wheel, and are right."""
    code = "from detector.example_data import examples_folder; print(examples_folder())"
    command = [str(environment / "python"), "-c", code]
    folder = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=environment
    ).stdout.strip()
    assert Path(folder).is_relative_to(environment.parent)
    assert "nyc-taxi" in run(environment, "validate", "--offline", f"{folder}/detectors")
