"""Turns every exception of the client library into one of ours, with a message that says what to do.

The only place that knows both trees.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

from opensearchpy import exceptions as library
from requests.exceptions import ProxyError

from storage.connection import origin_of
from storage.errors import (
    Origin,
    Rejected,
    StorageError,
    Unavailable,
    Untrusted,
    error_of,
    host_of,
)

TRANSLATED = (
    library.OpenSearchException,
    library.ImproperlyConfigured,
    library.OpenSearchDslException,
)
"""The roots of the library's exceptions; a test looks whether a new version brings another."""


@contextmanager
def translate_errors(index: str | None = None) -> Iterator[None]:
    """Translate what the client raises inside the block, or inside the decorated function.

    Parameters
    ----------
    index
        The index it is about, for messages about answers that do not name it.

    Raises
    ------
    StorageError
        From the library's exception. Our own pass unchanged.
    """
    try:
        yield
    except TRANSLATED as error:
        raise translated(error, index) from error


def translated(error: Exception, index: str | None = None) -> StorageError:
    """Return our exception for one of the library's."""
    origin = origin_of(error)
    if isinstance(error, library.ConnectionError):
        return _connection_error(error, origin)
    if isinstance(error, library.TransportError):
        if not isinstance(error.status_code, int):
            return Unavailable(f"{host_of(origin)}: {error.error}")
        body = error.info if isinstance(error.info, dict) else {}
        plain = error.error if isinstance(error.error, str) else ""
        if body.get("found") is False:
            plain = f"document {body.get('_id')} does not exist in {body.get('_index')}"
        return error_of(
            error.status_code,
            body.get("error", body.get("message", body.get("Message"))),
            plain=plain,
            origin=origin,
            index=index,
        )
    if isinstance(error, library.SerializationError):
        text = " ".join(map(str, error.args))
        advice = "is this the address of OpenSearch itself, and not of a web page or a proxy?"
        return Rejected(f"{host_of(origin)}: the answer cannot be read: {text}: {advice}", reason=str(error))
    return Rejected(f"the client library refused: {error}", reason=str(error))


def _connection_error(error: library.ConnectionError, origin: Origin | None) -> StorageError:
    """Explain why no answer came."""
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, StorageError):
            return cause  # ours, raised while the request was being signed
    at = host_of(origin)
    if any(isinstance(cause, ValueError) and "header value" in str(cause) for cause in chain):
        # the libraries quote the value, which may be a secret
        return Unavailable(f"{at}: not asked: a credential holds a line break, which no header can hold")
    if isinstance(error, library.ConnectionTimeout):
        text = f"{at}: no answer in time: the cluster is overloaded, or raise OPENSEARCH_TIMEOUT"
        return Unavailable(text, is_overloaded=True)
    inner = chain[-1]
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    if any(isinstance(cause, ProxyError) for cause in chain):
        return Unavailable(f"{at}: no connection to or through the proxy (OPENSEARCH_PROXY): {text}")
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            return _tls_error(cause, at)
    advice = "is the cluster running, and the address right?"
    is_cut = any(isinstance(cause, ConnectionResetError | HTTPException) for cause in chain)
    if is_cut and at.startswith("http:"):
        advice += " write https:// if the cluster speaks TLS"
    return Unavailable(f"{at}: no connection: {text}: {advice}")


def _tls_error(error: ssl.SSLError, at: str) -> StorageError:
    # an error that Python itself makes, such as an unexpected end, has no reason of OpenSSL
    reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        text = (
            f"{at}: the cluster's certificate is not trusted: {error.verify_message}: "
            "set OPENSEARCH_CA_FILE to the certificate of its authority, and use a host name that it names"
        )
        return Untrusted(text)
    if reason in {"wrong version number", "http request", "record layer failure"}:
        return Untrusted(f"{at}: this address does not speak TLS: write http:// instead of https://")
    if "alert" in reason or "certificate" in reason:
        text = (
            f"{at}: the cluster refused the TLS handshake: {reason}: "
            "it may ask for a client certificate (OPENSEARCH_CLIENT_CERT), or not trust the one it was shown"
        )
        return Untrusted(text)
    text = (
        f"{at}: the TLS connection broke: {reason}: if it always does, the cluster may want "
        "a client certificate (OPENSEARCH_CLIENT_CERT)"
    )
    return Unavailable(text)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception to the innermost one that it came from, whatever way it holds it."""
    seen: set[int] = set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        held = [getattr(inner, "reason", None), *reversed(inner.args), inner.__cause__, inner.__context__]
        inner = next((one for one in held if isinstance(one, BaseException)), None)
