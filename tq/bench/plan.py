"""What is measured how much, and the figures that come of it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from tq.bench.rig import Rig


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value. `target` is what docs/performance.md promises, 0 for none; `more_is_better` its direction."""

    name: str
    value: float
    unit: str
    target: float = 0
    more_is_better: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value is as good as its target."""
        if not self.target:
            return True
        return self.value >= self.target if self.more_is_better else self.value <= self.target


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `scale` 1 is the documented run; less is quicker and says less."""

    scale: float = 1.0
    url: str | None = None
    parent: Path | None = None
    on_progress: Callable[[str, int, int], None] | None = None

    def count(self, tasks: int) -> int:
        """So many tasks, scaled."""
        return max(100, int(tasks * self.scale))

    def seconds(self, seconds: float) -> float:
        """So long, scaled."""
        return max(1.0, seconds * self.scale)

    def rig(self, settings: Mapping[str, str] | None = None) -> Rig:
        """A fresh broker, with settings as environment variables; or the one of the url."""
        return Rig(self.parent, self.url, settings)
