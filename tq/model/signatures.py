"""What a handler takes, as its worker announces it: enough to check arguments before they are submitted again.

A type is a list of alternatives, each a word of the table below; an empty list, or a word that its reader does not
know, is anything.

    null, bool, int, float, str             as JSON has them; int is a whole number
    bytes                                   base64 in JSON
    datetime, date, time, timedelta         ISO 8601 text, or MessagePack's extension types (docs/api.md)
    uuid, decimal                           text, or their extension types
    array, array of WORD                    an array, of anything or of one kind
    map, map of WORD                        an object with keys of any kind
    = JSON                                  this one value, such as = "daily"
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

WORD_CHARS_MAX = 100
ALTERNATIVES_MAX = 20
PARAMETERS_MAX = 100
SIGNATURES_MAX = 1_000
SIGNATURES_BYTES_MAX = 64 << 10
"""Of all signatures in one Hello, whose frame has at most 256 KiB: about 600 handlers."""

Word = Annotated[str, Meta(max_length=WORD_CHARS_MAX)]


class Parameter(msgspec.Struct, array_like=True, frozen=True):
    """One argument of a handler, by the name that it has in the payload. `types` are alternatives."""

    name: Annotated[str, Meta(max_length=200)]
    types: Annotated[list[Word], Meta(max_length=ALTERNATIVES_MAX)] = []
    is_required: bool = True

    def __str__(self) -> str:
        said = f"{self.name}: {' or '.join(word.removeprefix('= ') for word in self.types) or 'any'}"
        return said if self.is_required else f"{said} = ..."


class TaskSignature(msgspec.Struct, array_like=True, frozen=True):
    """The parameters of one handler. A payload is a map from their names to values; others are refused."""

    task_type: Annotated[str, Meta(max_length=200)]
    parameters: Annotated[list[Parameter], Meta(max_length=PARAMETERS_MAX)] = []

    def __str__(self) -> str:
        return f"{self.task_type}({', '.join(map(str, self.parameters))})"


def within_budget(signatures: Iterable[TaskSignature]) -> list[TaskSignature]:
    """As many of them, from the first on, as fit into a Hello; arguments for the rest are checked by workers alone."""
    chosen: list[TaskSignature] = []
    left = SIGNATURES_BYTES_MAX
    for signature in signatures:
        left -= len(msgspec.msgpack.encode(signature))
        if left < 0 or len(chosen) == SIGNATURES_MAX:
            break
        chosen.append(signature)
    return chosen
