"""Everything that the dashboard can change, in one table. It drives keys, footer, palette and help; the broker checks
the same roles again, whatever is drawn here.

Upper-case keys act, lower-case keys look: Shift means "I am sure" (as in Sidekiq's own dashboard). The key that asks
is never the key that confirms.
"""

from enum import Enum, StrEnum
from typing import NamedTuple

from tq.model.identity import Role


class Target(StrEnum):
    """What an action is done to."""

    QUEUE = "queue"
    WORKER = "worker"
    GROUP = "group"
    DEAD = "dead letter"
    TASK = "task"
    OPERATION = "operation"


class Tier(Enum):
    """How sure the user has to be."""

    AT_ONCE = 1  # one thing, and it can be taken back: acts, and says how to undo it
    ASK = 2  # many things, or work that starts: a dialog with the count, a sample and the rate
    TYPE = 3  # something goes: the name or the number must be typed, with a reason


class Action(NamedTuple):
    """One thing to do. `needs` is the least role; `many` is the tier when it is done to more than one; `command` is the
    same thing in the shell, but for what it is done to."""

    id: str
    key: str
    label: str
    targets: tuple[Target, ...]
    needs: Role
    one: Tier
    many: Tier
    command: str
    undone_by: str = ""


RETRY = Action(
    "retry", "R", "retry", (Target.DEAD, Target.GROUP), Role.OPERATOR, Tier.AT_ONCE, Tier.ASK,
    "tq dead retry", "undo",
)  # fmt: skip
RESUBMIT = Action(
    "resubmit", "E", "edit, resubmit", (Target.DEAD, Target.GROUP, Target.TASK), Role.OPERATOR, Tier.ASK,
    Tier.ASK, "tq task resubmit --edit",
)  # fmt: skip
PURGE = Action(
    "purge", "P", "purge", (Target.DEAD, Target.GROUP, Target.QUEUE, Target.TASK), Role.OPERATOR, Tier.TYPE, Tier.TYPE,
    "tq purge", "undo",
)  # fmt: skip
CANCEL = Action(
    "cancel", "X", "cancel", (Target.TASK, Target.OPERATION), Role.OPERATOR, Tier.ASK, Tier.ASK,
    "tq task cancel", "undo",
)  # fmt: skip
HOLD = Action(
    "hold", "H", "hold / resume", (Target.QUEUE,), Role.OPERATOR, Tier.AT_ONCE, Tier.ASK, "tq queue pause",
    "hold",
)  # fmt: skip
DRAIN = Action(
    "drain", "D", "drain", (Target.WORKER,), Role.OPERATOR, Tier.ASK, Tier.ASK, "tq worker drain",
)  # fmt: skip
UNDO = Action(
    "undo", "U", "undo", (Target.OPERATION,), Role.OPERATOR, Tier.ASK, Tier.ASK, "tq undo",
)  # fmt: skip

ACTIONS: tuple[Action, ...] = (RETRY, RESUBMIT, PURGE, CANCEL, HOLD, DRAIN, UNDO)


def action_of(key: str) -> Action | None:
    """The action of a key, None if the key looks and does not act."""
    return next((action for action in ACTIONS if action.key == key), None)


def why_not(action: Action, role: Role, target: Target | None) -> str:
    """Why an action cannot be done now, in the words of the footer; empty if it can."""
    if not role.may(action.needs):
        return f"{role.value}: needs {action.needs.value}"
    if target is None:
        return "nothing selected"
    if target is Target.TASK and Target.DEAD in action.targets and target not in action.targets:
        return "not a dead letter"
    if target not in action.targets:
        return f"not for a {target.value}"
    return ""
