"""Turns the authentication settings into headers, request by request, so that a changed secret takes effect.

Each connection class of the client library wants its own kind of object; `http_auth` builds the one it takes.
"""

import base64
import threading
from collections.abc import Callable
from pathlib import Path

import requests
from opensearchpy import RequestsAWSV4SignerAuth, Urllib3AWSV4SignerAuth
from pydantic import SecretStr

from storage.cluster import Cluster, ClusterSettingsError, is_header_value
from storage.errors import Unavailable


class SecretFile:
    """A secret in a file, read again when the file was replaced or changed.

    A mounted Kubernetes secret changes by moving a link, so size and time of the file behind it are compared,
    not the link's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._secret = SecretStr("")

    def __call__(self) -> str:
        """Return the secret without white space around it.

        Raises
        ------
        Unavailable
            When the file is gone or empty: it may be in the middle of being replaced.
        """
        with self._lock:
            try:
                status = self._path.stat()
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen != self._seen:
                    self._secret = SecretStr(self._path.read_text("utf-8").strip())
                    self._seen = seen
            except (OSError, UnicodeDecodeError) as error:
                msg = f"cannot read the secret in {self._path}: {_why(error)}"
                raise Unavailable(msg) from None
            secret = self._secret.get_secret_value()
        if not secret:
            msg = f"the secret file {self._path} is empty"
            raise Unavailable(msg)
        return secret


def _why(error: OSError | UnicodeDecodeError) -> str:
    """Say why without quoting the bytes: they are the secret."""
    return (error.strerror or "unknown") if isinstance(error, OSError) else "it is not UTF-8 text"


class _DirectAuth:
    """Called by the urllib3 connection for each request."""

    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization

    def __call__(self, method: str, url: str, body: bytes | None) -> dict[str, str]:
        del method, url, body  # a password or a token does not depend on the request
        return {"authorization": self._authorization()}


class _RequestsAuth(requests.auth.AuthBase):
    """Called by requests for each prepared request."""

    def __init__(self, authorization: Callable[[], str]) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["authorization"] = self._authorization()
        return request


def http_auth(cluster: Cluster, *, is_requests: bool) -> object | None:
    """Return what the client library takes as ``http_auth``.

    Parameters
    ----------
    cluster
        The settings; a client certificate is not part of this, TLS shows it.
    is_requests
        Whether it is for the connection built on requests, else for the one built on urllib3.

    Returns
    -------
    object or None
        None without authentication. Basic credentials are encoded as UTF-8, which the cluster expects; both
        libraries would send Latin-1 and refuse other letters.

    Raises
    ------
    ClusterSettingsError
        For AWS signatures: boto3 is not installed, cannot read its settings, or finds no credentials.
    """
    if cluster.authentication == "none":
        return None
    if cluster.authentication == "aws":
        return _aws_auth(cluster, is_requests=is_requests)
    authorization = _basic(cluster) if cluster.authentication == "basic" else _bearer(cluster)
    return _RequestsAuth(authorization) if is_requests else _DirectAuth(authorization)


def _secret(value: SecretStr | None, path: Path | None) -> Callable[[], str]:
    """Return where to get a secret from, each time it is needed."""
    if path is not None:
        return SecretFile(path)
    return (value or SecretStr("")).get_secret_value


def _basic(cluster: Cluster) -> Callable[[], str]:
    password = _secret(cluster.password, cluster.password_file)

    def authorization() -> str:
        # surrogates stand for bytes of the environment that are no UTF-8: they are sent as they were given
        pair = f"{cluster.username}:{password()}".encode(errors="surrogateescape")
        return "Basic " + base64.b64encode(pair).decode("ascii")

    return authorization


def _bearer(cluster: Cluster) -> Callable[[], str]:
    token = _secret(cluster.token, cluster.token_file)

    def authorization() -> str:
        text = token()
        if not is_header_value(text):
            msg = f"the token in {cluster.token_file} is not one line of printable ASCII"
            raise Unavailable(msg)
        return f"Bearer {text}"

    return authorization


def _aws_auth(cluster: Cluster, *, is_requests: bool) -> object:
    """Build opensearch-py's signer on the credentials that boto3 finds, which it also renews."""
    try:
        import boto3  # noqa: PLC0415 - an extra that only AWS users install
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - comes with it
    except ImportError:
        msg = "`aws_region` asks for signed requests, and boto3 is not installed: pip install 'outrider[aws]'"
        raise ClusterSettingsError(msg) from None
    try:
        found = boto3.Session(region_name=cluster.aws_region).get_credentials()
    except BotoCoreError as error:
        msg = f"`aws_region` is set but boto3 cannot read its settings: {error}"
        raise ClusterSettingsError(msg) from None
    if found is None:
        msg = (
            "`aws_region` is set but boto3 finds no AWS credentials: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine or pod a role"
        )
        raise ClusterSettingsError(msg)
    signer = RequestsAWSV4SignerAuth if is_requests else Urllib3AWSV4SignerAuth
    return signer(found, cluster.aws_region, cluster.aws_service)
