"""Translation: every exception of the client library becomes one of ours, and none of them shows a secret."""

import inspect
import traceback
from collections.abc import Callable

import opensearchpy
import pytest
from opensearchpy import OpenSearch
from opensearchpy import exceptions as library
from recorder import Answer, Recorder
from structlog.testing import capture_logs

from storage.client import connect
from storage.cluster import Cluster
from storage.errors import (
    BadRequest,
    Conflict,
    MissingIndex,
    ReadOnly,
    Rejected,
    StorageError,
    Unavailable,
    Untrusted,
)
from storage.translate import TRANSLATED, translate_errors, translated


def library_exceptions() -> list[type[Exception]]:
    """Return every exception class that the library has anywhere under its public names."""
    found = {
        value
        for module in (library, opensearchpy)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Exception) and not issubclass(value, Warning)
    }
    return sorted(found, key=lambda kind: kind.__name__)


def test_the_library_has_the_exceptions_we_know() -> None:
    """A new version that brings another one must be looked at."""
    assert [kind.__name__ for kind in library_exceptions()] == [
        "AuthenticationException",
        "AuthorizationException",
        "ConflictError",
        "ConnectionError",
        "ConnectionTimeout",
        "IllegalOperation",
        "ImproperlyConfigured",
        "NotFoundError",
        "OpenSearchDslException",
        "OpenSearchException",
        "RequestError",
        "SSLError",
        "SerializationError",
        "TransportError",
        "UnknownDslObject",
        "ValidationException",
    ]


@pytest.mark.parametrize("kind", library_exceptions())
def test_every_exception_of_the_library_is_translated(kind: type[Exception]) -> None:
    """None passes through, and the original stays the cause."""
    is_connection = issubclass(kind, library.ConnectionError)
    original = kind(
        "N/A" if is_connection else 400, "because", {} if not is_connection else OSError("because")
    )
    with pytest.raises(StorageError) as caught, translate_errors():
        raise original
    assert "because" in str(caught.value) or kind is library.ConnectionTimeout
    assert caught.value.__cause__ is original
    assert issubclass(kind, TRANSLATED)


def test_our_own_and_foreign_exceptions_pass_unchanged() -> None:
    """A programming error must not look like an error of the cluster."""
    for error in (Conflict("ours"), ValueError("foreign")):
        with pytest.raises(type(error)) as caught, translate_errors():
            raise error
        assert caught.value is error


def test_it_also_decorates_a_function() -> None:
    """The shape that a store with one call a method uses."""

    @translate_errors(index="a")
    def fail() -> None:
        raise library.NotFoundError(
            404, "index_not_found_exception", {"error": {"type": "index_not_found_exception"}}
        )

    with pytest.raises(MissingIndex, match="index a does not exist"):
        fail()


def test_a_certificate_problem_is_not_mistaken_for_an_absence() -> None:
    """The library puts both under ConnectionError."""
    import ssl

    inner = ssl.SSLCertVerificationError(1, "certificate verify failed")
    inner.verify_message = "self-signed certificate"
    error = translated(library.SSLError("N/A", "x", inner))
    assert type(error) is Untrusted
    assert "self-signed certificate" in str(error)


def test_a_missing_document_is_named(client: OpenSearch, index_prefix: str) -> None:
    """The library says only 404."""
    client.indices.create(index=f"{index_prefix}-a")
    with pytest.raises(Rejected, match=rf"document x does not exist in {index_prefix}-a"), translate_errors():
        client.get(index=f"{index_prefix}-a", id="x")


def test_a_real_conflict_is_one(client: OpenSearch, index_prefix: str) -> None:
    """Two writers create the same document."""
    name = f"{index_prefix}-a"
    client.create(index=name, id="1", body={})
    with pytest.raises(Conflict, match="document already exists"), translate_errors():
        client.create(index=name, id="1", body={})
    with pytest.raises(Conflict, match="already exists"), translate_errors():
        client.indices.create(index=name)


@pytest.mark.parametrize(
    ("block", "advice"),
    [("read_only_allow_delete", "disk is full"), ("read_only", "read_only"), ("write", "index.blocks.write")],
)
def test_a_real_block_says_what_to_do(client: OpenSearch, index_prefix: str, block: str, advice: str) -> None:
    """A full disk is told by a block with status 429, the others by 403."""
    name = f"{index_prefix}-a"
    client.indices.create(index=name)
    client.indices.put_settings(index=name, body={f"index.blocks.{block}": True})
    with pytest.raises(ReadOnly, match=advice), translate_errors():
        client.index(index=name, body={"value": 1})
    client.indices.put_settings(index=name, body={f"index.blocks.{block}": None})
    client.index(index=name, body={"value": 1})


def test_a_document_that_does_not_fit_is_a_bad_request(client: OpenSearch, index_prefix: str) -> None:
    """With the field and the value that were refused."""
    name = f"{index_prefix}-a"
    client.indices.create(index=name, body={"mappings": {"properties": {"value": {"type": "double"}}}})
    with (
        pytest.raises(BadRequest, match=r"failed to parse field \[value\] of type \[double\]"),
        translate_errors(),
    ):
        client.index(index=name, body={"value": "abc"})


SECRETS = ("geheim", "Z2VoZWlt", "tOkEn-123", "pRoXy-456", "hEaDeR-789")

WAYS_IN = {
    "url": lambda url: {"url": url.replace("//", "//user:geheim@")},
    "basic": lambda url: {"url": url, "username": "geheim-user", "password": "geheim"},
    "token": lambda url: {"url": url, "token": "tOkEn-123"},
    "proxy": lambda url: {"url": url, "token": "tOkEn-123", "proxy": url.replace("//", "//p:pRoXy-456@")},
    "header": lambda url: {"url": url, "headers": {"Authorization": "hEaDeR-789"}},
}


@pytest.mark.parametrize("way", WAYS_IN)
@pytest.mark.parametrize("status", [0, 200, 302, 400, 401, 403, 404, 409, 413, 429, 500, 503])
def test_no_error_shows_a_secret(
    way: str, status: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither message, repr, traceback, log line nor output, whatever goes wrong; status 0 is no answer."""
    caplog.set_level("DEBUG")
    with Recorder(lambda _: Answer(status, b"<html>", {"content-type": "text/html"})) as recorder:
        url = recorder.url if status else recorder.url.replace("http:", "https:")
        cluster = Cluster(**WAYS_IN[way](url))
        with capture_logs() as logs, connect(cluster) as client, pytest.raises(StorageError) as caught:
            call_translated(client.info)
        assert recorder.requests or not status
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(cluster)
    captured = capfd.readouterr()
    shown += captured.out + captured.err + caplog.text + repr(logs) + repr(client) + cluster.model_dump_json()
    assert not [secret for secret in SECRETS if secret in shown.replace("geheim-user", "")]


def call_translated(call: Callable[[], object]) -> None:
    with translate_errors():
        call()


def test_a_dead_cluster_shows_no_secret() -> None:
    """The most frequent error of all."""
    cluster = Cluster(url="http://user:geheim@127.0.0.1:9")
    with connect(cluster) as client, pytest.raises(Unavailable) as caught:
        call_translated(client.info)
    assert "geheim" not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith("http://127.0.0.1:9: no connection")
