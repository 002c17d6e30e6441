"""Not yet: keys of the anomaly-detection plugin that would change what is detected and are not acted on.

They are refused rather than ignored, so that no detector runs without a part its author counts on. A value
that means nothing (null, no rules, a frequency equal to the interval) is let through.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo

INSTEAD = {
    "frequency": "remove it: every window is scored as soon as it is closed",
    "suggested_seasonality": "remove it, or set `shingle_size` to half of it",
    "rules": "remove it; where none are given the plugin adds two rules of 20 % a feature to its exports; or set "
    "`profile` to `trcf`, which has them",
    "detection_date_range": "remove it: it belongs to historical detectors of an old plugin version",
    "result_index": "remove it: results go to the alias `outrider-results`",
    "result_index_min_size": "remove it: the size of result indices is not a setting of a detector",
    "result_index_min_age": "remove it: the age of result indices is not a setting of a detector",
    "result_index_ttl": "remove it: results stay until you delete them, and you may at any time",
    "flatten_custom_result_index": "remove it: every result document has the flat fields",
}
"""What to do about a key that is refused."""


def _nothing(value: object, info: ValidationInfo) -> None:
    """Let a value through that means nothing, and refuse every other."""
    key = str(info.field_name)
    if any(value is nothing for nothing in (None, False)) or value == []:
        return
    if key == "frequency" and _is_interval(value, info):
        return
    msg = f"is not supported yet; {INSTEAD[key]}"
    raise ValueError(msg)


def _is_interval(value: object, info: ValidationInfo) -> bool:
    """Say whether a frequency repeats the detection interval, in whatever units."""
    interval = info.data.get("detection_interval")
    try:
        return interval is None or type(interval).model_validate(value).milliseconds == interval.milliseconds
    except ValueError:
        return False


def not_yet(meaning: str, schema: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - as pydantic has it
    """Return the field of a key that is not acted on.

    Parameters
    ----------
    meaning
        What the key means to the plugin.
    schema
        JSON Schema of the values that mean nothing; null only when left out.
    """
    text = f"Not supported yet: {meaning}"
    return Field(default=None, exclude=True, description=text, json_schema_extra=schema)


NotYet = Annotated[None, BeforeValidator(_nothing)]
"""Type of a field whose key is known and not acted on."""
