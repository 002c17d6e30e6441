"""Client: what reaches the wire for each setting, seen by a real server."""

import base64
import gzip
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import Certificates, make_certificates
from opensearchpy import OpenSearch
from recorder import INFO, Answer, Proxy, Recorded, Recorder
from structlog.testing import capture_logs

from storage.client import check_version, connect, needs_requests
from storage.cluster import Cluster, ClusterSettingsError
from storage.connection import DirectConnection, RequestsConnection
from storage.errors import AccessDenied, Rejected, Unavailable, UnsupportedCluster, Untrusted
from storage.settings import load_cluster
from storage.translate import translate_errors

AWS_KEY = "AKIDEXAMPLE"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def https(certificates: Certificates) -> Iterator[Recorder]:
    with Recorder(tls=certificates.server_context()) as recorder:
        yield recorder


def ask(cluster: Cluster) -> dict[str, object]:
    with connect(cluster) as client, translate_errors():
        answer: dict[str, object] = client.info()
    return answer


@contextmanager
def answering(answer: Answer) -> Iterator[OpenSearch]:
    with Recorder(lambda _: answer) as recorder, connect(Cluster(url=recorder.url)) as client:
        yield client


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def dead_url() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_connecting_does_not_need_the_cluster() -> None:
    """A cluster that is away fails the first request, not the construction."""
    message = r"http://127.0.0.1:\d+: no connection: Connection refused"
    with connect(Cluster(url=dead_url())) as client, pytest.raises(Unavailable, match=message):
        check_version(client)


def test_plain_requests_carry_no_credentials_and_name_their_source(server: Recorder) -> None:
    """Without authentication there is no Authorization header; X-Opaque-Id says who asks."""
    assert ask(Cluster(url=server.url)) == INFO
    (request,) = server.requests
    assert "authorization" not in request.headers
    assert request.headers["x-opaque-id"] == "outrider"


def test_given_headers_are_sent_and_may_replace_the_opaque_id(server: Recorder) -> None:
    """Headers of the settings go with every request."""
    ask(Cluster(url=server.url, headers={"X-Team": "metrics", "X-Opaque-ID": "mine"}))
    assert server.requests[0].headers["x-team"] == "metrics"
    assert server.requests[0].headers["x-opaque-id"] == "mine"


@pytest.mark.parametrize("via_proxy", [False, True])
def test_basic_credentials_are_sent_as_utf8(server: Recorder, *, via_proxy: bool) -> None:
    """A password with any letter works, in both connection classes."""
    with Proxy() as proxy:
        more = {"proxy": proxy.url} if via_proxy else {}
        ask(Cluster(url=server.url, username="jürgen", password="pässwörd:€", **more))
        assert len(proxy.requests) == via_proxy
    assert server.requests[0].headers["authorization"] == basic("jürgen", "pässwörd:€")


