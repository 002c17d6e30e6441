"""Settings: where each value comes from, which source wins, and what is said when something is wrong."""

import errno
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from storage.cluster import Cluster, ClusterSettingsError, variable
from storage.settings import load_cluster, read_settings_file


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, path: str = "outrider.toml") -> Path:
    file = Path(path)
    file.write_text(text)
    return file


def test_no_cluster_at_all_says_what_to_set() -> None:
    """And how to get one to try."""
    with pytest.raises(ClusterSettingsError, match=r"set OPENSEARCH_URL .*`outrider node start`"):
        load_cluster()


def test_the_default_is_used_when_nobody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Default, the weakest."""
    monkeypatch.setenv("OPENSEARCH_URL", "http://h")
    assert load_cluster().index_prefix == "outrider"


def test_the_file_wins_over_the_default() -> None:
    """File over default."""
    write('[cluster]\nurl = "http://h"\nindex_prefix = "file"\n')
    assert load_cluster().index_prefix == "file"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment over file."""
    write('[cluster]\nurl = "http://h"\nindex_prefix = "file"\n')
    monkeypatch.setenv("OUTRIDER_INDEX_PREFIX", "environment")
    assert load_cluster().index_prefix == "environment"


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument over environment; None is not given."""
    monkeypatch.setenv("OPENSEARCH_URL", "http://h")
    monkeypatch.setenv("OUTRIDER_INDEX_PREFIX", "environment")
    assert load_cluster(index_prefix="argument").index_prefix == "argument"
    assert load_cluster(index_prefix=None).index_prefix == "environment"


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As text, of whatever type it is."""
    secret = write("x", "secret")
    values = {
        "url": "https://a,https://b",
        "username": "u",
        "password": "p",
        "client_cert": str(secret),
        "client_key": str(secret),
        "aws_service": "es",
        "ca_file": str(secret),
        "verify": "true",
        "proxy": "http://p:1",
        "timeout": "2.5",
        "connect_timeout": "1",
        "compression": "yes",
        "searches": "3",
        "search_timeout": "20",
        "page_size": "5000",
        "headers": '{"X-A": "b"}',
        "index_prefix": "mine",
    }
    others = {"password_file", "token", "token_file", "aws_region"}
    assert values.keys() | others == Cluster.model_fields.keys()
    for name, value in values.items():
        monkeypatch.setenv(variable(name), value)
    cluster = load_cluster()
    assert cluster.url == ("https://a:443", "https://b:443")
    assert (cluster.username, cluster.index_prefix, cluster.compression) == ("u", "mine", True)
    assert (cluster.searches, cluster.search_timeout, cluster.page_size) == (3, timedelta(seconds=20), 5_000)
    assert (cluster.timeout, cluster.connect_timeout) == (timedelta(seconds=2.5), timedelta(seconds=1))
    assert cluster.headers["X-A"].get_secret_value() == "b"
    for name in ("username", "password"):
        monkeypatch.delenv(variable(name))
    monkeypatch.setenv("OPENSEARCH_TOKEN_FILE", str(secret))
    assert load_cluster().authentication == "bearer"
    monkeypatch.delenv("OPENSEARCH_TOKEN_FILE")
    monkeypatch.setenv("OPENSEARCH_TOKEN", "t")
    assert load_cluster().authentication == "bearer"
    monkeypatch.delenv("OPENSEARCH_TOKEN")
    monkeypatch.setenv("OPENSEARCH_AWS_REGION", "eu-central-1")
    assert load_cluster().authentication == "aws"
    monkeypatch.delenv("OPENSEARCH_AWS_REGION")
    monkeypatch.setenv("OPENSEARCH_USERNAME", "u")
    monkeypatch.setenv("OPENSEARCH_PASSWORD_FILE", str(secret))
    assert load_cluster().authentication == "basic"


