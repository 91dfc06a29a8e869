"""A payload as text that a person corrects, and back: what `tq dead resubmit` edits, checks and compares. Pure."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from tq.app.checking import check_arguments
from tq.app.codec import ARGUMENTS, decode, encode, format_of
from tq.app.readable import from_readable, readable
from tq.model.errors import InvalidArgument
from tq.model.plain import plain, safe_json
from tq.model.signatures import TaskSignature
from tq.views.payloads import JSON, size

Form = Literal["msgpack", "json", "text", "bytes"]
"""What a payload is to an editor: MessagePack shown as JSON, JSON itself, text; or bytes, which it cannot show."""

DIFF_LINES_MAX = 200
_DEEP = (RecursionError, ValueError)  # what json raises; a ValueError tells line and column


class Payload(NamedTuple):
    """Bytes, and what they are."""

    data: bytes
    content_type: str

    @property
    def form(self) -> Form:
        """What an editor makes of it. Bytes without a content type that are readable are text."""
        form = format_of(self.content_type)
        if form in ("msgpack", "json"):
            return "msgpack" if form == "msgpack" else "json"
        if form != "raw" and not form.startswith("text/"):
            return "bytes"
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            return "bytes"
        return "text" if plain(text, keep_lines=True) == text.expandtabs(4) else "bytes"


def editable(payload: Payload) -> str:
    """A payload as text; JSON is indented.

    Raises:
        InvalidArgument: it cannot be shown as text.
    """
    match payload.form:
        case "msgpack":
            return _pretty(msgspec.json.encode(readable(decode(payload.data))))
        case "json":
            try:
                return _pretty(payload.data)
            except (msgspec.DecodeError, *_DEEP):
                raise InvalidArgument("the payload is not the JSON that it says it is", hint=_OTHERWISE) from None
        case "text":
            return payload.data.decode()
        case "bytes":
            what = f"{size(len(payload.data))} of {payload.content_type or 'bytes'}"
            raise InvalidArgument(f"the payload is {what}, which cannot be edited as text", hint=_OTHERWISE)


_OTHERWISE = "give another payload with --payload-file or --args"


def _pretty(document: bytes) -> str:
    return safe_json(msgspec.json.format(document, indent=2).decode())


def corrected(old: Payload, text: str) -> Payload:
    """What the edited text of a payload says, in the form that the payload had.

    Raises:
        InvalidArgument: it is not JSON (says where), or a value in it has no form as bytes.
    """
    if old.form == "text":
        return Payload(text.encode("utf-8", "surrogateescape"), old.content_type)
    return arguments_as(old, parse_json(text))


def arguments_as(old: Payload, value: Any) -> Payload:
    """Arguments that were given as JSON, in the form that those of the old task had; JSON where that had none.

    Raises:
        InvalidArgument: a value in it has no form as bytes.
    """
    if old.form == "msgpack":
        return Payload(encode(from_readable(value)), old.content_type)
    try:
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise InvalidArgument("it holds half of a surrogate pair, which is no character") from None
    return Payload(data, old.content_type if old.form == "json" else JSON)


def parse_json(text: str) -> Any:
    """A JSON value; integers of any size, and no key twice.

    Raises:
        InvalidArgument: says what is wrong, and where.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except InvalidArgument:
        raise
    except json.JSONDecodeError as cause:
        raise InvalidArgument(f"not JSON: {cause.msg}, line {cause.lineno}, column {cause.colno}") from None
    except _DEEP as cause:
        raise InvalidArgument(f"not JSON that can be read: {type(cause).__name__}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgument(f"the key {twice!r} is there twice")
    return result


def _no_constant(name: str) -> None:
    raise InvalidArgument(f"{name} is not JSON", hint='write {"$float": "nan"} or "inf"')


def check(signature: TaskSignature, payload: Payload) -> None:
    """Refuse arguments that the handler would refuse; what is not a map of arguments is the handler's own affair.

    Raises:
        InvalidArgument: names the argument and what is wrong with it.
    """
    if payload.form == "msgpack":
        check_arguments(signature, decode(payload.data), has_text_keys=False)
    elif payload.form == "json":
        try:
            value = msgspec.json.decode(payload.data)
        except (msgspec.DecodeError, *_DEEP) as cause:
            raise InvalidArgument(f"not JSON: {cause}") from None
        check_arguments(signature, value, has_text_keys=True)


def given_as(old: Payload, data: bytes, content_type: str, *, is_guessed: bool) -> Payload:
    """A payload that was given as such. A JSON object whose kind was only guessed is, for a task of the Python API, its
    arguments as `tq task get -o json` shows them."""
    if is_guessed and content_type == JSON and old.content_type == ARGUMENTS:
        return arguments_as(old, parse_json(data.decode()))
    return Payload(data, content_type)


def diff(old: Payload, new: Payload) -> Iterator[str]:
    """What changes, line by line: each begins with "-", "+" or a space. Of what is no text, only how much."""
    if old.content_type != new.content_type:
        yield f"-{old.content_type or 'no content type'}"
        yield f"+{new.content_type or 'no content type'}"
    if old.data == new.data:
        return
    before, after = (_lines(payload) for payload in (old, new))
    changes = list(difflib.unified_diff(before, after, lineterm="", n=3))[3:]  # without the names, and where it begins
    yield from (" ..." if line.startswith("@@") else line for line in changes[:DIFF_LINES_MAX])
    if len(changes) > DIFF_LINES_MAX:
        yield f" ... and {len(changes) - DIFF_LINES_MAX:,} lines more"


def _lines(payload: Payload) -> Sequence[str]:
    try:
        return editable(payload).splitlines()
    except InvalidArgument:
        return [f"{size(len(payload.data))} of {payload.content_type or 'bytes'}"]
