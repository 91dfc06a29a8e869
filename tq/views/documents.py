"""JSON as it is printed, copied and saved: the same document wherever it is asked for. Pure."""

import msgspec

from tq.model.plain import safe_json


def document(value: object) -> str:
    """A record, or several, as JSON: indented, and with nothing in it that a terminal could be fooled by."""
    return safe_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