def test_prefixes_of_variables_are_not_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's own variables share the prefix and are none of ours."""
    monkeypatch.setenv("OPENSEARCH_URL", "http://h")
    monkeypatch.setenv("OPENSEARCH_INDEX_PREFIX", "wrong")
    monkeypatch.setenv("OUTRIDER_USERNAME", "wrong")
    monkeypatch.setenv("OPENSEARCH_JAVA_HOME", "/java")
    monkeypatch.setenv("OPENSEARCH_PATH_CONF", "/conf")
    cluster = load_cluster()
    assert (cluster.index_prefix, cluster.username) == ("outrider", None)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass every variable on, set or not."""
    write('[cluster]\nurl = "http://h"\nusername = "u"\npassword = "p"\n')
    monkeypatch.setenv("OPENSEARCH_URL", "")
    monkeypatch.setenv("OPENSEARCH_PASSWORD", "")
    monkeypatch.setenv("OUTRIDER_SETTINGS", "")
    assert load_cluster().authentication == "basic"


def test_a_file_may_hold_lists_and_tables() -> None:
    """TOML has types of its own."""
    write(
        '[cluster]\nurl = ["http://a:1", "http://b:2"]\nverify = true\ntimeout = 5\n'
        '[cluster.headers]\nX-A = "b"\n'
    )
    cluster = load_cluster()
    assert cluster.url == ("http://a:1", "http://b:2")
    assert cluster.timeout == timedelta(seconds=5)
    assert cluster.headers["X-A"].get_secret_value() == "b"


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    """A service starts in another folder than the one that its settings live in."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "token").write_text("t")
    path = write('[cluster]\nurl = "http://h"\ntoken_file = "token"\n', "etc/outrider.toml")
    assert load_cluster(path).token_file == Path("etc/token")
    absolute = write(f'[cluster]\nurl = "http://h"\ntoken_file = "{folder}/token"\n', "other.toml")
    assert load_cluster(absolute).token_file == folder / "token"


