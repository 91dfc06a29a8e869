"""What the broker has not confirmed yet: outcomes of tasks, kept until a Settled answers them.

An outcome is sent, and sent again after every reconnect, until the broker says that it is on disk or that the lease is
no longer ours. No I/O here: `take` gives requests to send, and the caller reports how each was answered.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from tq.model.commands import BATCH_MAX, Ack, CancelledByWorker, Failure, LeaseRef, Nack, Release, Success
from tq.model.errors import PayloadTooLarge, TqError

REQUEST_BYTES_MAX = 1 << 20
"""Results and tracebacks in one request, unless a single one is larger."""
_ITEM_BYTES = 64  # what an outcome costs on the wire besides its texts


class HandedBack(msgspec.Struct, frozen=True, gc=False):
    """Not run, or not to its end: the task goes back, no attempt used, after `delay_ms` if that is not 0."""

    task_id: bytes
    token: int
    delay_ms: int = 0


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The handler ended because the task was cancelled."""

    task_id: bytes
    token: int


Outcome = Success | Failure | HandedBack | Stopped
Settlement = Ack | Nack | Release | CancelledByWorker
_T = TypeVar("_T", bound=Outcome)


class Outbox:
    """The outcomes not yet confirmed, by lease token.

    Attributes:
        result_bytes_max: a larger result is reported as a failure that no retry can help.
    """

    def __init__(self) -> None:
        self.result_bytes_max = 1 << 20
        self._unsettled: dict[int, Outcome] = {}
        self._waiting: list[Outcome] = []
        self._alone: set[int] = set()  # sent one by one, since a request that they were part of was refused
        self._replaced: set[int] = set()  # refused when alone, and replaced by a failure that says so

    def __len__(self) -> int:
        return len(self._unsettled)

    @property
    def has_waiting(self) -> bool:
        """Whether `take` would give something."""
        return bool(self._waiting)

    def add(self, outcome: Outcome) -> None:
        """A task ended."""
        self._unsettled[outcome.token] = outcome
        self._waiting.append(outcome)

    def held(self) -> list[LeaseRef]:
        """The leases whose outcomes are here."""
        return [LeaseRef(outcome.task_id, outcome.token) for outcome in self._unsettled.values()]

    def take(self, next_id: Callable[[], int]) -> list[Settlement]:
        """All that waits, as requests of bounded size."""
        waiting, self._waiting = self._waiting, []
        successes: list[Success] = []
        failures: list[Failure] = []
        stopped: list[Stopped] = []
        back: dict[int, list[HandedBack]] = {}
        for outcome in waiting:
            if type(outcome) is Success:
                if len(outcome.result) > self.result_bytes_max:
                    failure = self._replace(outcome, _too_large(outcome, self.result_bytes_max))
                    failures.append(failure)
                else:
                    successes.append(outcome)
            elif type(outcome) is Failure:
                failures.append(outcome)
            elif type(outcome) is HandedBack:
                back.setdefault(outcome.delay_ms, []).append(outcome)
            else:
                assert type(outcome) is Stopped
                stopped.append(outcome)
        requests: list[Settlement] = []
        requests += [Ack(next_id(), batch) for batch in self._batches(successes, _success_bytes)]
        requests += [Nack(next_id(), batch) for batch in self._batches(failures, _failure_bytes)]
        for delay_ms, some in back.items():
            requests += [Release(next_id(), _refs(batch), delay_ms) for batch in self._batches(some, _ref_bytes)]
        requests += [CancelledByWorker(next_id(), _refs(batch)) for batch in self._batches(stopped, _ref_bytes)]
        return requests

    def answered(self, request: Settlement) -> list[Outcome]:
        """The broker has these on disk, or says that they are lost: either way they are no longer ours."""
        tokens = tokens_of(request)
        gone = [self._unsettled.pop(token, None) for token in tokens]
        if self._alone:
            self._alone.difference_update(tokens)
            self._replaced.difference_update(tokens)
        return [outcome for outcome in gone if outcome is not None]

    def unanswered(self, request: Settlement) -> None:
        """The answer did not come, or was that the broker cannot do it now: these wait to be sent again."""
        self._waiting += [self._unsettled[token] for token in tokens_of(request) if token in self._unsettled]

    def refused(self, request: Settlement, error: TqError) -> list[Outcome]:
        """The broker will never take this request: find the outcome that is to blame, and report it as a failure.

        Returns:
            The outcomes given up: failures that were refused in turn. Their leases end when the broker overrules them.
        """
        tokens = tokens_of(request)
        if len(tokens) > 1:
            self._alone.update(tokens)
            self.unanswered(request)
            return []
        given_up: list[Outcome] = []
        for token in tokens:
            outcome = self._unsettled.get(token)
            if outcome is None:
                continue
            self._alone.add(token)
            if token in self._replaced:
                given_up += self.answered(request)
            else:
                self._replaced.add(token)
                failure = Failure(
                    outcome.task_id, token, error.code, f"the broker refused the outcome: {error}", is_final=True
                )
                self._waiting.append(self._replace(outcome, failure))
        return given_up

    def reconnected(self, lost: set[bytes]) -> int:
        """All that is unsettled waits again, except for the leases lost meanwhile; how many those were."""
        gone = [token for token, outcome in self._unsettled.items() if outcome.task_id in lost]
        for token in gone:
            del self._unsettled[token]
        self._waiting = list(self._unsettled.values())
        return len(gone)

    def _replace(self, outcome: Outcome, failure: Failure) -> Failure:
        self._unsettled[outcome.token] = failure
        return failure

    def _batches(self, outcomes: list[_T], size: Callable[[_T], int]) -> Iterator[list[_T]]:
        """Cut into requests: BATCH_MAX outcomes and REQUEST_BYTES_MAX at most, and alone those that have to be."""
        if len(outcomes) <= BATCH_MAX and not self._alone and sum(map(size, outcomes)) <= REQUEST_BYTES_MAX:
            if outcomes:
                yield outcomes
            return
        batch: list[_T] = []
        batch_bytes = 0
        for outcome in outcomes:
            if outcome.token in self._alone:
                yield [outcome]
                continue
            item_bytes = size(outcome)
            if batch and (len(batch) == BATCH_MAX or batch_bytes + item_bytes > REQUEST_BYTES_MAX):
                yield batch
                batch, batch_bytes = [], 0
            batch.append(outcome)
            batch_bytes += item_bytes
        if batch:
            yield batch


def tokens_of(request: Settlement) -> list[int]:
    """The lease tokens that a request settles."""
    if type(request) is Ack:
        return [success.token for success in request.successes]
    if type(request) is Nack:
        return [failure.token for failure in request.failures]
    assert isinstance(request, (Release, CancelledByWorker))
    return [lease.token for lease in request.leases]


def _refs(outcomes: list[HandedBack] | list[Stopped]) -> list[LeaseRef]:
    return [LeaseRef(outcome.task_id, outcome.token) for outcome in outcomes]


def _success_bytes(success: Success) -> int:
    return len(success.result) + _ITEM_BYTES


def _failure_bytes(failure: Failure) -> int:
    return 4 * (len(failure.traceback) + len(failure.message)) + _ITEM_BYTES


def _ref_bytes(outcome: HandedBack | Stopped) -> int:
    return len(outcome.task_id)


def _too_large(success: Success, bytes_max: int) -> Failure:
    return Failure(
        success.task_id,
        success.token,
        PayloadTooLarge.__name__,
        f"the result has {len(success.result)} bytes; the limit is {bytes_max}"
        " (store it elsewhere and return a reference, or raise broker.max_payload_bytes)",
        is_final=True,
    )
