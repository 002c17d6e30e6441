"""Cluster settings: what fits together, what is refused, and that nothing shows a secret."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from storage.cluster import MAX_PREFIX_CHARACTERS, Cluster, variable

URL = "https://search.example:9200"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("geheim")
    return path


def test_the_defaults_are_safe() -> None:
    """One address is enough; certificates are checked, nothing waits for ever."""
    cluster = Cluster(url=URL)
    assert cluster.url == (URL,)
    assert cluster.verify
    assert cluster.authentication == "none"
    assert cluster.timeout == timedelta(seconds=60)
    assert cluster.connect_timeout == timedelta(seconds=10)
    assert cluster.index_prefix == "outrider"


def test_every_setting_has_a_description() -> None:
    """The documentation is made of them."""
    assert all(field.description for field in Cluster.model_fields.values())


def test_settings_cannot_be_changed() -> None:
    """A frozen value can be shared by threads."""
    with pytest.raises(ValidationError, match="frozen"):
        Cluster(url=URL).verify = False  # type: ignore[misc]


def test_building_one_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test or the embedded node builds must not depend on the machine."""
    monkeypatch.setenv("OPENSEARCH_USERNAME", "somebody")
    monkeypatch.setenv("OPENSEARCH_PASSWORD", "geheim")
    assert Cluster(url=URL).username is None


def test_credentials_move_out_of_the_url() -> None:
    """So that the addresses can be shown everywhere."""
    cluster = Cluster(url="https://u:geheim@a:1,https://b:2")
    assert cluster.url == ("https://a:1", "https://b:2")
    assert cluster.username == "u"
    assert cluster.password is not None
    assert cluster.password.get_secret_value() == "geheim"
    assert cluster.authentication == "basic"


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"username": "u", "password": "p"}, "basic"),
        ({"token": "t"}, "bearer"),
        ({"aws_region": "eu-central-1"}, "aws"),
        ({"headers": {"Authorization": "ApiKey x"}}, "none"),
    ],
)
def test_the_way_of_authentication_is_known(settings: dict[str, Any], kind: str) -> None:
    """A header of one's own is passed on as it is."""
    assert Cluster(url=URL, **settings).authentication == kind


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"username": "u"}, "`username` is set without a password"),
        ({"password": "geheim"}, "a password is set without `username`"),
        ({"username": "u", "password": "geheim", "password_file": "FILE"}, "`password` and `password_file`"),
        ({"token": "geheim", "token_file": "FILE"}, "`token` and `token_file` are both set"),
        ({"username": "u", "password": "geheim", "token": "geheim"}, "`username` and a token are both set"),
        ({"token": "geheim", "aws_region": "x"}, "a token and `aws_region` are both set"),
        ({"username": "u", "password": "p", "aws_region": "x"}, "`username` and `aws_region` are both set"),
        ({"token": "geheim", "headers": {"authorization": "geheim"}}, "a token and the header Authorization"),
        ({"url": "https://u:geheim@h", "username": "v"}, "`url` carries a user name and `username` is set"),
        ({"url": "https://u:geheim@h", "password": "x"}, "`url` carries a user name and `password` is set"),
        ({"url": "https://u:geheim@h", "token": "x"}, "`username` and a token are both set"),
        ({"client_key": "FILE"}, "`client_key` is set without `client_cert`"),
        ({"ca_file": "FILE", "verify": False}, "`ca_file` is set and `verify` is off"),
        ({"url": "http://h:9200", "client_cert": "FILE"}, "the certificate would never be shown"),
        ({"aws_region": "x", "aws_service": "aoss"}, r"Serverless \(aoss\) is not supported"),
        ({"url": "https://abc.eu-central-1.aoss.amazonaws.com"}, r"Serverless \(aoss\) is not supported"),
        ({"aws_service": "s3"}, "Input should be 'es' or 'aoss'"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], message: str, file: Path) -> None:
    """Nothing given is ignored; the message names the settings and shows no value of a secret."""
    given = {name: file if value == "FILE" else value for name, value in settings.items()}
    with pytest.raises(ValidationError, match=message) as caught:
        Cluster(**{"url": URL, **given})
    assert "geheim" not in str(caught.value)


