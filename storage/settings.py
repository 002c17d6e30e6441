"""Reads the access settings: explicit argument over environment over settings file over default.

The only place in this package that reads the environment. It knows where values come from, `storage.cluster`
knows what they mean.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from storage.cluster import (
    CLUSTER_PREFIX,
    OWN_PREFIX,
    PATH_SETTINGS,
    Cluster,
    ClusterSettingsError,
    variable,
)

SETTINGS_FILE = Path("outrider.toml")
SETTINGS_VARIABLE = "OUTRIDER_SETTINGS"
TABLES = ("cluster",)
"""Tables a settings file may hold."""


def load_cluster(settings: Path | None = None, **arguments: object) -> Cluster:
    """Gather the access settings from their sources.

    Parameters
    ----------
    settings
        The settings file. Default: the file named by ``OUTRIDER_SETTINGS``, else ``outrider.toml`` in the
        working folder when there is one.
    arguments
        Fields of `Cluster` that were given explicitly; None means not given.

    Raises
    ------
    ClusterSettingsError
        When no cluster is named, a file cannot be read, a key is unknown, or values are malformed or
        contradict each other. The message names the setting and its source and shows no secret.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    path = _settings_path(settings)
    from_file = {} if path is None else read_settings_file(path)
    from_environment = _environment()
    values = {**from_file, **from_environment, **given}
    if not values.get("url"):
        msg = (
            "no cluster is named: set OPENSEARCH_URL (for example https://localhost:9200), or `url` in the "
            f"table [cluster] of {path or SETTINGS_FILE}; to try Outrider without a cluster, run "
            "`outrider node start`"
        )
        raise ClusterSettingsError(msg)
    try:
        # pydantic checks every value, whatever its source claimed about the type
        return Cluster(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        message = _explained(error, given, from_environment, path)
    # outside the handler: a chained exception would hold the values that were refused
    raise ClusterSettingsError(message)


def read_settings_file(path: Path) -> dict[str, object]:
    """Return the table ``[cluster]`` of a settings file; paths in it are relative to the file.

    Raises
    ------
    ClusterSettingsError
        When the file cannot be read, is not TOML, or holds an unknown table or key.
    """
    try:
        with path.open("rb") as stream:
            tables = tomllib.load(stream)
    except OSError as error:
        msg = f"cannot read the settings file {path}: {error.strerror}"
        raise ClusterSettingsError(msg) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not TOML: {error}"
        raise ClusterSettingsError(msg) from None
    _refuse_unknown(tables, TABLES, f"{path}: unknown table")
    table = tables.get("cluster", {})
    if not isinstance(table, dict):
        msg = f"{path}: `cluster` must be a table, written [cluster]"
        raise ClusterSettingsError(msg)
    _refuse_unknown(table, Cluster.model_fields, f"{path}: [cluster]: unknown key")
    return {key: _relative_to(path, value) if key in PATH_SETTINGS else value for key, value in table.items()}


def _relative_to(path: Path, value: object) -> object:
    """Read a relative path as seen from the settings file, not from the working folder."""
    return path.parent / Path(value).expanduser() if isinstance(value, str) else value


def _settings_path(explicit: Path | None) -> Path | None:
    """Choose the settings file; only the default one may be absent."""
    if explicit is not None:
        return explicit
    named = os.environ.get(SETTINGS_VARIABLE)
    if named:
        return Path(named).expanduser()
    # unlike Path.exists, which before Python 3.14 fails in a folder that may not be entered
    return SETTINGS_FILE if os.path.exists(SETTINGS_FILE) else None  # noqa: PTH110 - see above


def _environment() -> dict[str, object]:
    """Read our variables; an empty one counts as not set."""
    found: dict[str, object] = {}
    for prefix in (CLUSTER_PREFIX, OWN_PREFIX):
        try:
            values = EnvSettingsSource(Cluster, env_prefix=prefix, env_ignore_empty=True)()
        except SettingsError:
            msg = f"{variable('headers')} must be a JSON object of names and values"
            # the cause would quote the text of the variable
            raise ClusterSettingsError(msg) from None
        found |= {name: value for name, value in values.items() if variable(name).startswith(prefix)}
    return found


def _refuse_unknown(
    given: Mapping[str, object], known: Mapping[str, object] | tuple[str, ...], what: str
) -> None:
    """Refuse the first key that is not known, with the nearest known one as a hint."""
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"expected one of {', '.join(known)}"
            msg = f"{what} `{key}`: {hint}"
            raise ClusterSettingsError(msg)


def _explained(
    error: ValidationError, given: Mapping[str, object], environment: Mapping[str, object], path: Path | None
) -> str:
    """Put the complaints into one message, each with the setting and the source it came from."""
    lines = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        text = detail["msg"].removeprefix("Value error, ")
        name = str(detail["loc"][0]) if detail["loc"] else ""
        if not name:
            lines.append(f"{text} (argument, environment variable OPENSEARCH_… or {path or SETTINGS_FILE})")
        elif name in given:
            lines.append(f"`{name}` (argument): {text}")
        elif name in environment:
            lines.append(f"{variable(name)}: {text}")
        else:
            lines.append(f"{path}: [cluster]: `{name}`: {text}")
    return "\n".join(lines)
