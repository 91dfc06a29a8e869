"""How an answer leaves: JSON, an ETag where it can be asked for again, and links from page to page."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response

from tq.model.errors import InvalidArgument

_encode = msgspec.json.Encoder().encode
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def encode(record: object) -> bytes:
    """A record as JSON, on one line.

    What a terminal could take for something else than text is escaped, which means the same: people look at answers
    with curl, and much of what is in them was written by others.
    """
    document = _encode(record)
    if document.isascii() and b"\x7f" not in document:
        return document
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document.decode()).encode()


def answer(record: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[Any]:
    """An answer that is not to be kept by anybody on the way."""
    return Response(
        encode(record),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def found(request: Request[Any, Any, Any], record: object, links: Mapping[str, str] | None = None) -> Response[Any]:
    """The answer to a GET, with an ETag: 304 without a body if the caller has this very answer already.

    Args:
        links: addresses by relation, such as "next".
    """
    headers = {"Vary": "Authorization"}
    if links:
        headers["Link"] = ", ".join(f'<{target}>; rel="{relation}"' for relation, target in links.items())
    return found_bytes(request, encode(record), "application/json", headers)


def found_bytes(
    request: Request[Any, Any, Any], body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """The same of what is bytes already."""
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    all_headers = {"ETag": etag, "Cache-Control": "private, no-cache", **(headers or {})}
    wanted = request.headers.get("if-none-match", "")
    if wanted and (wanted.strip() == "*" or etag in (each.strip().removeprefix("W/") for each in wanted.split(","))):
        return Response(b"", status_code=304, headers=all_headers)
    # As a header: of a media type with a parameter the framework would make one with two.
    return Response(body, headers={**all_headers, "Content-Type": content_type})


def page_address(request: Request[Any, Any, Any], **changed: str) -> str:
    """The address of another page of the same listing."""
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    return f"{request.url.path}?{urlencode([*parameters, *changed.items()])}"


def encode_cursor(cursor: bytes) -> str:
    """A cursor as it stands in an address."""
    return base64.urlsafe_b64encode(cursor).decode().rstrip("=")


def decode_cursor(text: str) -> bytes:
    """A cursor out of an address.

    Raises:
        InvalidArgument: none that came from here.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument(f"cursor {text[:60]!r} is not one", hint="follow `next` of the page before") from None
