"""The form of result documents: which fields there are for a status, and the JSON text into which the numbers go.

All documents of one status with the same features missing differ in numbers only, so their text is made once and the
numbers are filled in: per document that takes a tenth of building a dictionary and writing it as JSON. Knows
the names of fields; knows no model, no block and no store.
"""

import math
import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

STATUS = ("absent", "warming_up", "scored", "missing")
"""Words for the codes of `ScoredBlock.status`."""

Text = bytes
"""JSON of one number."""


class Numbers(NamedTuple):
    """The marks of the numbers of one document; those in sequences are one a feature. The order is that of a row."""

    score: str
    grade: str
    confidence: str
    threshold: str
    values: Sequence[str]
    expected: Sequence[str]
    lower: Sequence[str]
    upper: Sequence[str]


N_SINGLE = 4
"""Numbers a document that are not one a feature."""


class Names(NamedTuple):
    """Features by the id of an export and by name, in the order of the value columns."""

    feature_ids: tuple[str, ...]
    feature_names: tuple[str, ...]

    def nested(self, numbers: Sequence[Any]) -> list[dict[str, Any]]:
        """Return numbers in the plugin's nested form; what is missing (NaN) is left out."""
        named = zip(self.feature_ids, self.feature_names, numbers, strict=True)
        return [
            {"feature_id": feature_id, "feature_name": name, "data": number}
            for feature_id, name, number in named
            if number == number  # noqa: PLR0124 - NaN is the one number that differs from itself
        ]

    def flat(self, numbers: Sequence[Any]) -> dict[str, Any]:
        """Return numbers by feature name, for ordinary dashboards."""
        return dict(zip(map(flat_name, self.feature_names), numbers, strict=True))


def flat_name(name: str) -> str:
    """Return a name as a key of a flat object: a dot would make the cluster nest it."""
    return name.replace(".", "_")


class Layout(NamedTuple):
    """The text of documents of one form.

    Attributes
    ----------
    template
        JSON without braces, with `%b` in the place of each number.
    pick
        Takes the row of the texts of a document's numbers and returns those that the template needs, in its order.
    """

    template: bytes
    pick: Callable[[Sequence[Text]], tuple[Text, ...]]


def layout_of(
    names: Names,
    status: int,
    is_missing: Sequence[bool],
    *,
    is_anomaly: bool,
    is_imputed: Sequence[bool] | None,
) -> Layout:
    """Return the layout of documents of a status in which these features are missing.

    `is_imputed` says which features were filled in; None where the entity had documents and no feature was.
    """
    n_features = len(names.feature_names)
    marks = [_mark(position) for position in range(N_SINGLE + 4 * n_features)]
    parts = [marks[N_SINGLE + part * n_features :][:n_features] for part in range(4)]
    numbers = Numbers(*marks[:N_SINGLE], *parts)
    data = [math.nan if missing else mark for missing, mark in zip(is_missing, numbers.values, strict=True)]
    fields = _fields(names, status, numbers, data, is_anomaly=is_anomaly)
    if is_imputed is not None:
        fields["feature_imputed"] = [
            {"feature_id": feature_id, "imputed": imputed}
            for feature_id, imputed in zip(names.feature_ids, is_imputed, strict=True)
        ]
    text = orjson.dumps(fields)[1:-1].replace(b"%", b"%%")
    positions = [int(found) for found in _MARK.findall(text)]
    return Layout(_MARK.sub(b"%b", text), itemgetter(*positions))


def _fields(
    names: Names, status: int, numbers: Numbers, data: Sequence[Any], *, is_anomaly: bool
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "status": STATUS[status],
        "feature_data": names.nested(data),
        "value": names.flat(numbers.values),
        "expected": names.flat(numbers.expected),
        "lower": names.flat(numbers.lower),
        "upper": names.flat(numbers.upper),
    }
    if STATUS[status] == "scored":
        fields |= {
            "anomaly_score": numbers.score,
            "anomaly_grade": numbers.grade,
            "confidence": numbers.confidence,
            "threshold": numbers.threshold,
            "is_anomaly": is_anomaly,
        }
    return fields


# A text that no name can be: names hold no control characters.
_MARK = re.compile(rb'"\\u0000(\d+)"')


def _mark(position: int) -> str:
    return f"\0{position}"
