"""Where the cluster is and how to get in: one frozen value, checked for contradictions.

Knows settings only. It opens no connection, imports no client and does not read the environment:
`storage.settings` does that and hands the values to `Cluster`.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from storage.addresses import without_credentials

CLUSTER_PREFIX = "OPENSEARCH_"
OWN_PREFIX = "OUTRIDER_"
OWN_SETTINGS = frozenset({"index_prefix", "searches", "search_timeout", "page_size"})
"""Settings whose environment variable begins with OUTRIDER_; all others begin with OPENSEARCH_."""

PATH_SETTINGS = ("password_file", "token_file", "ca_file", "client_cert", "client_key")
SERVERLESS_HOST = ".aoss.amazonaws.com"
MAX_PREFIX_CHARACTERS = 100
"""Leaves room for our endings and a date within the 255 bytes of an index name."""

_PREFIX = re.compile(r"[a-z0-9][a-z0-9._-]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class ClusterSettingsError(ValueError):
    """A setting of the access to the cluster is missing, malformed or contradicts another one."""


def variable(setting: str) -> str:
    """Return the environment variable of a setting: ``url`` is ``OPENSEARCH_URL``."""
    prefix = OWN_PREFIX if setting in OWN_SETTINGS else CLUSTER_PREFIX
    return prefix + setting.upper()


def is_header_value(text: str) -> bool:
    """Say whether a header can hold the text; the libraries refuse another one by quoting it, secret or not."""
    return text.isascii() and text.isprintable()


def _seconds(value: object) -> object:
    """Read a plain number, also one written as text, as seconds."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Seconds = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]


