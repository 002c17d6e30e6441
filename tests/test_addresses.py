"""Addresses: what is one, where it may carry credentials, and that no text shows them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.addresses import redacted, without_credentials


@pytest.mark.parametrize(
    ("given_text", "urls"),
    [
        ("http://localhost", ("http://localhost:9200",)),
        ("https://search.example", ("https://search.example:443",)),
        ("https://h:9200/path/", ("https://h:9200/path",)),
        ("http://[::1]:9200", ("http://[::1]:9200",)),
        ("http://a:1, http://b:2 ,https://c", ("http://a:1", "http://b:2", "https://c:443")),
        (["http://a:1", "http://b:2"], ("http://a:1", "http://b:2")),
        ("", ()),
        ("  ", ()),
    ],
)
def test_addresses_are_split_and_completed(given_text: object, urls: tuple[str, ...]) -> None:
    """Each gets the port that its scheme means."""
    assert without_credentials(given_text) == (urls, None)


def test_credentials_are_taken_out_and_decoded() -> None:
    """Percent form stands for the letters that have a meaning in an address; a comma may stand as it is."""
    urls, credentials = without_credentials("https://j%40x:p%2F%3A%23w@a:1,https://b:2")
    assert urls == ("https://a:1", "https://b:2")
    assert credentials == ("j@x", "p/:#w")
    assert without_credentials("https://u:p,q@a:1") == (("https://a:1",), ("u", "p,q"))


def test_the_same_credentials_may_stand_in_every_address() -> None:
    """Different ones are refused: a request may go to any host."""
    assert without_credentials("http://u:p@a:1,http://u:p@b:1")[1] == ("u", "p")
    with pytest.raises(ValueError, match="different user names or passwords"):
        without_credentials("http://u:p@a:1,http://u:q@b:1")


@pytest.mark.parametrize(
    "text",
    [
        "localhost:9200",
        "localhost",
        "ftp://a",
        "http://",
        "http://:9200",
        "http://a:port",
        "http://a:99999",
        "http://a?x=1",
        "http://a#x",
        "http://a,b",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """The message says what is expected."""
    with pytest.raises(ValueError, match=r"is not an address: expected http:// or https://"):
        without_credentials(text)


@pytest.mark.parametrize("given_value", [7, [7], None, {"a": 1}])
def test_other_types_are_refused(given_value: object) -> None:
    """A settings file may hold anything."""
    with pytest.raises(ValueError, match="must be text"):
        without_credentials(given_value)


@given(st.text(alphabet="aé0:/#?@%,[] \n", max_size=12))
@example("@0/")
def test_no_message_shows_a_password(middle: str) -> None:
    """Whatever letters it has, percent form or not: also where the address cannot be read."""
    password = f"geh{middle}eim"
    for text in (f"https://user:{password}@host:9200", f"https://host:1,https://user:{password}@host"):
        try:
            urls, _ = without_credentials(text)
            shown = str(urls)
        except ValueError as error:
            shown = str(error)
        assert "geh" not in shown
        assert "eim" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h:1/x", "https://***@h:1/x"),
        ("https://u:p/q@h", "https://***@h"),
        ("https://u:p@q@h", "https://***@h"),
        ("u:p@h", "***@h"),
        ("https://u:secret", "https://u:***"),
        ("https://h:9200/x", "https://h:9200/x"),
        ("https://h/x", "https://h/x"),
        ("http://[::1]:9200", "http://[::1]:9200"),
    ],
)
def test_redaction_keeps_what_is_no_secret(url: str, shown: str) -> None:
    """The host helps to find the mistake."""
    assert redacted(url) == shown
