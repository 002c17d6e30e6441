"""Feature: one number a window, as a detector's JSON describes it.

Checks its form and reads its number from a response. Must not know how requests are put together or sent.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from features import aggregation

LONGEST_NAME = 256
"""A name ends up as a field name in every result document."""

Result = Mapping[str, Any]
"""What a response holds under the name of one aggregation, such as `{"value": 1.5}`."""


def _named(name: str) -> str:
    """Refuse a name nobody could read."""
    if not name.strip() or len(name) > LONGEST_NAME:
        msg = f"must be 1 to {LONGEST_NAME} characters and not blank, got {_shortened(name)!r}"
        raise ValueError(msg)
    return name


def _without_controls(text: str) -> str:
    """Refuse control characters: nobody sees them, and the text of results has marks that are made of them."""
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        msg = f"must hold no control characters, got {_shortened(text)!r}"
        raise ValueError(msg)
    return text


def _one_number(query: dict[str, Any]) -> dict[str, Any]:
    """Refuse an aggregation query that does not give one number a window."""
    if len(query) != 1:
        msg = f"must hold exactly one named aggregation, got {len(query)}; give each number its own feature"
        raise ValueError(msg)
    name, body = next(iter(query.items()))
    problem = aggregation.problem(body) if name.strip() else "needs a name that is not blank"
    if problem is not None:
        msg = f"aggregation `{_shortened(name)}` {problem}"
        raise ValueError(msg)
    return query


def _shortened(text: str) -> str:
    """Return at most 60 characters, so that a message stays one."""
    return text if len(text) <= 60 else f"{text[:60]}…"


_QUERY_SCHEMA = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {
        "type": "object",
        "description": f"One aggregation; {aggregation.ALLOWED}.",
        "properties": {
            **{kind: {"type": "object"} for kind in aggregation.KINDS},
            "aggs": {"type": "object", "minProperties": 1, "maxProperties": 1},
            "aggregations": {"type": "object", "minProperties": 1, "maxProperties": 1},
            "meta": {"type": "object"},
        },
        "additionalProperties": False,
        "oneOf": [{"required": [kind]} for kind in aggregation.KINDS],
    },
    "examples": [{"p95": {"percentiles": {"field": "latency_ms", "percents": [95]}}}],
}


class Feature(BaseModel):
    """One number a window, with the names the anomaly-detection plugin gives its parts.

    Reading turns what is not a finite number (null, "NaN", "Infinity") into NaN, which means missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_id: Annotated[str, AfterValidator(_without_controls)] | None = Field(
        default=None, description="Carried along from an export; has no effect."
    )
    feature_name: Annotated[str, AfterValidator(_named), AfterValidator(_without_controls)] = Field(
        description="Name in results, unique within the detector.",
        json_schema_extra={"minLength": 1, "maxLength": LONGEST_NAME},
    )
    feature_enabled: bool = Field(
        default=True, strict=True, description="A disabled feature is left out entirely."
    )
    aggregation_query: Annotated[
        dict[str, Any], AfterValidator(_one_number), WithJsonSchema(_QUERY_SCHEMA)
    ] = Field(description="Exactly one named aggregation that gives one number a window.")

    @property
    def aggregation_name(self) -> str:
        """Name its author gave the aggregation."""
        return next(iter(self.aggregation_query))

    @property
    def aggregation(self) -> dict[str, Any]:
        """Body of the aggregation as it is sent."""
        return aggregation.request(self._body)

    @property
    def of_nothing(self) -> float:
        """The number in a window without documents: 0 for counts and sums, else NaN = missing."""
        return aggregation.of_nothing(self._body)

    def read(self, result: Result) -> float:
        """Return the number in one result; NaN = missing."""
        return float(self.read_all([result])[0])

    def read_all(self, results: Iterable[Result]) -> NDArray[np.float64]:
        """Return the numbers of many results.

        Parameters
        ----------
        results
            What each bucket holds under the name of this feature's aggregation.

        Returns
        -------
        float64, shape (n_results,); NaN = missing.

        Raises
        ------
        ValueError
            If the cluster answered with something that is not a number.
        """
        raw = list(map(_reader(self._body), results))
        try:
            values = np.array(raw, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(self._not_a_number(raw)) from error
        if values.ndim != 1:
            raise ValueError(self._not_a_number(raw))
        values[~np.isfinite(values)] = np.nan
        return values

    @property
    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.aggregation_query[self.aggregation_name]
        return body

    def _not_a_number(self, raw: list[object]) -> str:
        """Return the message about the first value that cannot be read."""
        wrong = next(value for value in raw if value is not None and not isinstance(value, int | float))
        return (
            f"feature `{self.feature_name}` must come back as a number, got {_shortened(repr(wrong))}; "
            "change its aggregation so that it returns one number"
        )


def _reader(body: aggregation.Aggregation) -> Callable[[Result], object]:
    """Return the function that takes the raw value out of a result of this aggregation."""
    kind = aggregation.kind(body)
    if kind == aggregation.FILTER:
        within = _reader(aggregation.inner(body))
        return lambda result: within(result[aggregation.INNER])
    if kind == aggregation.PERCENTILES:
        percent = aggregation.percent(body)
        return lambda result: _percentile(result["values"], percent)
    return itemgetter("value")


def _percentile(values: Any, percent: float) -> object:  # noqa: ANN401 - a list or a mapping, as asked for
    """Return one percentile from either form of response, a list or a mapping keyed by percent."""
    if isinstance(values, list):
        return next(entry["value"] for entry in values if entry["key"] == percent)
    return next(value for key, value in values.items() if key[-1].isdigit() and float(key) == percent)
