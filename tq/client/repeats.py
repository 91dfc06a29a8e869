"""What may be sent again after a lost connection, and when."""

from collections.abc import Callable, Iterator
from random import Random
from typing import assert_never

from tq.model import commands
from tq.model.commands import Request

PAUSE_SECONDS_FIRST = 0.05
PAUSE_SECONDS_MAX = 2.0


def is_repeatable(request: Request) -> bool:
    """Whether the same request twice does what it does once. Ids make submits so, tokens what workers report."""
    match request:
        case commands.CancelOperation():
            return False  # the second would hear that it was cancelled already
        case commands.Backup():
            return False  # the first may have made the directory, which the second would find in its way
        case commands.RevokeToken():
            return False  # the second would find no such token
        case (
            commands.Fetch()
            | commands.Heartbeat()
            | commands.ReportProgress()
            | commands.ReportLog()
            | commands.StackTaken()
            | commands.Hello()
        ):
            return False  # they belong to one connection
        case commands.Watch() | commands.WatchCredit() | commands.Unwatch() | commands.Unwait():
            return False  # the same
        case (
            commands.Submit()
            | commands.GetTask()
            | commands.Wait()
            | commands.Cancel()
            | commands.ListTasks()
            | commands.Ack()
            | commands.Nack()
            | commands.Release()
            | commands.Extend()
            | commands.CancelledByWorker()
            | commands.WorkerDied()
            | commands.ListQueues()
            | commands.PauseQueue()
            | commands.ResumeQueue()
            | commands.Resubmit()
            | commands.GetSignature()
            | commands.ListGroups()
            | commands.ListWorkers()
            | commands.DrainWorker()
            | commands.GetStats()
            | commands.PrepareOperation()
            | commands.CommitOperation()
            | commands.ListOperations()
            | commands.GetOperation()
            | commands.UndoOperation()
            | commands.Why()
            | commands.GetHistory()
            | commands.GetWorker()
            | commands.TakeStack()
            | commands.GetLog()
            | commands.CreateToken()
            | commands.ListTokens()
            | commands.ListAudit()
            | commands.GetAttention()
            | commands.GetMetrics()
            | commands.ReportEdge()
        ):
            return True
        case _:
            assert_never(request)


def pauses(until: float, clock: Callable[[], float], random: Random) -> Iterator[float]:
    """Seconds to wait before each next try, with full jitter; ends when the clock is past `until`."""
    longest = PAUSE_SECONDS_FIRST
    while (left := until - clock()) > 0:
        yield min(random.uniform(0, longest), left)
        longest = min(2 * longest, PAUSE_SECONDS_MAX)
