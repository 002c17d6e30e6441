"""What can go wrong between us and the cluster, as few classes as decisions there are to take.

::

    StorageError
    ├── Unavailable          nothing was decided about the request: try it again later
    │   └── Untrusted        TLS: the other side is not who it should be; waiting does not help
    └── Rejected             the cluster understood and refused: the same request will be refused again
        ├── MissingIndex     an index, alias or pattern that matches nothing
        ├── AccessDenied     credentials not accepted (401), or a privilege is missing (403)
        ├── ReadOnly         a block: disk full, index or cluster read-only
        ├── Conflict         somebody else wrote first
        ├── BadRequest       query, aggregation, field or mapping do not fit
        ├── SchemaMismatch   our own index was written by a newer version
        └── UnsupportedCluster   not OpenSearch, or too old

Also decides which of them an answer is (`error_of`). Knows nothing of the client library: `storage.translate`
brings its exceptions here.
"""

from typing import NamedTuple

from storage.addresses import redacted
from storage.reasons import Reason, read_reason


class StorageError(Exception):
    """Something between us and the cluster failed; the message is written for whoever reads the log."""


class Unavailable(StorageError):  # noqa: N818 - reads as what it is: the cluster is unavailable
    """The cluster is away, too slow or too busy, or a search did not cover all its data.

    Attributes
    ----------
    retry_after_s
        Seconds to wait that the other side asked for, None when it did not say.
    is_overloaded
        Whether the cluster has too much to do: it said 429, cancelled the request, or did not answer in time.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, is_overloaded: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_overloaded = is_overloaded


class Untrusted(Unavailable):
    """TLS failed: the certificate is not trusted, or ours was refused; a person has to mend it."""


class Rejected(StorageError):  # noqa: N818 - reads as what it is: the request was rejected
    """The cluster refused the request itself.

    As the failure of a whole request it says nothing about single documents of a bulk: those carry their own.

    Attributes
    ----------
    status
        HTTP status, None when we refused without asking.
    reason
        The cluster's own words, root cause first.
    """

    def __init__(self, message: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class MissingIndex(Rejected):
    """An index does not exist; ``index`` is its name, None when the cluster did not say."""

    def __init__(
        self, message: str, *, status: int | None = None, reason: str = "", index: str | None = None
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.index = index


class AccessDenied(Rejected):
    """Not let in (``has_wrong_credentials``), or let in without the privilege that was needed."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        has_wrong_credentials: bool = False,
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.has_wrong_credentials = has_wrong_credentials


class ReadOnly(Rejected):
    """A block forbids writing until a person, or the cluster itself after disk space was freed, lifts it."""


class Conflict(Rejected):
    """Another writer was first: the document exists, or changed since it was read."""


class NoLeaseLeft(Rejected):
    """As many sidecars as there may be have leases; some may be dead, which shows in time."""


class BadRequest(Rejected):
    """The query, an aggregation, a field or a document does not fit what the index holds."""


class SchemaMismatch(Rejected):
    """Our own index has a schema version that this version of Outrider cannot read."""


class UnsupportedCluster(Rejected):
    """The other side is not an OpenSearch that we can work with."""


class Origin(NamedTuple):
    """Which request failed, and what its answer's headers asked for."""

    host: str
    """Scheme, host and port; never credentials."""

    method: str
    path: str
    retry_after_s: float | None
    location: str | None


def error_of(
    status: int,
    error: object,
    *,
    plain: str = "",
    origin: Origin | None = None,
    index: str | None = None,
) -> StorageError:
    """Return our exception for an answer that says no, also for one item of a bulk answer.

    Parameters
    ----------
    status
        HTTP status of the answer or of the item.
    error
        The value of ``error`` in the body or the item.
    plain
        The body when it was no JSON.
    origin
        Which request it answers, None for an item.
    index
        The index, when the answer may not name it.
    """
    reason = read_reason(error, plain)
    index = reason.index or index
    at = host_of(origin)
    about = f"{at}: index {index}" if index else at
    block = _blocked(status, reason, about)
    if block is not None:
        return block
    if status in {401, 403}:
        return _access_denied(status, reason, about)
    if "index_not_found_exception" in reason.kinds:
        return _missing_index(status, reason, at, index)
    if status == 409 or "resource_already_exists_exception" in reason.kinds:
        return Conflict(
            f"{about}: another writer was first: {reason.text}", status=status, reason=reason.text
        )
    if _is_temporary(status, reason):
        return _unavailable(status, reason, about, origin)
    text = f"{about}: refused ({status}): {reason.text or 'no reason given'}{_advice(status, reason, origin)}"
    kind = BadRequest if status == 400 or "too_many_buckets_exception" in reason.kinds else Rejected
    return kind(text, status=status, reason=reason.text)


