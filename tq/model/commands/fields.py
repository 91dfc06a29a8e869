"""What the requests are made of: the bounds of their fields, and their base."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tq.model.operations import OPERATION_ID_BYTES, RATE_MAX

BATCH_MAX = 1_000
"""Tasks, leases or ids in one request: what bounds the time of one step of the engine."""


LOG_LINES_MAX = 500
"""Lines that are kept of one task, the latest."""


LOG_CHARS_MAX = 1_000
"""Of one line."""


STACK_CHARS_MAX = 32_768
"""Of a stack of a handler, its innermost part."""


Id = Annotated[bytes, Meta(min_length=16, max_length=16)]


Ids = Annotated[list[Id], Meta(max_length=BATCH_MAX)]


Limit = Annotated[int, Meta(ge=1, le=BATCH_MAX)]


Count = Annotated[int, Meta(ge=0, le=1 << 53)]


Name = Annotated[str, Meta(max_length=200)]


Note = Annotated[str, Meta(max_length=2_000)]


ScopeText = Annotated[str, Meta(max_length=2_000)]


OperationId = Annotated[bytes, Meta(min_length=OPERATION_ID_BYTES, max_length=OPERATION_ID_BYTES)]


Rate = Annotated[int, Meta(ge=1, le=RATE_MAX)]


class BaseRequest(msgspec.Struct, array_like=True, frozen=True, tag_field="tag"):
    """What all requests begin with, after their tag."""

    request_id: int
