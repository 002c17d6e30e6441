"""Builds the client from the settings, and asks the other side what it is.

The only place that chooses connection class, time-outs and the library's own retries. Does not know what the
client is used for.
"""

import ssl
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import structlog
import urllib3
from opensearchpy import OpenSearch, Transport

from storage.cluster import Cluster, ClusterSettingsError
from storage.connection import DirectConnection, RequestsConnection
from storage.credentials import http_auth
from storage.errors import Rejected, UnsupportedCluster
from storage.serializer import OrjsonSerializer
from storage.translate import translate_errors
from storage.transport import Observer, observed

OLDEST_VERSION = (2, 19)
CONNECTIONS_PER_HOST = 320
"""Kept open for reuse: 64 detectors at once, up to four requests each, and the leases. None is opened in advance."""

SECONDS_OUT_OF_USE = 5.0
"""A host that failed is left alone this long, doubling up to four times as long, when there are others."""

log = structlog.get_logger(__name__)


def connect(cluster: Cluster, *, opaque_id: str = "outrider", observer: Observer | None = None) -> OpenSearch:
    """Build the client; it connects when it is used, so a cluster that is away is no error here.

    Connection failures go once to each other host, at once and without waiting. Nothing else is repeated by
    the library: waiting and repeating is `storage.retry`'s, so that there is one bound on it, and a time-out
    repeated on every host would multiply the wait.

    Parameters
    ----------
    cluster
        The settings.
    opaque_id
        Value of X-Opaque-Id for requests that do not bring their own; the cluster shows it in its task list
        and slow log.
    observer
        Told of every request that has ended.

    Raises
    ------
    ClusterSettingsError
        When a certificate or key cannot be used, or AWS credentials are missing.
    """
    _check_certificates(cluster)
    _warn(cluster)
    is_requests = needs_requests(cluster)
    headers = {name: value.get_secret_value() for name, value in cluster.headers.items()}
    if "x-opaque-id" not in {name.lower() for name in headers}:
        headers["x-opaque-id"] = opaque_id
    return OpenSearch(
        hosts=[_host(url) for url in cluster.url],
        transport_class=Transport if observer is None else observed(observer),
        connection_class=RequestsConnection if is_requests else DirectConnection,
        http_auth=http_auth(cluster, is_requests=is_requests),
        headers=headers,
        serializer=OrjsonSerializer(),
        http_compress=cluster.compression,
        timeout=_timeout(cluster, is_requests=is_requests),
        pool_maxsize=CONNECTIONS_PER_HOST,
        max_retries=len(cluster.url) - 1,
        retry_on_timeout=False,
        retry_on_status=(),
        dead_timeout=SECONDS_OUT_OF_USE,
        timeout_cutoff=2,
        **_tls(cluster),
        **_proxies(cluster),
    )


def needs_requests(cluster: Cluster) -> bool:
    """Say which connection class the settings need.

    The one on urllib3 is the library's default and the faster one. The one on requests is needed for a proxy,
    which the other cannot use, and for a client certificate while ``verify`` is off, which the other drops.
    """
    return cluster.proxy is not None or (cluster.client_cert is not None and not cluster.verify)


def check_version(client: OpenSearch) -> str:
    """Return the version of the cluster when we can work with it.

    Raises
    ------
    UnsupportedCluster
        For anything else than OpenSearch, a serverless collection, and an OpenSearch that is too old.
    Unavailable, AccessDenied
        When it cannot be asked.
    """
    try:
        with translate_errors():
            info = client.info()
    except Rejected as error:
        if error.status != 404:
            raise
        msg = f"{error}; no OpenSearch is at this address, or it is a serverless collection: not supported"
        raise UnsupportedCluster(msg, status=error.status, reason=error.reason) from error
    version = info.get("version") if isinstance(info, dict) else None
    if not isinstance(version, dict) or "number" not in version:
        msg = "the answer names no version: no OpenSearch is at this address"
        raise UnsupportedCluster(msg)
    number = str(version["number"])
    _refuse_other_products(version, number)
    needed = ".".join(map(str, OLDEST_VERSION))
    try:
        found = tuple(int(part) for part in number.split(".")[:2])
    except ValueError:
        found = ()
    if found < OLDEST_VERSION:
        msg = f"the cluster runs OpenSearch {number}; Outrider needs {needed} or later: upgrade the cluster"
        raise UnsupportedCluster(msg)
    return number