def test_a_password_that_is_not_utf8_is_sent_as_it_was_given(
    server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of the environment may be anything; a message about them would quote some."""
    monkeypatch.setitem(os.environb, b"OPENSEARCH_PASSWORD", b"geh\xffeim")
    ask(load_cluster(url=server.url, username="u"))
    assert (
        server.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"u:geh\xffeim").decode()
    )


def test_credentials_in_the_url_are_sent(server: Recorder) -> None:
    """They may be in percent form, and stand in the first of several addresses only."""
    ask(Cluster(url=server.url.replace("//", "//u:p%40ss%2Fw@")))
    assert server.requests[0].headers["authorization"] == basic("u", "p@ss/w")


@pytest.mark.parametrize("via_proxy", [False, True])
def test_a_token_file_is_read_again_when_it_changes(
    server: Recorder, tmp_path: Path, *, via_proxy: bool
) -> None:
    """A rotated token takes effect without a restart, in both connection classes."""
    token = tmp_path / "token"
    token.write_text("first\n")
    with Proxy() as proxy:
        more = {"proxy": proxy.url} if via_proxy else {}
        with connect(Cluster(url=server.url, token_file=token, **more)) as client:
            client.info()
            client.info()
            token.write_text("second, and longer\n")
            client.info()
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer first", "Bearer first", "Bearer second, and longer"]


@pytest.mark.parametrize("via_proxy", [False, True])
def test_a_vanished_token_file_is_reported_as_unavailable(
    server: Recorder, tmp_path: Path, *, via_proxy: bool
) -> None:
    """It may be in the middle of a rotation, so another try is worth it; the message names the file."""
    token = tmp_path / "token"
    token.write_text("first")
    more = {"proxy": server.url} if via_proxy else {}
    with connect(Cluster(url=server.url, token_file=token, **more)) as client:
        token.unlink()
        with (
            pytest.raises(Unavailable, match=r"cannot read the secret in .*token: No such file"),
            translate_errors(),
        ):
            client.info()
    assert server.requests == []


def test_a_password_file_is_used(server: Recorder, tmp_path: Path) -> None:
    """White space around the password is not part of it."""
    path = tmp_path / "password"
    path.write_text(" secret \n")
    ask(Cluster(url=server.url, username="u", password_file=path))
    assert server.requests[0].headers["authorization"] == basic("u", "secret")


def test_the_ca_file_makes_the_certificate_trusted(https: Recorder, certificates: Certificates) -> None:
    """With the authority's certificate the request goes through."""
    assert ask(Cluster(url=https.url, ca_file=certificates.ca)) == INFO


@pytest.mark.parametrize("authority", ["stranger", "usual"])
def test_a_certificate_of_another_authority_is_refused(
    https: Recorder, certificates: Certificates, authority: str
) -> None:
    """Neither a wrong CA file nor the usual authorities make it trusted, and nothing is sent."""
    more = {"ca_file": certificates.stranger_ca} if authority == "stranger" else {}
    with pytest.raises(Untrusted, match=r"certificate is not trusted: .*OPENSEARCH_CA_FILE"):
        ask(Cluster(url=https.url, username="u", password="secret", **more))
    assert https.requests == []


def test_a_certificate_for_another_host_is_refused(certificates: Certificates) -> None:
    """The message says that the name does not match."""
    tls = certificates.server_context(certificate=certificates.other_host)
    with Recorder(tls=tls) as recorder, pytest.raises(Untrusted, match=r"mismatch"):
        ask(Cluster(url=recorder.url, ca_file=certificates.ca))


@pytest.mark.parametrize("with_client_certificate", [False, True])
def test_checking_off_connects_and_warns_once_at_every_start(
    certificates: Certificates, *, with_client_certificate: bool
) -> None:
    """The warning comes with each start, once however many requests and hosts follow."""
    tls = certificates.server_context(asks_for_client=with_client_certificate)
    more = {"client_cert": certificates.client, "client_key": certificates.client_key}
    with Recorder(tls=tls) as recorder:
        urls = f"{recorder.url},{recorder.url.replace('127.0.0.1', 'localhost')}"
        cluster = Cluster(url=urls, verify=False, **(more if with_client_certificate else {}))
        for _ in range(2):
            with capture_logs() as logs, connect(cluster) as client:
                assert client.info() == INFO
                assert client.info() == INFO
            assert [line["event"] for line in logs] == ["certificate_not_checked"]
            assert logs[0]["log_level"] == "warning"
        assert len(recorder.requests) == 4


def test_checking_on_does_not_warn(https: Recorder, certificates: Certificates) -> None:
    """The counterpart: silence when all is well."""
    with capture_logs() as logs:
        ask(Cluster(url=https.url, ca_file=certificates.ca, username="u", password="p"))
    assert logs == []


def test_credentials_over_plain_http_to_another_machine_warn() -> None:
    """On this machine they are nobody's business; to another one they cross the network in clear."""
    with capture_logs() as logs, connect(Cluster(url="http://search.example:9200", token="secret")):
        pass
    assert [line["event"] for line in logs] == ["credentials_in_clear"]
    assert "secret" not in str(logs)
    with capture_logs() as logs, connect(Cluster(url="http://localhost:9200", token="secret")):
        pass
    assert logs == []


@pytest.mark.parametrize("via_proxy", [False, True])
def test_a_client_certificate_is_shown(certificates: Certificates, *, via_proxy: bool) -> None:
    """The server insists on one; both connection classes show it."""
    tls = certificates.server_context(asks_for_client=True)
    with Recorder(tls=tls) as recorder, Proxy() as proxy:
        more = {"proxy": proxy.url} if via_proxy else {}
        cluster = Cluster(
            url=recorder.url,
            ca_file=certificates.ca,
            client_cert=certificates.client,
            client_key=certificates.client_key,
            **more,
        )
        assert ask(cluster) == INFO
        assert len(proxy.requests) == via_proxy


def test_certificate_and_key_may_be_in_one_file(certificates: Certificates, tmp_path: Path) -> None:
    """Then only the certificate is set."""
    both = tmp_path / "both.pem"
    both.write_bytes(certificates.client.read_bytes() + certificates.client_key.read_bytes())
    with Recorder(tls=certificates.server_context(asks_for_client=True)) as recorder:
        assert ask(Cluster(url=recorder.url, ca_file=certificates.ca, client_cert=both)) == INFO


def test_a_missing_client_certificate_is_explained(certificates: Certificates) -> None:
    """The handshake is refused by the cluster; the message says which setting it may want."""
    tls = certificates.server_context(asks_for_client=True)
    with Recorder(tls=tls) as recorder, pytest.raises(Unavailable, match="OPENSEARCH_CLIENT_CERT"):
        ask(Cluster(url=recorder.url, ca_file=certificates.ca))


def test_https_to_a_plain_port_is_explained(server: Recorder) -> None:
    """The wrong scheme is a common slip."""
    with pytest.raises(Untrusted, match=r"does not speak TLS: write http://"):
        ask(Cluster(url=server.url.replace("http:", "https:")))


def test_http_to_a_tls_port_is_explained(https: Recorder) -> None:
    """The counterpart; the cluster just closes the connection."""
    with pytest.raises(Unavailable, match=r"write https:// if the cluster speaks TLS"):
        ask(Cluster(url=https.url.replace("https:", "http:")))


@pytest.mark.parametrize("field", ["ca_file", "client_cert"])
def test_a_file_that_is_no_certificate_is_refused_at_the_start(tmp_path: Path, field: str) -> None:
    """The message names setting and file; the library would fail at the first request without it."""
    path = tmp_path / "nonsense.pem"
    path.write_text("this is no certificate")
    with pytest.raises(ClusterSettingsError, match=rf"`{field}` .*nonsense\.pem"):
        connect(Cluster(url="https://localhost:9200", **{field: path}))


def test_a_key_that_does_not_fit_is_refused_at_the_start(certificates: Certificates) -> None:
    """Certificate and key of different pairs are a common slip."""
    cluster = Cluster(
        url="https://localhost:9200", client_cert=certificates.client, client_key=certificates.server_key
    )
    with pytest.raises(ClusterSettingsError, match="KEY_VALUES_MISMATCH"):
        connect(cluster)


def test_an_encrypted_key_is_refused_instead_of_asking_on_the_terminal(certificates: Certificates) -> None:
    """A service has no terminal: the library would wait for a pass phrase for ever."""
    cluster = Cluster(
        url="https://localhost:9200", client_cert=certificates.client, client_key=certificates.encrypted_key
    )
    with pytest.raises(ClusterSettingsError, match="encrypted"):
        connect(cluster)


def test_a_proxy_tunnels_tls_and_gets_its_own_credentials(
    https: Recorder, certificates: Certificates
) -> None:
    """The proxy sees CONNECT and its own user name, never ours; the cluster the other way round."""
    with Proxy() as proxy:
        url = proxy.url.replace("//", "//pu:pp@")
        ask(Cluster(url=https.url, ca_file=certificates.ca, username="u", password="p", proxy=url))
        (tunnel,) = proxy.requests
    assert tunnel.method == "CONNECT"
    assert tunnel.path == https.url.removeprefix("https://")
    assert tunnel.headers["proxy-authorization"] == basic("pu", "pp")
    assert "authorization" not in tunnel.headers
    assert https.requests[0].headers["authorization"] == basic("u", "p")
    assert "proxy-authorization" not in https.requests[0].headers


def test_a_dead_proxy_is_reported_without_its_credentials() -> None:
    """The cluster is unavailable, and the message shows no password."""
    cluster = Cluster(url="http://localhost:9200", proxy=dead_url().replace("//", "//pu:geheim@"))
    with pytest.raises(Unavailable, match="no connection") as caught:
        ask(cluster)
    assert "geheim" not in str(caught.value)


def test_the_environment_of_requests_is_ignored(
    server: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NO_PROXY or a ~/.netrc on the machine must not override the settings."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("NO_PROXY", "*")
    with Proxy() as proxy:
        ask(Cluster(url=server.url, proxy=proxy.url))
        assert len(proxy.requests) == 1
    assert "authorization" not in server.requests[0].headers


def test_the_faster_connection_is_used_unless_a_setting_needs_the_other(certificates: Certificates) -> None:
    """urllib3 by default; requests for a proxy, or a client certificate while checking is off."""
    https = {"url": "https://localhost:9200", "client_cert": certificates.client}
    https |= {"client_key": certificates.client_key}
    assert not needs_requests(Cluster(url="http://localhost:9200"))
    assert not needs_requests(Cluster(**https))
    assert not needs_requests(Cluster(url="https://localhost:9200", verify=False))
    assert needs_requests(Cluster(**https, verify=False))
    assert needs_requests(Cluster(url="http://localhost:9200", proxy="http://localhost:3128"))
    with connect(Cluster(url="http://localhost:9200")) as client:
        assert isinstance(client.transport.get_connection(), DirectConnection)
    with connect(Cluster(url="http://localhost:9200", proxy="http://localhost:3128")) as client:
        assert isinstance(client.transport.get_connection(), RequestsConnection)


def use_aws_keys(monkeypatch: pytest.MonkeyPatch, session: str) -> None:
    """Let boto3 find credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", session)


@pytest.mark.parametrize("via_proxy", [False, True])
def test_requests_are_signed_for_aws(
    server: Recorder, monkeypatch: pytest.MonkeyPatch, *, via_proxy: bool
) -> None:
    """The signature names key, region and service, and fits the request as it arrived."""
    use_aws_keys(monkeypatch, "the session")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with Proxy() as proxy:
        more = {"proxy": proxy.url} if via_proxy else {}
        with connect(Cluster(url=server.url, aws_region="eu-central-1", **more)) as client:
            client.search(index=["a", "b*"], body={"query": {"match_all": {}}}, request_cache=False)
    (request,) = server.requests
    header = request.headers["authorization"]
    scope = rf"Credential={AWS_KEY}/\d{{8}}/eu-central-1/es/aws4_request"
    assert re.match(
        rf"AWS4-HMAC-SHA256 {scope}, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=", header
    )
    assert request.headers["x-amz-security-token"] == "the session"
    assert header.rsplit("Signature=", 1)[1] == recomputed_signature(server, request)


def recomputed_signature(server: Recorder, request: Recorded) -> str:
    """Sign what arrived, as the other side does to compare."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    header = request.headers["authorization"]
    signed = header.split("SignedHeaders=")[1].split(",")[0].split(";")
    arrived = AWSRequest(
        request.method,
        server.url + request.path,
        data=request.body,
        headers={name: request.headers[name] for name in signed},
    )
    arrived.context["timestamp"] = request.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(AWS_KEY, "the secret", "the session"), "es", "eu-central-1")
    return str(auth.signature(auth.string_to_sign(arrived, auth.canonical_request(arrived)), arrived))


def test_missing_boto3_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that brings it is named."""
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(ClusterSettingsError, match=re.escape("pip install 'outrider[aws]'")):
        connect(Cluster(url="https://localhost:9200", aws_region="eu-central-1"))


def test_missing_aws_credentials_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key in the environment, no profile, no role."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ClusterSettingsError, match="finds no AWS credentials"):
        connect(Cluster(url="https://localhost:9200", aws_region="eu-central-1"))


def test_an_aws_profile_that_does_not_exist_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name; boto3's error is none that our callers know."""
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(ClusterSettingsError, match=r"`aws_region` .*\(nope\) could not be found"):
        connect(Cluster(url="https://localhost:9200", aws_region="eu-central-1"))


@pytest.mark.parametrize("via_proxy", [False, True])
def test_a_header_that_cannot_be_sent_is_not_quoted(
    server: Recorder, monkeypatch: pytest.MonkeyPatch, *, via_proxy: bool
) -> None:
    """It holds a credential that only boto3 has seen."""
    use_aws_keys(monkeypatch, "geheim\nzwei")
    more = {"proxy": server.url} if via_proxy else {}
    with pytest.raises(Unavailable, match="a credential holds a line break") as caught:
        ask(Cluster(url=server.url, aws_region="eu-central-1", **more))
    assert "geheim" not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_away_is_not_taken_for_the_cluster(scheme: str) -> None:
    """Whoever reads it looks after the right one of the two."""
    cluster = Cluster(url=f"{scheme}://search.example:9200", proxy=dead_url().replace("//", "//u:geheim@"))
    message = r"search\.example:9200: no connection to or through the proxy \(OPENSEARCH_PROXY\): Connection refused"
    with pytest.raises(Unavailable, match=message) as caught:
        ask(cluster)
    assert "geheim" not in str(caught.value)


def test_a_dead_host_is_passed_over(server: Recorder) -> None:
    """With several hosts every request finds one that lives, whichever is asked first."""
    with connect(Cluster(url=f"{dead_url()},{server.url}")) as client:
        for _ in range(4):
            assert client.info() == INFO
    assert len(server.requests) == 4


def test_all_hosts_dead_is_unavailable_after_one_try_each() -> None:
    """The library does not go round and round: waiting is for storage.retry."""
    cluster = Cluster(url=f"{dead_url()},{dead_url()}")
    with connect(cluster) as client, pytest.raises(Unavailable, match="Connection refused"):
        check_version(client)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_the_library_does_not_repeat_a_refused_request(status: int) -> None:
    """One request, one answer: repeating is decided in one place."""
    with Recorder(lambda _: Answer(status)) as busy:
        with pytest.raises(Unavailable):
            ask(Cluster(url=f"{busy.url},{busy.url.replace('127.0.0.1', 'localhost')}"))
        assert len(busy.requests) == 1


@pytest.mark.parametrize("via_proxy", [False, True])
def test_a_slow_answer_is_a_time_out(*, via_proxy: bool) -> None:
    """The wait ends at the set time, once, also with several hosts."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        more = {"proxy": url} if via_proxy else {}
        cluster = Cluster(url=f"{url},{url.replace('127.0.0.1', 'localhost')}", timeout=0.1, **more)
        with pytest.raises(Unavailable, match=r"no answer in time.*OPENSEARCH_TIMEOUT"):
            ask(cluster)


@pytest.mark.parametrize("via_proxy", [False, True])
def test_a_redirect_is_not_followed_but_explained(*, via_proxy: bool) -> None:
    """Followed, a POST would become a GET; the message says where the cluster really is."""

    def redirect(_: Recorded) -> Answer:
        return Answer(302, b"", {"location": "https://u:geheim@real.example/"})

    with Recorder(redirect) as recorder:
        more = {"proxy": recorder.url} if via_proxy else {}
        with pytest.raises(Rejected, match=r"redirects to https://\*\*\*@real\.example/: set OPENSEARCH_URL"):
            ask(Cluster(url=recorder.url, **more))
        assert len(recorder.requests) == 1


@pytest.mark.parametrize("via_proxy", [False, True])
def test_retry_after_is_kept(*, via_proxy: bool) -> None:
    """The library drops the headers of an error answer; ours carries the wait."""
    with Recorder(lambda _: Answer(429, headers={"Retry-After": "7"})) as recorder:
        more = {"proxy": recorder.url} if via_proxy else {}
        with pytest.raises(Unavailable) as caught:
            ask(Cluster(url=recorder.url, **more))
    assert caught.value.retry_after_s == 7.0


def test_an_unreadable_retry_after_is_ignored() -> None:
    """A header that is neither number nor date must not hide the error."""
    answer = Answer(503, headers={"Retry-After": "soon"})
    with Recorder(lambda _: answer) as recorder, pytest.raises(Unavailable) as caught:
        ask(Cluster(url=recorder.url))
    assert caught.value.retry_after_s is None


def test_compression_packs_requests_and_answers() -> None:
    """The body arrives packed, and a packed answer is read."""
    packed = Answer(200, gzip.compress(json.dumps(INFO).encode()), {"content-encoding": "gzip"})
    with Recorder(lambda _: packed) as recorder:
        with connect(Cluster(url=recorder.url, compression=True)) as client:
            assert client.search(index="a", body={"size": 0}) == INFO
        (request,) = recorder.requests
    assert request.headers["content-encoding"] == "gzip"
    assert "gzip" in request.headers["accept-encoding"]
    assert json.loads(gzip.decompress(request.body)) == {"size": 0}


def test_a_path_in_the_address_is_kept(server: Recorder) -> None:
    """A cluster may live below a path of a gateway."""
    ask(Cluster(url=f"{server.url}/search/"))
    assert server.requests[0].path == "/search/"


def test_a_supported_version_is_returned(server: Recorder) -> None:
    """The number, for the log."""
    with connect(Cluster(url=server.url)) as client:
        assert check_version(client) == "3.8.0"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (
            {"distribution": "opensearch", "number": "2.18.1"},
            r"OpenSearch 2\.18\.1; Outrider needs 2\.19 or later",
        ),
        ({"distribution": "opensearch", "number": "1.3.20"}, r"1\.3\.20.*2\.19"),
        ({"number": "8.15.0", "build_flavor": "default"}, r"Elasticsearch 8\.15\.0.*OpenSearch 2\.19"),
        ({"number": "7.10.2"}, r"Elasticsearch 7\.10\.2.*override_main_response_version"),
        ({"number": "8.11.0", "build_flavor": "serverless"}, r"serverless collection.*not supported"),
        ({"distribution": "opensearch", "number": "odd"}, r"OpenSearch odd"),
    ],
)
def test_other_products_and_old_versions_are_refused_by_name(version: dict[str, str], message: str) -> None:
    """The message has what was found and what is needed."""
    with (
        answering(Answer(200, {"version": version})) as client,
        pytest.raises(UnsupportedCluster, match=message),
    ):
        check_version(client)


@pytest.mark.parametrize("number", ["2.19.0", "2.19.5", "2.20.0", "3.0.0", "3.10.1-SNAPSHOT", "10.0.0"])
def test_newer_versions_are_accepted(number: str) -> None:
    """Compared as numbers: 10 comes after 2."""
    version = {"distribution": "opensearch", "number": number}
    with answering(Answer(200, {"version": version})) as client:
        assert check_version(client) == number


def test_an_address_without_opensearch_is_refused() -> None:
    """Something else answers 404, JSON of its own, or a page."""
    absent = Answer(404, b"not here", {"content-type": "text/plain"})
    message = r"not here.*no OpenSearch is at this address"
    with answering(absent) as client, pytest.raises(UnsupportedCluster, match=message):
        check_version(client)
    for body in ({}, [], {"version": None}, {"version": "3.0"}, {"version": {}}):
        with (
            answering(Answer(200, body)) as client,
            pytest.raises(UnsupportedCluster, match="no OpenSearch is"),
        ):
            check_version(client)
    page = Answer(200, b"<html>", {"content-type": "text/html"})
    with answering(page) as client, pytest.raises(Rejected, match="text/html"):
        check_version(client)


def test_a_version_check_that_is_not_allowed_says_so() -> None:
    """A missing privilege is not mistaken for a missing cluster."""
    body = {"error": {"type": "security_exception", "reason": "no permissions for [cluster:monitor/main]"}}
    with (
        answering(Answer(403, body)) as client,
        pytest.raises(AccessDenied, match=r"cluster:monitor/main"),
    ):
        check_version(client)


def test_the_real_node_is_supported(client: OpenSearch) -> None:
    """The version that tests run on is one that users may run."""
    assert tuple(map(int, check_version(client).split(".")[:2])) >= (2, 19)


def test_nan_reaches_the_wire_as_null(server: Recorder) -> None:
    """The bare word NaN is no JSON; the serializer of the client is the one that knows."""
    with connect(Cluster(url=server.url)) as client:
        client.index(index="a", body={"value": float("nan")})
        client.bulk(body=[{"index": {"_index": "a"}}, {"value": float("inf")}])
    assert server.requests[0].body == b'{"value":null}'
    assert server.requests[1].body == b'{"index":{"_index":"a"}}\n{"value":null}\n'
