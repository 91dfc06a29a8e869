"""Requests that are not the engine's alone: greetings and backups, what may have a long answer, and what is refused,
to this session or as things stand. All others the loop hands to the engine itself."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from tq.model.commands import Backup, CreateToken, GetMetrics, Hello, ReportEdge, RevokeToken, Wait, Watch
from tq.model.errors import AccessDenied, DiskFull, TqError
from tq.model.metrics import EdgeMetrics
from tq.model.replies import Affected, ErrorReply, MetricsReply, Reply, StatsReply, WhyReply
from tq.model.roles import check_role, direct_requests
from tq.protocol.codec import encode_frame, to_reply
from tq.server.admission import READS, SILENT, Condition, explain_condition, refusals
from tq.server.backups import Backups
from tq.server.greeting import Greeting
from tq.server.ports import Core, Session, Taken
from tq.server.vitals import Vitals
from tq.storage.store import Store

_MAY_BE_LARGE = READS | {Wait}
_OWN = _MAY_BE_LARGE | {Hello, Backup, CreateToken, RevokeToken, ErrorReply, ReportEdge}


EDGES = {"edge:rest": "rest", "edge:grpc": "grpc"}
"""Edges by the name that the gate gives to what they ask for on their own account."""


class Handling:
    """Does these requests, and knows which they are.

    Args:
        sessions: the connections that are there, by number; kept by the loop.
        on_access_changed: called when a token was made or revoked, before the answer leaves.
    """

    def __init__(
        self,
        *,
        store: Store,
        greeting: Greeting,
        backups: Backups,
        vitals: Vitals,
        sessions: Mapping[int, Session],
        on_access_changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._greeting = greeting
        self._backups = backups
        self._vitals = vitals
        self._sessions = sessions
        self._on_access_changed = on_access_changed
        self.answer_bytes = 0
        """Bytes of answers to reads since somebody set it to zero."""
        self.enter(Condition.SERVING)

    def enter(self, condition: Condition) -> None:
        """The broker is like this from now on."""
        self.condition = condition
        self._refusals: dict[type, TqError] = refusals(condition)
        self.direct = direct_requests(_OWN | self._refusals.keys())
        """The kinds of request that need none of this, by role and by whether it is confined to some queues."""

    def handle(self, core: Core, session: Session, request: Taken, now_ms: int) -> Reply | None:
        """The answer to one request; None if it has none, or not yet.

        Raises:
            TqError: it is refused.
        """
        if isinstance(request, ErrorReply):
            return request
        access = session.access
        if not isinstance(request, Hello):
            try:
                check_role(access.actor, access.role, type(request))
            except AccessDenied:
                if type(request) in SILENT:
                    return None
                raise
        refusal = self._refusals.get(type(request))
        if refusal is not None:
            return None if type(request) in SILENT else to_reply(request.request_id, refusal)
        if isinstance(request, Hello):
            if request.worker is not None and not self.condition.is_writable:
                raise DiskFull(self.condition.value, hint="workers are taken again once there is space")
            return self._greeting.answer(core, session, request, now_ms)
        if isinstance(request, Backup):
            self._backups.start(session.session_id, request, self._store)
            core.step(session.session_id, request, now_ms)  # which notes who asked
            return None
        if session.session_id not in self._sessions and type(request) in READS:
            return None  # nobody is there to read the answer
        if isinstance(request, ReportEdge):
            return self._note_edge(session, request)
        if isinstance(request, Watch):
            session.gets_pushes = True
        step = core.step_confined if access.is_confined else core.step
        reply = step(session.session_id, request, now_ms)
        if isinstance(request, CreateToken | RevokeToken):
            self._on_access_changed()
        return self._completed(request, reply)

    def _note_edge(self, session: Session, request: ReportEdge) -> Reply:
        name = session.access.actor.name
        if name not in EDGES:
            raise AccessDenied(f"{name} is no edge of this broker", hint="a client has nothing to report")
        edge = EDGES[name]
        self._vitals.edges[edge] = EdgeMetrics(
            edge=edge,
            started_at_ms=request.started_at_ms,
            rss_bytes=request.rss_bytes,
            cpu_ms=request.cpu_ms,
            in_progress=request.in_progress,
            requests=request.requests,
        )
        return Affected(request.request_id, 1)

    def _completed(self, request: Taken, reply: Reply | None) -> Reply | None:
        """With what the engine cannot know; counted if it may be long."""
        if isinstance(reply, StatsReply):
            return replace(reply, process=self._vitals.process_stats(len(self._sessions)))
        if isinstance(reply, MetricsReply):
            process = self._vitals.process_metrics(len(self._sessions), self._greeting.denied_total)
            edges = [] if isinstance(request, GetMetrics) and request.after else self._vitals.edge_metrics()
            reply = replace(reply, metrics=replace(reply.metrics, process=process, edges=edges))
        if isinstance(reply, WhyReply):
            reply = explain_condition(reply, self.condition)
        if reply is not None and type(request) in _MAY_BE_LARGE:
            self.answer_bytes += len(encode_frame(reply))
        return reply
