"""The indices that Outrider keeps in the cluster: made from templates, checked for their schema version.

`ensure_indices` may be called at any time; it changes nothing that is there already and as new as this release.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson
from opensearchpy import OpenSearch

from storage.errors import Conflict, SchemaMismatch
from storage.retry import Retry
from storage.translate import translate_errors

PLAIN = ("detectors", "state", "journal", "checkpoints")
"""Single indices named `<prefix>-<name>`; results are monthly indices behind the alias `<prefix>-results`."""


def ensure_indices(client: OpenSearch, prefix: str, retry: Retry) -> None:
    """Put the index templates and create what is missing.

    Raises
    ------
    SchemaMismatch
        When an index in the cluster was made by a newer release.
    """
    retry(_ensure, client, prefix)


def _ensure(client: OpenSearch, prefix: str) -> None:
    _check_versions(client, prefix)
    _put_templates(client, prefix)
    _create_missing(client, prefix)


def _check_versions(client: OpenSearch, prefix: str) -> None:
    with translate_errors():
        mappings = client.indices.get_mapping(index=f"{prefix}-*", ignore_unavailable=True)
    ours = schema_versions()
    for index, mapping in mappings.items():
        name = index.removeprefix(f"{prefix}-").split("-")[0]
        theirs = mapping["mappings"].get("_meta", {}).get("schema_version", 0)
        if name in ours and theirs > ours[name]:
            msg = (
                f"index {index} has schema version {theirs}, this release of Outrider knows version {ours[name]}: "
                "run the newer release, or choose another index prefix (OUTRIDER_INDEX_PREFIX)"
            )
            raise SchemaMismatch(msg)


def schema_versions() -> dict[str, int]:
    """Return the schema version that this release gives each kind of index."""
    return {name: _definition(name)["mappings"]["_meta"]["schema_version"] for name in (*PLAIN, "results")}


def _put_templates(client: OpenSearch, prefix: str) -> None:
    for name in PLAIN:
        _put_template(client, f"{prefix}-{name}", [f"{prefix}-{name}"], _definition(name))
    results = _definition("results") | {"aliases": {f"{prefix}-results": {}}}
    _put_template(client, f"{prefix}-results", [f"{prefix}-results-*"], results)


def _put_template(client: OpenSearch, name: str, patterns: list[str], template: Mapping[str, Any]) -> None:
    body = {"index_patterns": patterns, "priority": 500, "template": template, "_meta": {"owner": "outrider"}}
    with translate_errors():
        client.indices.put_index_template(name=name, body=body)


def _create_missing(client: OpenSearch, prefix: str) -> None:
    for name in PLAIN:
        try:
            with translate_errors():
                if not client.indices.exists(index=f"{prefix}-{name}"):
                    client.indices.create(index=f"{prefix}-{name}")
        except Conflict:
            # Another thread or process created it between the question and the request.
            continue


def _definition(name: str) -> dict[str, Any]:
    """Return settings and mappings of one of our indices."""
    definition: dict[str, Any] = orjson.loads(files("storage.mappings").joinpath(f"{name}.json").read_bytes())
    return definition