class Cluster(BaseSettings):
    """Access to one cluster.

    Building one directly uses the arguments only; `storage.settings.load_cluster` adds environment and file.
    Secrets are `SecretStr`, credentials in ``url`` and ``proxy`` included, so neither ``repr`` nor a
    validation error shows them.

    Raises
    ------
    pydantic.ValidationError
        When a value is malformed or two settings contradict each other.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1,
        description="Addresses of the cluster's nodes, separated by commas; may carry user:password@.",
    )
    username: str | None = Field(None, min_length=1, description="User name for basic authentication.")
    password: SecretStr | None = Field(None, description="Password for basic authentication.")
    password_file: Path | None = Field(
        None, description="File with the password; read again when it changes."
    )
    token: SecretStr | None = Field(None, description="Bearer token, for example a JWT.")
    token_file: Path | None = Field(
        None, description="File with the bearer token; read again when it changes."
    )
    client_cert: Path | None = Field(None, description="Client certificate, PEM; may hold the key too.")
    client_key: Path | None = Field(None, description="Key of the client certificate, PEM, not encrypted.")
    aws_region: str | None = Field(
        None, min_length=1, description="Sign requests (AWS SigV4) for this region."
    )
    aws_service: Literal["es", "aoss"] = Field("es", description="Name the signature is made for.")
    ca_file: Path | None = Field(None, description="Certificates to trust, PEM, instead of the usual ones.")
    verify: bool = Field(True, description="Check the cluster's certificate.")  # noqa: FBT003 - a default value
    proxy: SecretStr | None = Field(
        None, description="HTTP proxy for every request; may carry user:password@."
    )
    timeout: Seconds = Field(timedelta(seconds=60), description="Longest wait for one answer, in seconds.")
    connect_timeout: Seconds = Field(
        timedelta(seconds=10), description="Longest wait for a connection, in seconds."
    )
    compression: bool = Field(False, description="Compress requests and ask for compressed answers.")  # noqa: FBT003 - a default value
    searches: int = Field(2, ge=1, le=64, description="Searches at the same time, at most.")
    search_timeout: Seconds = Field(
        timedelta(seconds=60), description="The cluster cancels a search that takes longer, in seconds."
    )
    page_size: int = Field(10_000, ge=10, le=65_535, description="Buckets a page of a search.")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Headers added to every request.")
    index_prefix: str = Field(
        "outrider", max_length=MAX_PREFIX_CHARACTERS, description="First part of the name of all our indices."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - signature of the base class
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base class
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base class
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base class
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the arguments only: what a test or an embedded node builds must not depend on more."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _move_credentials_out_of_the_url(cls, values: dict[str, object]) -> dict[str, object]:
        urls, credentials = without_credentials(values.get("url", ()))
        if not urls:
            return values
        if credentials is None:
            return {**values, "url": urls}
        twice = sorted({"username", "password", "password_file"} & values.keys())
        if twice:
            msg = f"`url` carries a user name and `{twice[0]}` is set as well: keep one of the two"
            raise ValueError(msg)
        username, password = credentials
        return {**values, "url": urls, "username": username, "password": SecretStr(password)}

    @field_validator("index_prefix")
    @classmethod
    def _is_an_index_name(cls, prefix: str) -> str:
        if not _PREFIX.fullmatch(prefix):
            msg = (
                f"{prefix!r} cannot begin the name of an index: expected lower-case letters, digits, . _ - "
                "with a letter or digit first"
            )
            raise ValueError(msg)
        return prefix

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                msg = f"{name!r} is not the name of an HTTP header"
                raise ValueError(msg)
            if not is_header_value(value.get_secret_value()):
                msg = f"the value of header {name!r} must be printable ASCII"
                raise ValueError(msg)
        return headers

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None:
            return None
        text = token.get_secret_value().strip()
        if not (text and is_header_value(text)):
            msg = "a token is one line of printable ASCII"
            raise ValueError(msg)
        return SecretStr(text)

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is not None:
            without_credentials(proxy.get_secret_value())
        return proxy

    @field_validator(*PATH_SETTINGS)
    @classmethod
    def _is_a_readable_file(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        path = path.expanduser()
        try:
            with path.open("rb"):
                return path
        except OSError as error:
            msg = f"cannot read {path}: {error.strerror}"
            raise ValueError(msg) from None

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        complaints = _contradictions(self)
        if complaints:
            raise ValueError("; ".join(complaints))
        return self

    @property
    def has_tls(self) -> bool:
        """Whether any address is https."""
        return any(url.startswith("https:") for url in self.url)

    @property
    def authentication(self) -> Literal["none", "basic", "bearer", "aws"]:
        """How requests are signed; a client certificate may come on top."""
        if self.username is not None:
            return "basic"
        if self.token is not None or self.token_file is not None:
            return "bearer"
        return "none" if self.aws_region is None else "aws"


def _contradictions(cluster: Cluster) -> list[str]:
    """Name each pair of settings that cannot hold together."""
    return [*_incomplete(cluster), *_conflicting_authentication(cluster), *_conflicting_tls(cluster)]


def _incomplete(cluster: Cluster) -> list[str]:
    """Name settings that need another one, and secrets given twice."""
    has_password = cluster.password is not None or cluster.password_file is not None
    found = []
    if cluster.password is not None and cluster.password_file is not None:
        found.append("`password` and `password_file` are both set: keep one of the two")
    if cluster.token is not None and cluster.token_file is not None:
        found.append("`token` and `token_file` are both set: keep one of the two")
    if cluster.username is not None and not has_password:
        found.append("`username` is set without a password: set `password` or `password_file`")
    if cluster.username is None and has_password:
        found.append("a password is set without `username`: set both, or neither")
    if cluster.client_key is not None and cluster.client_cert is None:
        found.append("`client_key` is set without `client_cert`: set the certificate too")
    return found


def _conflicting_authentication(cluster: Cluster) -> list[str]:
    """Name ways of authentication that exclude each other, and the one that is not supported."""
    ways = {
        "`username`": cluster.username is not None,
        "a token": cluster.token is not None or cluster.token_file is not None,
        "`aws_region`": cluster.aws_region is not None,
        "the header Authorization": any(name.lower() == "authorization" for name in cluster.headers),
    }
    given = [name for name, is_set in ways.items() if is_set]
    found = []
    if len(given) > 1:
        found.append(f"{' and '.join(given)} are both set: choose one way of authentication")
    if cluster.aws_service == "aoss" or any(SERVERLESS_HOST in f"{url}/" for url in cluster.url):
        found.append(
            "Amazon OpenSearch Serverless (aoss) is not supported: a serverless collection lacks operations "
            "that Outrider needs to keep its state safely; use an Amazon OpenSearch Service domain "
            "(`aws_service` es)"
        )
    return found


def _conflicting_tls(cluster: Cluster) -> list[str]:
    """Name settings of TLS that exclude each other or would be ignored."""
    found = []
    if cluster.ca_file is not None and not cluster.verify:
        found.append(
            "`ca_file` is set and `verify` is off: with the file, the check can stay on; remove one of them"
        )
    if cluster.client_cert is not None and not cluster.has_tls:
        found.append(
            "`client_cert` is set but no address in `url` is https: the certificate would never be shown"
        )
    return found
