"""The broker as an `async` program sees it: bytes and names, one method for each thing that can be asked.

The methods are written down by subject, in the modules that the class is put together from.
"""

from msgspec.structs import replace

from tq.client.access import AsyncAccess
from tq.client.asking import Asking
from tq.client.dead import AsyncDead
from tq.client.insight import AsyncInsight
from tq.client.operations import AsyncOperations
from tq.client.queues import AsyncQueues
from tq.client.tasks import AsyncTasks
from tq.client.watching import AsyncWatching
from tq.client.workers import AsyncWorkers
from tq.model.commands import Backup, GetMetrics, GetStats
from tq.model.metrics import Metrics, together
from tq.model.replies import Affected, MetricsReply, StatsReply


class AsyncClient(
    AsyncTasks,
    AsyncQueues,
    AsyncDead,
    AsyncOperations,
    AsyncWorkers,
    AsyncInsight,
    AsyncWatching,
    AsyncAccess,
    Asking,
):
    """A client for one event loop. Connects when it is first used; `async with` connects at once, and closes.

    A lost connection is made again, and what was unanswered is asked again where that is safe: submits are (their
    ids are made here), and so is all that reads or that done twice is done once. What is not raises ConnectionLost.
    As many calls as one likes may be in flight at once; the client holds back what the broker would not take.

    Args:
        address: "host:port", "tcp://host:port", "tls://host:port", "unix:///path" or "ssh://user@host", or several,
            tried in turn; or the name of a profile. None: TQ_URL, or what the configuration says, or the socket of the
            local broker, or 127.0.0.1:6379.
        token: the credentials, if the broker asks for some; empty: those of the profile, if one is named, else those of
            TQ_TOKEN or of the file that TQ_TOKEN_FILE names.
        name: how the broker's log calls this client.
        role: no more than this is wanted, whatever one could be. `connect` says which it has become.
        acts_for: who is behind this program, if it serves several; the audit shows it as what the program says.
        connect_timeout: seconds for connecting to one address.
        reconnect_timeout: seconds for which a call goes on trying after a lost connection.
        can_ask: when it first connects, ssh may ask the person at the terminal, if there is one, for a passphrase or
            whether this is the right host.

    Every method that asks the broker raises ConnectFailed if nobody is there, and the errors that the broker answers.
    """

    async def stats(self) -> StatsReply:
        """The broker in numbers."""
        return await self._ask(GetStats(0), StatsReply)

    async def metrics(self, queues: int = 100) -> Metrics:
        """What monitoring wants to know: counters since the broker was made, and distributions since it started.

        Args:
            queues: 0 to 1,000 that are named; the others are counted together.
        """
        reply = await self._ask(GetMetrics(0, queues), MetricsReply)
        metrics = reply.metrics
        while reply.more_after:
            reply = await self._ask(GetMetrics(0, queues, reply.more_after), MetricsReply)
            metrics = replace(metrics, rest=together(metrics.rest, reply.metrics.rest))
        return metrics

    async def backup(self, directory: str) -> Affected:
        """A consistent copy of the data, while the broker runs.

        Args:
            directory: a new one, on the broker's machine.
        """
        return await self._ask(Backup(0, directory), Affected)
