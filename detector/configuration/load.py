"""Load: from JSON files to detectors, or to everything that is wrong with them.

Knows where detectors are kept and how the plugin wraps its exports; not what their keys mean.
"""

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from detector.configuration.config import DetectorConfig
from detector.configuration.imputation import Fill, Imputation
from detector.configuration.json_text import JsonPath, JsonSyntaxError, JsonText, Position, parse_json
from detector.configuration.period import Duration, Period
from detector.configuration.problem import ConfigError, Problem, quoted
from detector.configuration.rules import Condition, Rule
from detector.configuration.wording import sentence
from features.feature import Feature

WRAPPINGS = ("anomaly_detector", "_source", "hits")
"""Keys under which the plugin's get and search answers hold a detector, or the list of all."""
MODELS: dict[str, type[BaseModel]] = {
    "": DetectorConfig,
    "feature_attributes": Feature,
    "rules": Rule,
    "conditions": Condition,
    "imputation_option": Imputation,
    "default_fill": Fill,
    "detection_interval": Duration,
    "window_delay": Duration,
    "period": Period,
}
"""What each object of a detector's JSON is read into."""


def load_detector(path: Path) -> DetectorConfig:
    """Read one file.

    Raises
    ------
    ConfigError
        With everything that is wrong with the file.
    """
    text = _parse(path)
    path_to_detector, document = _unwrapped(text.value)
    problems = [
        Problem(path, position, where, "is given more than once; remove all but one")
        for where, position in text.duplicates
    ]
    try:
        if not isinstance(document, Mapping):
            msg = f"must be one detector, a JSON object, got {quoted(document)}; give each its own file"
            raise ConfigError([*problems, Problem(path, text.positions[()], path_to_detector, msg)])
        detector = DetectorConfig.model_validate(document)
    except ValidationError as error:
        for details in error.errors():
            where = (*path_to_detector, *details["loc"])
            problems.append(Problem(path, _nearest(text, where), where, sentence(details, MODELS)))
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.position or Position(1, 1)))
    return detector


def load_detectors(folder: Path) -> list[DetectorConfig]:
    """Read every `*.json` of a folder, in the order of their names; or one file.

    Raises
    ------
    ConfigError
        With everything that is wrong with any of the files, also when there is none.
    """
    detectors, problems = load_files(detector_files(folder))
    if problems:
        raise ConfigError(problems)
    return list(detectors.values())


def load_files(files: Iterable[Path]) -> tuple[dict[Path, DetectorConfig], list[Problem]]:
    """Read files and return the detectors that are right, by file, and everything that is wrong."""
    detectors: dict[Path, DetectorConfig] = {}
    problems: list[Problem] = []
    for file in files:
        try:
            detectors[file] = load_detector(file)
        except ConfigError as error:
            problems += error.problems
    return detectors, problems + _repeated_names(detectors)


def detector_files(place: Path) -> list[Path]:
    """Return the detector files a path stands for: itself, or all `*.json` of a folder by name.

    Raises
    ------
    ConfigError
        If there is no such path, no such file in the folder, or the system does not let us look.
    """
    try:
        return _files(place)
    except OSError as error:
        raise _unreadable(place, error) from error


def _files(place: Path) -> list[Path]:
    try:
        mode = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        msg = "no such file or folder; give a detector's JSON file, or a folder that holds some"
        raise ConfigError([Problem(place, None, (), msg)]) from None
    if not stat.S_ISDIR(mode):
        return [place]
    # Not by glob, for which a folder that may not be read is an empty one.
    files = sorted(
        file for file in place.iterdir() if file.suffix == ".json" and not file.name.startswith(".")
    )
    if not files:
        msg = "the folder holds no file named *.json; put a detector there"
        raise ConfigError([Problem(place, None, (), msg)])
    return files


def _parse(path: Path) -> JsonText:
    """Read a file as JSON."""
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except JsonSyntaxError as error:
        raise ConfigError([Problem(path, error.position, (), str(error))]) from error
    except UnicodeDecodeError as error:
        msg = f"must be text in UTF-8, got a byte that is not at offset {error.start}"
        raise ConfigError([Problem(path, None, (), msg)]) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError([Problem(path, None, (), f"cannot be read: {error.strerror}")])


def _unwrapped(document: object) -> tuple[JsonPath, Any]:
    """Return a detector and the path to it, out of what the plugin's get or search wraps it in."""
    path: JsonPath = ()
    while isinstance(document, Mapping) and "name" not in document:
        key = next((key for key in WRAPPINGS if key in document), None)
        if key is None:
            break
        path, document = (*path, key), document[key]
        if isinstance(document, list) and len(document) == 1:
            path, document = (*path, 0), document[0]
    return path, document


def _nearest(text: JsonText, where: JsonPath) -> Position:
    """Return the place of a part, or of the nearest part around it if it is missing."""
    while where not in text.positions:
        where = where[:-1]
    return text.positions[where]


def _repeated_names(detectors: Mapping[Path, DetectorConfig]) -> list[Problem]:
    """Return a problem for every detector whose name an earlier file has."""
    first: dict[str, Path] = {}
    problems = []
    for file, detector in detectors.items():
        other = first.setdefault(detector.name, file)
        if other is not file:
            msg = f"must be unique, got {quoted(detector.name)}, which {other} has too; rename one"
            problems.append(Problem(file, None, ("name",), msg))
    return problems
