"""Reasons: what is read out of error bodies; the bodies are recordings of OpenSearch 3.8, shortened."""

from storage.reasons import HEAD_CHARACTERS, TAIL_CHARACTERS, read_reason


def test_the_root_cause_is_preferred_to_the_outer_error() -> None:
    """The outer text says only that all shards failed; the shard says what is wrong."""
    cause = {
        "type": "illegal_argument_exception",
        "reason": "Field [k] of type [keyword] is not supported for aggregation [avg]",
    }
    error = {
        "root_cause": [cause],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "failed_shards": [{"shard": 0, "index": "a", "reason": cause}],
        "caused_by": {**cause, "caused_by": cause},
    }
    reason = read_reason(error)
    assert reason.text == "Field [k] of type [keyword] is not supported for aggregation [avg]"
    assert reason.index == "a"
    assert reason.kinds == {"illegal_argument_exception"}


def test_inner_causes_are_read_out() -> None:
    """The outer "runtime error" alone helps nobody."""
    inner = {"type": "illegal_argument_exception", "reason": "No field found for [nope] in mapping"}
    error = {"root_cause": [{"type": "script_exception", "reason": "runtime error", "caused_by": inner}]}
    assert read_reason(error).text == "runtime error: No field found for [nope] in mapping"


def test_shard_failures_are_read_out_without_root_cause() -> None:
    """Some answers keep the reason only there."""
    shard = {"index": "b", "reason": {"type": "query_phase_execution_exception", "reason": "Time exceeded"}}
    error = {"root_cause": [], "reason": "all shards failed", "failed_shards": [shard]}
    reason = read_reason(error)
    assert (reason.text, reason.index) == ("Time exceeded", "b")


def test_a_search_phase_error_with_a_text_of_its_own_is_kept() -> None:
    """A red shard is told by the wrapper that otherwise says nothing."""
    inner = {"type": "search_phase_execution_exception", "reason": "missing shards [[red][0]]"}
    error = {"root_cause": [], "type": "search_phase_execution_exception", "reason": "", "caused_by": inner}
    assert read_reason(error).text == "missing shards [[red][0]]"


def test_an_error_without_reason_is_named_by_its_type() -> None:
    """A null reason is common for bugs of the server."""
    assert read_reason({"type": "null_pointer_exception", "reason": None}).text == "null_pointer_exception"


def test_text_instead_of_an_object_is_taken_as_it_is() -> None:
    """A gateway in between, or a route that does not exist, answers text."""
    assert read_reason("Incorrect HTTP method").text == "Incorrect HTTP method"
    assert read_reason(None, "Unauthorized\n").text == "Unauthorized"
    assert read_reason(None).text == ""


def test_a_long_reason_keeps_its_beginning_and_its_end() -> None:
    """A document id of 40,000 bytes stands in the middle; what is wrong with it stands at the end."""
    text = f"Validation Failed: 1: id [{'x' * 40_000}] is too long, must be no longer than 512 bytes"
    shown = read_reason({"type": "action_request_validation_exception", "reason": text}).text
    assert shown.startswith("Validation Failed: 1: id [xxx")
    assert shown.endswith("must be no longer than 512 bytes")
    assert len(shown) == HEAD_CHARACTERS + TAIL_CHARACTERS + 3


def test_a_reason_is_one_line() -> None:
    """Parsers answer several; a log event is one."""
    assert read_reason({"type": "x", "reason": "Unexpected character\n at [Source];"}).text == (
        "Unexpected character at [Source]"
    )