def test_the_settings_file_is_chosen_by_argument_then_variable_then_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The default one may be absent, the others may not."""
    write('[cluster]\nurl = "http://default"\n')
    named = write('[cluster]\nurl = "http://variable"\n', "named.toml")
    given = write('[cluster]\nurl = "http://argument"\n', "given.toml")
    assert load_cluster().url == ("http://default:9200",)
    monkeypatch.setenv("OUTRIDER_SETTINGS", str(named))
    assert load_cluster().url == ("http://variable:9200",)
    assert load_cluster(given).url == ("http://argument:9200",)
    named.unlink()
    with pytest.raises(
        ClusterSettingsError, match=r"cannot read the settings file named\.toml: No such file"
    ):
        load_cluster()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[cluster]\nusernme = 'u'\n",
            "outrider.toml: [cluster]: unknown key `usernme`: did you mean `username`?",
        ),
        ("[cluster]\nzzz = 1\n", "unknown key `zzz`: expected one of url, username"),
        ("[clutser]\nurl = 'http://h'\n", "outrider.toml: unknown table `clutser`: did you mean `cluster`?"),
        ("url = 'http://h'\n", "outrider.toml: unknown table `url`: expected one of cluster"),
        ("cluster = 1\n", "outrider.toml: `cluster` must be a table, written [cluster]"),
        ("[cluster\n", "outrider.toml is not TOML:"),
    ],
)
def test_slips_in_the_file_are_refused(text: str, message: str) -> None:
    """With the file, the key and the nearest one that is known."""
    write(text)
    with pytest.raises(ClusterSettingsError, match=re.escape(message)):
        load_cluster()


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Another kind of file, or a folder."""
    Path("outrider.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ClusterSettingsError, match="is not TOML"):
        load_cluster()
    with pytest.raises(ClusterSettingsError, match="Is a directory"):
        read_settings_file(tmp_path)


def test_a_bad_value_names_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the message knows where to mend it."""
    write('[cluster]\nurl = "http://h"\ntimeout = -1\n')
    monkeypatch.setenv("OPENSEARCH_VERIFY", "perhaps")
    with pytest.raises(ClusterSettingsError) as caught:
        load_cluster(index_prefix="A")
    lines = str(caught.value).splitlines()
    assert any(line.startswith("outrider.toml: [cluster]: `timeout`: ") for line in lines)
    assert any(line.startswith("OPENSEARCH_VERIFY: ") for line in lines)
    assert any(line.startswith("`index_prefix` (argument): 'A' cannot begin") for line in lines)
    assert len(lines) == 3


def test_a_contradiction_across_sources_names_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the file and a user name in the environment: neither wins in silence."""
    write('[cluster]\nurl = "http://h"\ntoken = "geheim"\n')
    monkeypatch.setenv("OPENSEARCH_USERNAME", "u")
    monkeypatch.setenv("OPENSEARCH_PASSWORD", "geheim")
    with pytest.raises(ClusterSettingsError, match="`username` and a token are both set") as caught:
        load_cluster()
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENSEARCH_URL", "https://u:geheim/x@h"),
        ("OPENSEARCH_URL", "u:geheim@h"),
        ("OPENSEARCH_PROXY", "socks5://u:geheim@h"),
        ("OPENSEARCH_HEADERS", '{"Authorization": geheim}'),
        ("OPENSEARCH_HEADERS", '["geheim"]'),
        ("OPENSEARCH_HEADERS", '{"Authorization": ["geheim"]}'),
        ("OPENSEARCH_PASSWORD", "geheim"),
        ("OPENSEARCH_TOKEN", "geheim\nzwei"),
        ("OPENSEARCH_TOKEN", "geheimé"),
    ],
)
def test_no_message_shows_a_secret(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Neither the message nor what hangs on the exception."""
    monkeypatch.setenv("OPENSEARCH_URL", "https://h")
    monkeypatch.setenv(name, value)
    with pytest.raises(ClusterSettingsError) as caught:
        load_cluster()
    assert "geheim" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_token_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """White space around it is no part of it; within it no header can hold it, and the libraries would quote it."""
    monkeypatch.setenv("OPENSEARCH_URL", "https://h")
    monkeypatch.setenv("OPENSEARCH_TOKEN", " to ken\n")
    token = load_cluster().token
    assert token is not None
    assert token.get_secret_value() == "to ken"
    for text in ("to\nken", "tökén", " \n"):
        monkeypatch.setenv("OPENSEARCH_TOKEN", text)
        with pytest.raises(ClusterSettingsError, match="OPENSEARCH_TOKEN: a token is one line of printable"):
            load_cluster()


def test_a_folder_that_may_not_be_entered_has_no_settings_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may be started in the folder of somebody else."""
    monkeypatch.setenv("OPENSEARCH_URL", "https://h")
    look = os.stat

    def refuse(path: object, **options: object) -> os.stat_result:
        if str(path) == "outrider.toml":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refuse)
    assert load_cluster().url == ("https://h:443",)


def test_an_unknown_argument_is_refused() -> None:
    """A slip of the caller."""
    with pytest.raises(ClusterSettingsError, match=r"`usernme` \(argument\)"):
        load_cluster(url="http://h", usernme="u")


def test_the_documentation_lists_every_setting() -> None:
    """One row a setting, with its variable, and no row without one."""
    page = (Path(__file__).parent.parent / "docs" / "cluster.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE)
    assert rows
    assert dict(rows) == {name: variable(name) for name in Cluster.model_fields}


def test_the_settings_file_of_the_documentation_loads() -> None:
    """Copied and pasted, it works."""
    page = (Path(__file__).parent.parent / "docs" / "cluster.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    write(example)
    Path("secrets").mkdir()
    write("geheim", "secrets/password")
    write("x", "ca.pem")
    assert load_cluster().authentication == "basic"
