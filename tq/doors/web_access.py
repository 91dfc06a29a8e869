"""Who may come in by the browser: links that work once, the cookies that they turn into, and what a request must say of
where it comes from. Pure, but for randomness.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from tq.model.errors import InvalidArgument

TOKEN_BYTES: Final = 32
COOKIE_SECONDS: Final = 12 * 3_600
"""How long a browser that was let in stays so, without another link."""
BROWSERS_MAX: Final = 64
"""Browsers that are let in at a time; another one, and the first has to ask again."""
LOOPBACK_NAME: Final = "localhost"


class Passes:
    """The link of now, and the browsers that came with the ones before. Kept are hashes alone.

    Args:
        clock: seconds, for the end of a cookie.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._link = b""
        self._browsers: dict[bytes, float] = {}

    def new_link(self) -> str:
        """The token of a link for one browser. The link before it works no more."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._link = _hash(token)
        return token

    def exchange(self, token: str) -> str | None:
        """A cookie for the token of the link, which is spent with it; None: it is not that of the link of now."""
        if not self._link or not hmac.compare_digest(_hash(token), self._link):
            return None
        self._link = b""
        cookie = secrets.token_urlsafe(TOKEN_BYTES)
        while len(self._browsers) >= BROWSERS_MAX:
            del self._browsers[next(iter(self._browsers))]
        self._browsers[_hash(cookie)] = self._clock() + COOKIE_SECONDS
        return cookie

    def is_known(self, cookie: str) -> bool:
        """Whether this cookie was given out, and not too long ago. (Found by its hash: no secret is compared.)"""
        key = _hash(cookie)
        if self._browsers.get(key, 0.0) > self._clock():
            return True
        self._browsers.pop(key, None)
        return False


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


class Places:
    """Where this door is, as browsers may call it. Against pages of others: those that ask their visitors' browsers to
    ask us (Origin), and those whose name was made to point here (Host).

    Args:
        scheme: http or https, as the door itself speaks it.
        names: of this machine. Its addresses, and localhost, need not be named.
        public_url: where a proxy in front of the door is; empty: there is none.

    Raises:
        InvalidArgument: the URL is more, or less, than a scheme, a host and a port.
    """

    def __init__(self, scheme: str, names: Iterable[str], public_url: str = "") -> None:
        self._scheme = scheme
        self._names = {LOOPBACK_NAME, *(name.lower() for name in names)} - {""}
        self.public = _origin(public_url) if public_url else ""
        if self.public:
            self._names.add(urlsplit(self.public).hostname or "")

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach it by https."""
        return (self.public or self._scheme).startswith("https")

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this machine. An address always does: no other site can have it as its name."""
        name = _host(header)
        return name in self._names or _is_address(name)

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of ours sent a request with this Origin to this Host, which is known."""
        return origin.lower() in {f"{self._scheme}://{host.lower()}", self.public} - {""}


def _host(header: str) -> str:
    """The name or address in a Host header, without the port; empty if it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidArgument(f"{url!r} is no address of a site", hint="such as https://tq.example.org")
    return f"{parts.scheme}://{parts.netloc}".lower()