def _refuse_other_products(version: dict[str, Any], number: str) -> None:
    if version.get("build_flavor") == "serverless":
        msg = f"this is a serverless collection (version {number}): not supported, Outrider needs a cluster"
        raise UnsupportedCluster(msg)
    if version.get("distribution") != "opensearch":
        msg = (
            f"this is Elasticsearch {number}, or an OpenSearch that says so because "
            "compatibility.override_main_response_version is on (turn it off); "
            f"Outrider needs OpenSearch {'.'.join(map(str, OLDEST_VERSION))} or later"
        )
        raise UnsupportedCluster(msg)


def _warn(cluster: Cluster) -> None:
    """Say at every start what is dangerous about the settings."""
    if cluster.has_tls and not cluster.verify:
        log.warning(
            "certificate_not_checked",
            hosts=cluster.url,
            reason="`verify` is off: anybody in between can read and change everything, the credentials too",
            mend="set `ca_file` (OPENSEARCH_CA_FILE) and leave `verify` on",
        )
    in_clear = [url for url in cluster.url if url.startswith("http:") and not _is_local(url)]
    if in_clear and cluster.authentication in {"basic", "bearer"}:
        log.warning("credentials_in_clear", hosts=in_clear, reason="the address is http", mend="use https")


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def _host(url: str) -> dict[str, Any]:
    """Take an address apart for the library."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port,
        "use_ssl": parts.scheme == "https",
        "url_prefix": parts.path,
    }


def _timeout(cluster: Cluster, *, is_requests: bool) -> Any:  # noqa: ANN401 - each connection class takes its own
    connect_s, read_s = cluster.connect_timeout.total_seconds(), cluster.timeout.total_seconds()
    return (connect_s, read_s) if is_requests else urllib3.Timeout(connect=connect_s, read=read_s)


def _tls(cluster: Cluster) -> dict[str, Any]:
    """Return the library's TLS settings; its own warning is off because `_warn` says it better."""
    return {
        "verify_certs": cluster.verify,
        "ssl_show_warn": False,
        "ca_certs": None if cluster.ca_file is None else str(cluster.ca_file),
        "client_cert": None if cluster.client_cert is None else str(cluster.client_cert),
        "client_key": None if cluster.client_key is None else str(cluster.client_key),
    }


def _proxies(cluster: Cluster) -> dict[str, Any]:
    if cluster.proxy is None:
        return {}
    proxy = cluster.proxy.get_secret_value()
    return {"proxies": {"http": proxy, "https": proxy}}


def _check_certificates(cluster: Cluster) -> None:
    """Load the files once: the library would fail at the first request, without naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cluster.ca_file is not None:
        try:
            context.load_verify_locations(cafile=cluster.ca_file)
        except ssl.SSLError:
            msg = (
                f"`ca_file` {cluster.ca_file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
            )
            raise ClusterSettingsError(msg) from None
    if cluster.client_cert is not None:
        try:
            context.load_cert_chain(
                cluster.client_cert, cluster.client_key, password=_refuse_encrypted(cluster)
            )
        except ssl.SSLError as error:
            msg = (
                f"`client_cert` {cluster.client_cert} with key {cluster.client_key or 'in the same file'} "
                f"cannot be used: {error.reason or 'not in PEM form'}"
            )
            raise ClusterSettingsError(msg) from None


def _refuse_encrypted(cluster: Cluster) -> Any:  # noqa: ANN401 - a callback that never returns
    key: Path | None = cluster.client_key or cluster.client_cert

    def refuse() -> NoReturn:
        msg = f"the client key {key} is encrypted: give one without a pass phrase (openssl pkey -in … -out …)"
        raise ClusterSettingsError(msg)

    return refuse
