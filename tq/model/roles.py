"""Who may do what: one table of every request, the role that it needs, and what it reaches. All edges obey it.

            viewer          sees everything, changes nothing
           /      \\
    producer      worker    submits and waits for results; leases and reports
           \\      /
           operator         acts on the tasks, queues and workers of others
               |
             admin          tokens and backups

A role may do what is its own and what the roles above it in this picture may. docs/security.md shows the table.
"""

from enum import Enum
from typing import NamedTuple

from tq.model.commands import (
    Ack,
    Backup,
    Cancel,
    CancelledByWorker,
    CancelOperation,
    CommitOperation,
    CreateToken,
    DrainWorker,
    Extend,
    Fetch,
    GetAttention,
    GetHistory,
    GetLog,
    GetMetrics,
    GetOperation,
    GetSignature,
    GetStats,
    GetTask,
    GetWorker,
    Heartbeat,
    Hello,
    ListAudit,
    ListGroups,
    ListOperations,
    ListQueues,
    ListTasks,
    ListTokens,
    ListWorkers,
    Nack,
    PauseQueue,
    PrepareOperation,
    Release,
    ReportEdge,
    ReportLog,
    ReportProgress,
    Resubmit,
    ResumeQueue,
    RevokeToken,
    StackTaken,
    Submit,
    TakeStack,
    UndoOperation,
    Unwait,
    Unwatch,
    Wait,
    Watch,
    WatchCredit,
    Why,
    WorkerDied,
)
from tq.model.errors import AccessDenied
from tq.model.identity import Actor, Role


class Reach(Enum):
    """What a request concerns: how it is judged when somebody is confined to some queues."""

    NOTHING = "nothing"  # no queue at all; or a lease, which its token proves
    NAMED = "named"  # what its fields name: `queue`(`s`), `task_id`(`s`), `tasks`, `selector`, `operation`
    LISTED = "listed"  # all queues, and its reply is cut down to those that may be seen
    WHOLE = "whole"  # the whole broker: refused to who is confined


class Rule(NamedTuple):
    """One line of the table. What `is_audited` leaves a row in the audit whenever it has changed something."""

    role: Role
    reach: Reach
    is_audited: bool = False


RULES: dict[type, Rule] = {
    # everybody: what they are is found out in answering
    Hello: Rule(Role.NONE, Reach.NOTHING),
    # looking
    GetTask: Rule(Role.VIEWER, Reach.NAMED),
    GetSignature: Rule(Role.VIEWER, Reach.NOTHING),
    ListTasks: Rule(Role.VIEWER, Reach.NAMED),
    ListQueues: Rule(Role.VIEWER, Reach.LISTED),
    ListGroups: Rule(Role.VIEWER, Reach.NAMED),
    ListWorkers: Rule(Role.VIEWER, Reach.WHOLE),
    GetStats: Rule(Role.VIEWER, Reach.WHOLE),
    Why: Rule(Role.VIEWER, Reach.NAMED),
    TakeStack: Rule(Role.VIEWER, Reach.NAMED),
    GetLog: Rule(Role.VIEWER, Reach.NAMED),
    GetHistory: Rule(Role.VIEWER, Reach.NAMED),
    GetWorker: Rule(Role.VIEWER, Reach.WHOLE),
    GetAttention: Rule(Role.VIEWER, Reach.WHOLE),
    GetMetrics: Rule(Role.VIEWER, Reach.WHOLE),
    ReportEdge: Rule(Role.VIEWER, Reach.NOTHING),  # and of an edge's own connection alone: see server/handling.py
    Watch: Rule(Role.VIEWER, Reach.WHOLE),
    WatchCredit: Rule(Role.VIEWER, Reach.WHOLE),
    Unwatch: Rule(Role.VIEWER, Reach.WHOLE),
    # producing
    Submit: Rule(Role.PRODUCER, Reach.NAMED),
    Wait: Rule(Role.PRODUCER, Reach.NAMED),
    Unwait: Rule(Role.PRODUCER, Reach.NOTHING),
    Cancel: Rule(Role.PRODUCER, Reach.NAMED, is_audited=True),
    # running tasks: a connection that never said that it is a worker holds no lease, and gets none
    Fetch: Rule(Role.WORKER, Reach.NOTHING),
    Ack: Rule(Role.WORKER, Reach.NOTHING),
    Nack: Rule(Role.WORKER, Reach.NOTHING),
    Release: Rule(Role.WORKER, Reach.NOTHING),
    Extend: Rule(Role.WORKER, Reach.NOTHING),
    ReportProgress: Rule(Role.WORKER, Reach.NOTHING),
    StackTaken: Rule(Role.WORKER, Reach.NOTHING),
    ReportLog: Rule(Role.WORKER, Reach.NOTHING),
    CancelledByWorker: Rule(Role.WORKER, Reach.NOTHING),
    Heartbeat: Rule(Role.WORKER, Reach.NOTHING),
    WorkerDied: Rule(Role.WORKER, Reach.NOTHING),
    # operating
    PauseQueue: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    ResumeQueue: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    Resubmit: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    DrainWorker: Rule(Role.OPERATOR, Reach.WHOLE, is_audited=True),
    # operations: what one prepared, its token proves
    PrepareOperation: Rule(Role.OPERATOR, Reach.NAMED),
    CommitOperation: Rule(Role.OPERATOR, Reach.NOTHING, is_audited=True),
    ListOperations: Rule(Role.VIEWER, Reach.LISTED),
    GetOperation: Rule(Role.VIEWER, Reach.NAMED),
    CancelOperation: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    UndoOperation: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    ListAudit: Rule(Role.OPERATOR, Reach.WHOLE),
    # administering
    CreateToken: Rule(Role.ADMIN, Reach.WHOLE, is_audited=True),
    ListTokens: Rule(Role.ADMIN, Reach.WHOLE),
    RevokeToken: Rule(Role.ADMIN, Reach.WHOLE, is_audited=True),
    Backup: Rule(Role.ADMIN, Reach.WHOLE, is_audited=True),
}
"""Every request has its line; tests/model/test_roles.py fails for one that has not."""


def direct_requests(special: frozenset[type]) -> dict[tuple[Role, bool], frozenset[type]]:
    """By role, and whether it is confined to some queues: the kinds of request that need no further look. `special` are
    those that always do."""
    return {
        (role, is_confined): frozenset(
            kind
            for kind, rule in RULES.items()
            if role.may(rule.role) and (rule.reach is Reach.NOTHING or not is_confined) and kind not in special
        )
        for role in Role
        for is_confined in (False, True)
    }


def check_role(actor: Actor, role: Role, kind: type) -> None:
    """Whether somebody may ask for something of this kind at all.

    Raises:
        AccessDenied: says what they are, what it needs, and how to come by it.
    """
    rule = RULES[kind]
    if not role.may(rule.role):
        raise AccessDenied(
            f"{kind.__name__} needs the role {rule.role}; {actor.name} has the role {role}",
            hint=f"an admin makes a token for it: tq token create NAME --role {rule.role}",
        )
    if rule.reach is Reach.WHOLE and actor.queues:
        raise beyond(actor, f"{kind.__name__} concerns the whole broker")


def beyond(actor: Actor, why: str) -> AccessDenied:
    """The error for who is confined to some queues and asks for more."""
    return AccessDenied(
        f"{actor.name} is confined to the queues {', '.join(actor.queues)}: {why}",
        hint="an admin makes a token for more: tq token create",
    )
