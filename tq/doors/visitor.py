"""Somebody who came in by a door, and what a door runs for them: the same for all doors."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from tq.model.identity import Role

_KEPT: Final = ("HOME", "PATH", "USER", "LOGNAME", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")


class Visitor(NamedTuple):
    """Who it is. `name` is how the audit calls them, such as by the name of their key and its fingerprint."""

    name: str
    role: Role


Command = Callable[[Visitor], Sequence[str]]


def dashboard(address: Sequence[str]) -> Command:
    """What a visitor sees: `tq top` at these addresses, or where the environment says if there is none."""

    def command(visitor: Visitor) -> Sequence[str]:
        where = [",".join(address)] if address else []
        return [sys.executable, "-m", "tq.cli.main", "top", *where, "--role", visitor.role, "--as", visitor.name]

    return command


def handed_on(environment: Mapping[str, str], door: str) -> dict[str, str]:
    """What of the door's own environment the dashboard gets. It is told by which door (`TQ_DOOR`): it then starts no
    editor and writes no file, for they would be the server's."""
    kept = {name: value for name, value in environment.items() if name in _KEPT or name.startswith("TQ_")}
    return {**kept, "TQ_DOOR": door}
