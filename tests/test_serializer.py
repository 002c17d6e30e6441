"""Serializer: JSON that the cluster takes, and errors where there is none."""

import numpy as np
import pytest
from opensearchpy.exceptions import SerializationError

from storage.serializer import OrjsonSerializer

SERIALIZER = OrjsonSerializer()


def test_what_has_no_form_in_json_becomes_null() -> None:
    """The bare words NaN and Infinity are refused by the cluster."""
    values = {"a": float("nan"), "b": float("inf"), "c": np.array([1.5, np.nan]), "d": np.float64("nan")}
    assert SERIALIZER.dumps(values) == '{"a":null,"b":null,"c":[1.5,null],"d":null}'


def test_numpy_numbers_are_written_as_numbers() -> None:
    """Bit for bit: the shortest text that reads back as the same double."""
    text = SERIALIZER.dumps({"a": np.int64(7), "b": np.float64(0.1), "c": np.bool_(True)})  # noqa: FBT003 - a value
    assert SERIALIZER.loads(text) == {"a": 7, "b": 0.1, "c": True}


@pytest.mark.parametrize("body", ["text as it is", b"bytes as they are"])
def test_a_body_that_is_written_already_is_passed_on(body: str | bytes) -> None:
    """Stores write bulk bodies themselves."""
    assert SERIALIZER.dumps(body) is body


@pytest.mark.parametrize("data", [{"a": {1, 2}}, {"a": "half a pair \ud800"}, {1: "key"}])
def test_what_cannot_be_written_is_refused(data: object) -> None:
    """Before anything is sent."""
    with pytest.raises(SerializationError, match="cannot be written as JSON"):
        SERIALIZER.dumps(data)


def test_an_answer_that_is_no_json_is_refused() -> None:
    """A page of a gateway, or an answer cut short."""
    with pytest.raises(SerializationError, match="the answer is not JSON"):
        SERIALIZER.loads("<html>")
