"""Where a running handler is: the broker asks its worker, and passes on what that says. In memory: a question ends
with its answer, its time, or the connection of either side."""

import msgspec

from tq.model.errors import TimedOut, TooManyRequests, WrongState
from tq.model.ids import format_id
from tq.model.replies import ErrorReply, Push, Reply

STACK_MS = 5_000
"""How long a worker may take for an answer."""
STACKS_MAX = 100
"""Questions that are open at once: each is a little work for a worker that is perhaps in trouble."""


class Question(msgspec.Struct):
    """Who asks where which task is, and which worker was asked."""

    session: int
    request_id: int
    task_id: bytes
    attempt: int
    worker: str
    host: str
    pid: int
    worker_session: int
    deadline_ms: int


class Stacks:
    """The questions that are open, by their numbers."""

    def __init__(self) -> None:
        self._questions: dict[int, Question] = {}
        self._number = 0

    def add(self, question: Question) -> int:
        """Open a question; its number.

        Raises:
            TooManyRequests: as many are open as there may be.
        """
        if len(self._questions) >= STACKS_MAX:
            raise TooManyRequests(f"{STACKS_MAX} stacks are being taken already", hint="try again in a few seconds")
        self._number += 1
        self._questions[self._number] = question
        return self._number

    def pop(self, number: int, worker_session: int) -> Question | None:
        """Close a question that this worker was asked; None if there is none such, or no longer."""
        question = self._questions.get(number)
        if question is None or question.worker_session != worker_session:
            return None
        return self._questions.pop(number)

    def expire(self, now_ms: int) -> list[tuple[int, Reply | Push]]:
        """The replies to questions whose time is over."""
        over = [number for number, question in self._questions.items() if question.deadline_ms <= now_ms]
        return [_refusal(self._questions.pop(number), TimedOut.code, "did not answer in time") for number in over]

    def disconnect(self, session: int) -> list[tuple[int, Reply | Push]]:
        """A connection ended: what it asked is dropped, and what it was asked is answered with that."""
        concerned = {
            number: question
            for number, question in self._questions.items()
            if session in (question.session, question.worker_session)
        }
        for number in concerned:
            del self._questions[number]
        asked = [question for question in concerned.values() if question.session != session]
        return [_refusal(question, WrongState.code, "lost its connection meanwhile") for question in asked]

    @property
    def next_deadline_ms(self) -> int | None:
        """When the time of the first question is over."""
        return min((question.deadline_ms for question in self._questions.values()), default=None)


def _refusal(question: Question, code: str, what: str) -> tuple[int, Reply | Push]:
    hint = (
        f"a handler may hold the interpreter in code that is not Python; on {question.host}: "
        f"py-spy dump --native --pid {question.pid}"
        if code == TimedOut.code
        else f"tq why {format_id(question.task_id)}"
    )
    message = f"worker {question.worker!r} {what}"
    return question.session, ErrorReply(question.request_id, code, message, hint)
