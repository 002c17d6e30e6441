"""Errors: which class an answer becomes, and the message that a person reads."""

import pytest

from storage.errors import (
    AccessDenied,
    BadRequest,
    Conflict,
    MissingIndex,
    Origin,
    ReadOnly,
    Rejected,
    StorageError,
    Unavailable,
    error_of,
)

ORIGIN = Origin("https://search.example:9200", "POST", "/a/_search", None, None)


def body(kind: str, reason: str, **more: object) -> dict[str, object]:
    """Return an error as OpenSearch writes it."""
    cause = {"type": kind, "reason": reason, **more}
    return {"root_cause": [cause], **cause}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
def test_what_may_pass_is_unavailable(status: int) -> None:
    """Also 500: a node that goes away in the middle of a request answers it."""
    error = error_of(status, body("node_closed_exception", "node closed"), origin=ORIGIN)
    assert type(error) is Unavailable
    assert str(error) == f"https://search.example:9200: not available now ({status}): node closed"


@pytest.mark.parametrize("status", [400, 405, 406, 410, 413, 415, 422])
def test_other_refusals_are_final(status: int) -> None:
    """The same request would be refused again; 400 is about what was asked."""
    error = error_of(status, body("some_exception", "because"), origin=ORIGIN)
    assert type(error) is (BadRequest if status == 400 else Rejected)
    assert isinstance(error, Rejected)
    assert (error.status, error.reason) == (status, "because")
    assert "because" in str(error)


def test_the_wait_that_was_asked_for_is_kept() -> None:
    """Retry-After comes with the origin."""
    error = error_of(429, None, origin=ORIGIN._replace(retry_after_s=3.0))
    assert isinstance(error, Unavailable)
    assert error.retry_after_s == 3.0


def test_a_missing_index_is_named() -> None:
    """From the answer when it names one, else from the request."""
    error = error_of(404, body("index_not_found_exception", "no such index [b]", index="b"), index="a,b")
    assert isinstance(error, MissingIndex)
    assert error.index == "b"
    assert str(error) == "the cluster: index b does not exist: correct the name, or create it"
    error = error_of(404, body("index_not_found_exception", "no such index"), index="a")
    assert "index a does not exist" in str(error)


def test_a_pattern_that_matches_nothing_is_a_missing_index() -> None:
    """The advice is another one: the pattern may be wrong."""
    error = error_of(404, body("index_not_found_exception", "no such index [x*]", index="x*"))
    assert isinstance(error, MissingIndex)
    assert "no index matches x*: correct the pattern" in str(error)


def test_a_missing_document_is_no_missing_index() -> None:
    """Both answer 404."""
    assert type(error_of(404, None, plain="not found")) is Rejected


def test_wrong_credentials_and_missing_privileges_are_told_apart() -> None:
    """The one is mended in our settings, the other in the cluster's roles."""
    unknown = error_of(401, None, plain="Unauthorized", origin=ORIGIN)
    assert isinstance(unknown, AccessDenied)
    assert unknown.has_wrong_credentials
    assert "credentials not accepted (401): Unauthorized: check OPENSEARCH_USERNAME" in str(unknown)
    reason = "no permissions for [indices:data/read/search] and User [name=outrider]"
    forbidden = error_of(403, body("security_exception", reason), origin=ORIGIN)
    assert isinstance(forbidden, AccessDenied)
    assert not forbidden.has_wrong_credentials
    assert f"a privilege is missing (403): {reason}: grant it to the role" in str(forbidden)


@pytest.mark.parametrize(
    ("text", "is_about_credentials"),
    [
        ("The request signature we calculated does not match the signature you provided", True),
        ("The security token included in the request is expired", True),
        ("Missing Authentication Token", True),
        ("User: arn:aws:iam::1:user/x is not authorized to perform: es:ESHttpPost", False),
    ],
)
def test_aws_answers_403_for_both(text: str, *, is_about_credentials: bool) -> None:
    """Told apart by their words."""
    error = error_of(403, text)
    assert isinstance(error, AccessDenied)
    assert error.has_wrong_credentials == is_about_credentials


@pytest.mark.parametrize(
    ("status", "kind", "reason", "advice"),
    [
        (
            429,
            "cluster_block_exception",
            "[TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block]",
            "free or add disk space",
        ),
        (
            403,
            "cluster_block_exception",
            "blocked by: [FORBIDDEN/13/cluster read-only / allow delete (api)];",
            "free or add disk space",
        ),
        (403, "cluster_block_exception", "[FORBIDDEN/5/index read-only (api)]", "index.blocks.read_only"),
        (403, "cluster_block_exception", "[FORBIDDEN/8/index write (api)]", "index.blocks.write"),
        (403, "cluster_block_exception", "[FORBIDDEN/6/cluster read-only (api)]", "cluster.blocks.read_only"),
        (
            403,
            "index_create_block_exception",
            "[FORBIDDEN/10/cluster create-index blocked (api)]",
            "cluster.blocks.create_index",
        ),
    ],
)
def test_a_block_against_writing_says_what_to_do(status: int, kind: str, reason: str, advice: str) -> None:
    """Neither "try again" (429) nor "a privilege is missing" (403), though the status says so."""
    error = error_of(status, body(kind, reason))
    assert isinstance(error, ReadOnly)
    assert advice in str(error)


def test_a_block_against_reading_is_no_missing_privilege() -> None:
    """It is mended in the settings of the index, not in a role."""
    error = error_of(403, body("cluster_block_exception", "[FORBIDDEN/7/index read (api)]"))
    assert type(error) is Rejected
    assert "set the block to null" in str(error)


def test_a_cluster_that_is_starting_is_unavailable() -> None:
    """Such a block goes away by itself."""
    reason = "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"
    assert type(error_of(503, body("cluster_block_exception", reason))) is Unavailable


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, "version_conflict_engine_exception"), (400, "resource_already_exists_exception")],
)
def test_losing_a_race_is_a_conflict(status: int, kind: str) -> None:
    """A document that exists, and an index that another process has just made."""
    assert type(error_of(status, body(kind, "exists"))) is Conflict


def test_too_many_buckets_is_final_though_the_status_is_503() -> None:
    """Trying again would fail for ever; the setting to change is named."""
    error = error_of(503, body("too_many_buckets_exception", "Trying to create too many buckets."))
    assert type(error) is BadRequest
    assert str(error).endswith("Trying to create too many buckets: raise search.max_buckets of the cluster")


def test_a_red_shard_is_explained_without_the_advice_to_accept_gaps() -> None:
    """The cluster advises to allow partial results, which would turn a gap into a drop to zero."""
    reason = (
        "Search rejected due to missing shards [[red][0]]. Consider using `allow_partial_search_results` "
        "setting to bypass this error."
    )
    error = error_of(503, body("search_phase_execution_exception", reason))
    assert type(error) is Unavailable
    assert "shards [[red][0]] are red" in str(error)
    assert "allow_partial" not in str(error)


def test_a_closed_index_and_a_large_request_say_what_to_do() -> None:
    """The cluster's own words are "closed" and nothing."""
    closed = error_of(400, body("index_closed_exception", "closed", index="a"))
    assert str(closed) == "the cluster: index a: refused (400): closed: open the index, or leave it out"
    assert "http.max_content_length" in str(error_of(413, None))


def test_all_errors_are_one_family() -> None:
    """Who wants to catch them all can."""
    for status in (300, 400, 401, 403, 404, 409, 413, 429, 500, 503):
        assert isinstance(error_of(status, None), StorageError)
