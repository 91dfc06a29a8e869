"""Who may do what: one table of every request, the role that it needs, and what it reaches. All edges obey it.

            viewer          sees everything, changes nothing
           /      \\
    producer      worker    submits and waits for results; leases and reports
           \\      /
           operator         acts on the tasks, queues and workers of others
               |
             admin          tokens, backups, and the audit of who did what

A role may do what is its own and what the roles above it in this picture may. docs/security.md shows the table.
"""

from enum import Enum, StrEnum
from typing import NamedTuple

from tq.model.commands import (
    Ack,
    Backup,
    Cancel,
    CancelledByWorker,
    CancelOperation,
    CommitOperation,
    DrainWorker,
    Extend,
    Fetch,
    GetHistory,
    GetOperation,
    GetSignature,
    GetStats,
    GetTask,
    GetWorker,
    Heartbeat,
    Hello,
    ListOperations,
    ListQueues,
    ListTasks,
    ListWorkers,
    Nack,
    PauseQueue,
    PrepareOperation,
    PurgeDead,
    PurgeQueue,
    Release,
    ReportProgress,
    Resubmit,
    ResumeQueue,
    RetryDead,
    StackTaken,
    Submit,
    TakeStack,
    UndoOperation,
    Wait,
    Why,
    WorkerDied,
)


class Role(StrEnum):
    """What a connection may do, by the name that every interface shows."""

    NONE = "none"  # not even look
    VIEWER = "viewer"
    PRODUCER = "producer"
    WORKER = "worker"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Whether this role is enough where `needed` is asked for."""
        return needed in _INCLUDED[self]


_INCLUDED: dict[Role, frozenset[Role]] = {
    Role.NONE: frozenset({Role.NONE}),
    Role.VIEWER: frozenset({Role.NONE, Role.VIEWER}),
    Role.PRODUCER: frozenset({Role.NONE, Role.VIEWER, Role.PRODUCER}),
    Role.WORKER: frozenset({Role.NONE, Role.VIEWER, Role.WORKER}),
    Role.OPERATOR: frozenset(Role) - {Role.ADMIN},
    Role.ADMIN: frozenset(Role),
}


class Reach(Enum):
    """What a request concerns: how it is judged when somebody is confined to some queues."""

    NOTHING = "nothing"  # no queue at all; or a lease, which its token proves
    NAMED = "named"  # what its fields name: `queue`, `task_id`, `task_ids`, `tasks`, `selector`
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
    ListWorkers: Rule(Role.VIEWER, Reach.WHOLE),
    GetStats: Rule(Role.VIEWER, Reach.WHOLE),
    Why: Rule(Role.VIEWER, Reach.NAMED),
    TakeStack: Rule(Role.VIEWER, Reach.NAMED),
    GetHistory: Rule(Role.VIEWER, Reach.WHOLE),
    GetWorker: Rule(Role.VIEWER, Reach.WHOLE),
    # producing
    Submit: Rule(Role.PRODUCER, Reach.NAMED),
    Wait: Rule(Role.PRODUCER, Reach.NAMED),
    Cancel: Rule(Role.PRODUCER, Reach.NAMED, is_audited=True),
    # running tasks: a connection that never said that it is a worker holds no lease, and gets none
    Fetch: Rule(Role.WORKER, Reach.NOTHING),
    Ack: Rule(Role.WORKER, Reach.NOTHING),
    Nack: Rule(Role.WORKER, Reach.NOTHING),
    Release: Rule(Role.WORKER, Reach.NOTHING),
    Extend: Rule(Role.WORKER, Reach.NOTHING),
    ReportProgress: Rule(Role.WORKER, Reach.NOTHING),
    StackTaken: Rule(Role.WORKER, Reach.NOTHING),
    CancelledByWorker: Rule(Role.WORKER, Reach.NOTHING),
    Heartbeat: Rule(Role.WORKER, Reach.NOTHING),
    WorkerDied: Rule(Role.WORKER, Reach.NOTHING),
    # operating
    PauseQueue: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    ResumeQueue: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    PurgeQueue: Rule(Role.OPERATOR, Reach.NAMED),
    RetryDead: Rule(Role.OPERATOR, Reach.WHOLE),
    PurgeDead: Rule(Role.OPERATOR, Reach.WHOLE),
    Resubmit: Rule(Role.OPERATOR, Reach.NAMED, is_audited=True),
    DrainWorker: Rule(Role.OPERATOR, Reach.WHOLE, is_audited=True),
    # operations: what one prepared, its token proves
    PrepareOperation: Rule(Role.OPERATOR, Reach.NAMED),
    CommitOperation: Rule(Role.OPERATOR, Reach.NOTHING, is_audited=True),
    ListOperations: Rule(Role.VIEWER, Reach.WHOLE),
    GetOperation: Rule(Role.VIEWER, Reach.WHOLE),
    CancelOperation: Rule(Role.OPERATOR, Reach.WHOLE, is_audited=True),
    UndoOperation: Rule(Role.OPERATOR, Reach.WHOLE, is_audited=True),
    # administering
    Backup: Rule(Role.ADMIN, Reach.WHOLE, is_audited=True),
}
"""Every request has its line; tests/model/test_roles.py fails for one that has not."""
