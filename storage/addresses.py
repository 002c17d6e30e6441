"""Reads the addresses of hosts and proxies, and keeps the credentials in them out of every text."""

import re
from urllib.parse import unquote, urlsplit

_SCHEME = "[A-Za-z][A-Za-z0-9+.-]*://"
_BETWEEN_URLS = re.compile(rf"\s*,\s*(?={_SCHEME})")


def redacted(url: str) -> str:
    """Return the URL with everything that may be a user name or a password replaced by ``***``.

    Also where the ``@`` was forgotten: what follows the host's colon is shown only when it is a port.
    """
    shown = re.sub(rf"^({_SCHEME})?.*@", r"\1***@", url, flags=re.DOTALL)
    return re.sub(rf"^({_SCHEME}[^:/@\[]*:)(?!\d+(?:[/,?#]|$)).*", r"\1***", shown, flags=re.DOTALL)


def without_credentials(given: object) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """Split the addresses and take user name and password out of them.

    Parameters
    ----------
    given
        Addresses separated by commas, or a list of them.

    Returns
    -------
    tuple
        The addresses, each with a port (https 443, http 9200 when none is given), and the credentials: a pair
        of user name and password, None when no address carries any.

    Raises
    ------
    ValueError
        When one is no address, or two carry different credentials; the message shows none.
    """
    texts = _BETWEEN_URLS.split(given.strip()) if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        msg = "`url` must be text, or a list of texts"
        raise ValueError(msg)
    urls, found = [], set()
    for text in filter(None, (text.strip() for text in texts)):
        host, credentials = _host_of(text)
        urls.append(host)
        if credentials:
            found.add(credentials)
    if len(found) > 1:
        msg = "`url` carries different user names or passwords for different hosts: one cluster takes one"
        raise ValueError(msg)
    return tuple(urls), found.pop() if found else None


def _host_of(text: str) -> tuple[str, tuple[str, str] | None]:
    """Return the address without credentials, and the credentials; no message shows them."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        # the error's own text quotes what stands before the first / or #, perhaps a piece of a password
        host, port, parts = None, None, urlsplit("")
    # A @ in the path is one of a password that has a / as well.
    has_more = "@" in parts.path or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not host or "," in host or has_more:
        msg = (
            f"{redacted(text)!r} is not an address: expected http:// or https://, a host, perhaps :port; "
            "write characters such as / # , @ in a password in percent form (%2F %23 %2C %40)"
        )
        raise ValueError(msg)
    port = port or (443 if parts.scheme == "https" else 9200)
    shown = f"[{host}]" if ":" in host else host
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    return f"{parts.scheme}://{shown}:{port}{parts.path.rstrip('/')}", credentials
