"""Many tasks or ids as requests of a size that the broker takes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from tq.model.task import TaskSpec

_SPEC_BYTES = 256  # what a task adds to its texts and its payload: ids, numbers, lengths, options
_UTF8_BYTES_MAX = 4

T = TypeVar("T")


def chunks_of(items: Sequence[T], count_max: int) -> Iterator[Sequence[T]]:
    """The items in their order, at most `count_max` at a time."""
    for start in range(0, len(items), count_max):
        yield items[start : start + count_max]


def chunks_of_specs(specs: Iterable[TaskSpec], count_max: int, bytes_max: int) -> Iterator[list[TaskSpec]]:
    """The tasks in their order, as many at a time as fit a request of `bytes_max` bytes, at least one."""
    chunk: list[TaskSpec] = []
    chunk_bytes = 0
    for spec in specs:
        spec_bytes = _bytes_at_most(spec)
        if chunk and (len(chunk) >= count_max or chunk_bytes + spec_bytes > bytes_max):
            yield chunk
            chunk, chunk_bytes = [], 0
        chunk.append(spec)
        chunk_bytes += spec_bytes
    if chunk:
        yield chunk


def _bytes_at_most(spec: TaskSpec) -> int:
    characters = len(spec.task_type) + len(spec.queue) + len(spec.content_type)
    if spec.options is not None and spec.options.key is not None:
        characters += len(spec.options.key)
    return len(spec.payload) + _UTF8_BYTES_MAX * characters + _SPEC_BYTES