def _is_temporary(status: int, reason: Reason) -> bool:
    """Say whether the same request may succeed later.

    Every 5xx counts: a node that goes away in the middle answers 500, and taking that for a final refusal
    would lose a document. Too many buckets is the exception, a setting that answers 503 for ever.
    """
    if "too_many_buckets_exception" in reason.kinds:
        return False
    return status in {408, 429} or status >= 500 or "task_cancelled_exception" in reason.kinds


_BLOCKS = (
    (
        ("read-only-allow-delete", "read-only / allow delete"),
        (
            "read-only because the disk is full: free or add disk space; the cluster lifts the block "
            "(index.blocks.read_only_allow_delete) when usage falls below the high watermark"
        ),
    ),
    (("cluster read-only",), "the whole cluster is read-only: set cluster.blocks.read_only to null"),
    (("create-index",), "the cluster takes no new indices: set cluster.blocks.create_index to null"),
    (
        ("index read-only", "index write"),
        "the index is read-only: set its index.blocks.read_only and index.blocks.write to null",
    ),
)
"""Words of a block that forbids writing, and what to do about it."""


def _blocked(status: int, reason: Reason, about: str) -> Rejected | None:
    """Explain a block; None when there is none, or when it is the one of a cluster that is starting."""
    if not reason.kinds & {"cluster_block_exception", "index_create_block_exception"} or status >= 500:
        return None
    for words, advice in _BLOCKS:
        if any(word in reason.text for word in words):
            return ReadOnly(f"{about}: {advice} ({reason.text})", status=status, reason=reason.text)
    text = f"{about}: blocked in the cluster's settings: {reason.text}: set the block to null"
    return Rejected(text, status=status, reason=reason.text)


def _unavailable(status: int, reason: Reason, about: str, origin: Origin | None) -> Unavailable:
    if "missing shards" in reason.text:
        # the cluster's advice, to accept partial results, would turn a gap into a drop to zero
        shards = reason.text.split("missing shards")[1].split(". Consider")[0].strip()
        text = f"{about}: shards {shards} are red: the cluster must bring them back (_cluster/allocation/explain)"
    else:
        text = f"{about}: not available now ({status}): {reason.text or 'no reason given'}"
    is_overloaded = status in {408, 429} or "task_cancelled_exception" in reason.kinds
    return Unavailable(
        text, retry_after_s=origin.retry_after_s if origin else None, is_overloaded=is_overloaded
    )


def _access_denied(status: int, reason: Reason, about: str) -> AccessDenied:
    said = f": {reason.text}" if reason.text else ""
    if status == 401 or _is_about_credentials(reason.text):
        text = (
            f"{about}: credentials not accepted ({status}){said}: check OPENSEARCH_USERNAME and "
            "OPENSEARCH_PASSWORD, the token, the client certificate or the AWS credentials"
        )
        return AccessDenied(text, status=status, reason=reason.text, has_wrong_credentials=True)
    text = (
        f"{about}: a privilege is missing ({status}){said}: grant it to the role of Outrider's user; "
        "docs/cluster.md lists the smallest role that works"
    )
    return AccessDenied(text, status=status, reason=reason.text)


def _is_about_credentials(text: str) -> bool:
    """Recognise the 403 that AWS sends where others send 401."""
    words = ("signature", "security token", "missing authentication", "not a valid key", "access key")
    return any(word in text.lower() for word in words)


def _missing_index(status: int, reason: Reason, at: str, index: str | None) -> MissingIndex:
    if index and "*" in index:
        text = f"{at}: no index matches {index}: correct the pattern, or create the index"
    else:
        text = f"{at}: index {index or '(name unknown)'} does not exist: correct the name, or create it"
    return MissingIndex(text, status=status, reason=reason.text, index=index)


def _advice(status: int, reason: Reason, origin: Origin | None) -> str:
    """Add what to do, where it is known."""
    if 300 <= status < 400 and origin and origin.location:
        return (
            f": the address redirects to {redacted(origin.location)}: set OPENSEARCH_URL to the final address"
        )
    if status == 413:
        return ": the request is larger than http.max_content_length of the cluster, or than a proxy takes"
    if "too_many_buckets_exception" in reason.kinds:
        return ": raise search.max_buckets of the cluster"
    if "index_closed_exception" in reason.kinds:
        return ": open the index, or leave it out"
    return ""


def host_of(origin: Origin | None) -> str:
    """Return what a message begins with: the host that failed us, when it is known."""
    return origin.host if origin else "the cluster"
