"""`outrider schema`: what a detector's JSON may hold, for editors to complete and check."""

import json
from typing import Any

import click
from pydantic.json_schema import GenerateJsonSchema

from detector.configuration.config import DetectorConfig


class _Plain(GenerateJsonSchema):
    """Leaves out titles that only repeat a key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        """Say no to every one of them."""
        return False


def detector_schema() -> dict[str, Any]:
    """Return the JSON Schema of a detector, generated from the model that reads it."""
    generated = DetectorConfig.model_json_schema(schema_generator=_Plain)
    return {"$schema": _Plain.schema_dialect, **generated}


@click.command()
def schema() -> None:
    """Print the JSON Schema of a detector.

    Most editors complete keys, explain them and mark what is wrong when a file says where its schema is.
    Save it beside the folder with the detectors, and begin these with "$schema": "../detector.schema.json".

    \b
    outrider schema > detector.schema.json
    """  # noqa: D301 - \b is click's mark for "do not re-wrap"
    click.echo(json.dumps(detector_schema(), indent=2, ensure_ascii=False))
