"""Who waits for which task to end. In memory: a wait ends with the connection that asked."""

import heapq

import msgspec

from tq.model.errors import TimedOut, TooManyRequests
from tq.model.ids import format_id
from tq.model.replies import ErrorReply, OutcomeReply, Push, Reply
from tq.model.task import Outcome, State, TaskState


class _Waiter(msgspec.Struct, order=True):
    deadline_ms: int
    number: int
    session: int
    request_id: int
    task_id: bytes
    is_over: bool = False


def outcome_of(task_id: bytes, state: TaskState) -> Outcome:
    """How an ended task ended."""
    is_error = state.state is not State.COMPLETED and bool(state.history)
    return Outcome(
        id=task_id,
        state=state.state,
        result=state.result,
        content_type=state.content_type,
        reason=state.reason,
        error=state.history[-1] if is_error else None,
    )


class Waiters:
    """Waits by task, with one deadline each."""

    def __init__(self, waiters_max: int) -> None:
        self._max = waiters_max
        self._by_task: dict[bytes, list[_Waiter]] = {}
        self._by_session: dict[int, dict[int, list[_Waiter]]] = {}  # by request id, which may come twice
        self._deadlines: list[_Waiter] = []
        self._count = 0
        self._number = 0

    def __len__(self) -> int:
        return self._count

    def add(self, session: int, request_id: int, task_id: bytes, deadline_ms: int) -> None:
        """Wait until the task ends or the deadline comes.

        Raises:
            TooManyRequests: as many waits as there may be.
        """
        if self._count >= self._max:
            raise TooManyRequests(f"{self._count} waits for results are held already", hint="poll, or wait for fewer")
        self._number += 1
        waiter = _Waiter(deadline_ms, self._number, session, request_id, task_id)
        self._by_task.setdefault(task_id, []).append(waiter)
        self._by_session.setdefault(session, {}).setdefault(request_id, []).append(waiter)
        heapq.heappush(self._deadlines, waiter)
        self._count += 1

    def _end(self, waiter: _Waiter) -> None:
        waiter.is_over = True
        self._count -= 1
        of_session = self._by_session[waiter.session]
        of_request = of_session[waiter.request_id]
        of_request.remove(waiter)
        if not of_request:
            del of_session[waiter.request_id]
        if not of_session:
            del self._by_session[waiter.session]

    def answer(self, task_id: bytes, state: TaskState) -> list[tuple[int, Reply | Push]]:
        """The task has ended: the replies for all that wait for it."""
        waiting = self._by_task.pop(task_id, None)
        if not waiting:
            return []
        outcome = outcome_of(task_id, state)
        for waiter in waiting:
            self._end(waiter)
        return [(waiter.session, OutcomeReply(waiter.request_id, outcome)) for waiter in waiting]

    def expire(self, now_ms: int) -> list[tuple[int, Reply | Push]]:
        """The replies for waits whose time is over."""
        replies: list[tuple[int, Reply | Push]] = []
        while self._deadlines and (self._deadlines[0].is_over or self._deadlines[0].deadline_ms <= now_ms):
            waiter = heapq.heappop(self._deadlines)
            if waiter.is_over:
                continue
            replies.append(self._time_out(waiter, "has not ended yet"))
        return replies

    def give_up(self, session: int, request_id: int) -> list[tuple[int, Reply | Push]]:
        """The reply for a wait that is over because nobody wants to know any more; none if it does not wait."""
        waiting = self._by_session.get(session, {}).get(request_id, ())
        return [self._time_out(waiter, "is not waited for any more") for waiter in list(waiting)]

    def _time_out(self, waiter: _Waiter, why: str) -> tuple[int, Reply | Push]:
        self._forget(waiter)
        message = f"task {format_id(waiter.task_id)} {why}"
        return waiter.session, ErrorReply(waiter.request_id, TimedOut.code, message)

    def _forget(self, waiter: _Waiter) -> None:
        self._end(waiter)
        of_task = self._by_task[waiter.task_id]
        of_task.remove(waiter)
        if not of_task:
            del self._by_task[waiter.task_id]

    def disconnect(self, session: int) -> None:
        """The session is gone, and its waits with it."""
        for of_request in list(self._by_session.get(session, {}).values()):
            for waiter in list(of_request):
                self._forget(waiter)

    @property
    def next_deadline_ms(self) -> int | None:
        """When the first wait is over; may be of one that was answered."""
        # Answered waits would pile up under a later deadline: drop those that are on top, and all when they prevail.
        if len(self._deadlines) > 2 * self._count + 64:
            self._deadlines = [waiter for waiter in self._deadlines if not waiter.is_over]
            heapq.heapify(self._deadlines)
        return self._deadlines[0].deadline_ms if self._deadlines else None