def test_a_client_certificate_may_come_with_another_way(file: Path) -> None:
    """A gateway may ask for one, and the cluster behind it for a password."""
    cluster = Cluster(url=URL, client_cert=file, username="u", password="p")
    assert cluster.authentication == "basic"


@pytest.mark.parametrize("name", ["password_file", "token_file", "ca_file", "client_cert", "client_key"])
def test_a_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    """At the start, with its path; a folder is no file."""
    with pytest.raises(ValidationError, match=r"cannot read .*absent: No such file"):
        Cluster(url=URL, **{name: tmp_path / "absent"})
    with pytest.raises(ValidationError, match="Is a directory"):
        Cluster(url=URL, **{name: tmp_path})


@pytest.mark.parametrize("prefix", ["outrider", "a", "team-1_x.y", "0", "x" * MAX_PREFIX_CHARACTERS])
def test_a_prefix_that_an_index_may_have_is_accepted(prefix: str) -> None:
    """Lower-case letters, digits and three signs."""
    assert Cluster(url=URL, index_prefix=prefix).index_prefix == prefix


@pytest.mark.parametrize(
    "prefix",
    ["", "Outrider", ".outrider", "-a", "_a", "+a", "a*", "a b", "a/b", "ä", "a,b", "a#", "a:b", "a\n"],
)
def test_a_prefix_that_no_index_may_have_is_refused(prefix: str) -> None:
    """A leading dot would be the name of a system index."""
    with pytest.raises(ValidationError, match="cannot begin the name of an index"):
        Cluster(url=URL, index_prefix=prefix)


def test_a_prefix_leaves_room_for_the_rest_of_the_name() -> None:
    """An index name has 255 bytes."""
    with pytest.raises(ValidationError, match="at most 100 characters"):
        Cluster(url=URL, index_prefix="x" * (MAX_PREFIX_CHARACTERS + 1))


@pytest.mark.parametrize(("value", "seconds"), [("30", 30), (0.5, 0.5), ("PT1M", 60), (" 7 ", 7)])
def test_time_outs_are_seconds(value: object, seconds: float) -> None:
    """As a number, as text from the environment, or in ISO form."""
    assert Cluster(url=URL, timeout=value).timeout == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [0, "-1", "soon", "nan", "inf"])
def test_other_time_outs_are_refused(value: object) -> None:
    """Zero would mean for ever to some libraries."""
    with pytest.raises(ValidationError):
        Cluster(url=URL, timeout=value)


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://proxy:1080", "http://u:geheim@"])
def test_what_is_no_http_proxy_is_refused(proxy: str) -> None:
    """The message shows no credentials."""
    with pytest.raises(ValidationError, match="is not an address") as caught:
        Cluster(url=URL, proxy=proxy)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"": "x"}, {"a": "x\r\ny: z"}, {"a": "geheim-ü"}])
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    """A line break would smuggle another header in."""
    with pytest.raises(ValidationError, match="header") as caught:
        Cluster(url=URL, headers=headers)
    assert "geheim" not in str(caught.value)


def test_no_form_of_the_settings_shows_a_secret() -> None:
    """Neither text nor JSON; a log line may hold either."""
    cluster = Cluster(url="https://u:geheim@h:1", proxy="http://u:geheim@p:1", headers={"X-Key": "geheim"})
    bearer = Cluster(url=URL, token="geheim")
    shown = (
        f"{cluster} {cluster!r} {cluster.model_dump()} {cluster.model_dump_json()} {bearer!r} {bearer.url}"
    )
    assert "geheim" not in shown
    assert "https://h:1" in shown


def test_unknown_settings_are_refused() -> None:
    """A slip must not be ignored."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        Cluster(url=URL, usernme="u")


def test_each_setting_has_its_variable() -> None:
    """The cluster's begin with OPENSEARCH_, our own with OUTRIDER_."""
    assert variable("url") == "OPENSEARCH_URL"
    assert variable("index_prefix") == "OUTRIDER_INDEX_PREFIX"
