"""Which files there are to index."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NOT_STANDARD = frozenset({"site-packages", "dist-packages", "__pycache__"})


class Source(NamedTuple):
    """A file, and the top-level package or module that it belongs to."""

    package: str
    path: Path


def standard_library() -> Path:
    """The directory of this Python's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def find_sources(root: Path) -> Iterator[Source]:
    """All .py files below `root`, tests included, in a stable order; without what was installed beside."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if NOT_STANDARD.isdisjoint(parts):
            yield Source(parts[0].removesuffix(".py"), path)
