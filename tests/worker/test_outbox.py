"""Outcomes are kept until the broker confirms them, and travel in requests that it can take."""

import itertools

from tq.model.commands import BATCH_MAX, Ack, CancelledByWorker, Failure, Nack, Release, Success
from tq.model.errors import InvalidArgument
from tq.worker.outbox import REQUEST_BYTES_MAX, HandedBack, Outbox, Outcome, Settlement, Stopped, tokens_of


def _id(token: int) -> bytes:
    return token.to_bytes(16, "big")


def _success(token: int, size: int = 0) -> Success:
    return Success(_id(token), token, bytes(size))


def _outbox(*outcomes: Outcome) -> Outbox:
    outbox = Outbox()
    for outcome in outcomes:
        outbox.add(outcome)
    return outbox


def _take(outbox: Outbox) -> list[Settlement]:
    return outbox.take(itertools.count(1).__next__)


def test_each_kind_of_outcome_has_its_request() -> None:
    outbox = _outbox(
        _success(1), Failure(_id(2), 2), HandedBack(_id(3), 3), HandedBack(_id(4), 4, 500), Stopped(_id(5), 5)
    )

    requests = _take(outbox)

    assert [type(one) for one in requests] == [Ack, Nack, Release, Release, CancelledByWorker]
    assert [tokens_of(one) for one in requests] == [[1], [2], [3], [4], [5]]
    assert [one.delay_ms for one in requests if isinstance(one, Release)] == [0, 500]
    assert [one.request_id for one in requests] == [1, 2, 3, 4, 5]


def test_it_is_held_until_it_is_answered() -> None:
    outbox = _outbox(_success(1), _success(2))

    (request,) = _take(outbox)

    assert not outbox.has_waiting
    assert [ref.token for ref in outbox.held()] == [1, 2]
    outbox.answered(request)
    assert len(outbox) == 0


def test_an_unanswered_request_is_sent_again() -> None:
    outbox = _outbox(_success(1))
    (request,) = _take(outbox)

    outbox.unanswered(request)

    assert tokens_of(_take(outbox)[0]) == [1]


def test_after_a_reconnect_everything_waits_again_but_what_was_lost() -> None:
    outbox = _outbox(_success(1), _success(2), Failure(_id(3), 3))
    _take(outbox)

    dropped = outbox.reconnected({_id(2)})

    assert dropped == 1
    assert sorted(token for one in _take(outbox) for token in tokens_of(one)) == [1, 3]


def test_requests_keep_to_the_batch_limit() -> None:
    outbox = _outbox(*(_success(token) for token in range(1, 2 * BATCH_MAX + 2)))

    assert [len(tokens_of(one)) for one in _take(outbox)] == [BATCH_MAX, BATCH_MAX, 1]


def test_requests_keep_to_a_number_of_bytes_unless_one_alone_is_larger() -> None:
    outbox = _outbox(_success(1, 100), _success(2, REQUEST_BYTES_MAX), _success(3, REQUEST_BYTES_MAX - 1_000))

    assert [tokens_of(one) for one in _take(outbox)] == [[1], [2], [3]]


def test_a_result_above_the_limit_becomes_a_failure_that_says_so() -> None:
    outbox = _outbox(_success(1, 11), _success(2, 10))
    outbox.result_bytes_max = 10

    requests = _take(outbox)

    nack = next(one for one in requests if isinstance(one, Nack))
    assert nack.failures[0].is_final
    assert "11 bytes; the limit is 10" in nack.failures[0].message
    assert tokens_of(next(one for one in requests if isinstance(one, Ack))) == [2]


def test_a_refused_request_is_split_until_the_one_to_blame_is_alone() -> None:
    outbox = _outbox(_success(1), _success(2), _success(3))
    (request,) = _take(outbox)

    assert outbox.refused(request, InvalidArgument("no")) == []
    assert [tokens_of(one) for one in _take(outbox)] == [[1], [2], [3]]


def test_an_outcome_refused_alone_becomes_a_failure_and_a_refused_one_of_those_is_given_up() -> None:
    outbox = _outbox(_success(1))
    (request,) = _take(outbox)

    assert outbox.refused(request, InvalidArgument("no")) == []
    (nack,) = _take(outbox)
    assert isinstance(nack, Nack)
    assert nack.failures[0].error_type == "INVALID_ARGUMENT"

    given_up = outbox.refused(nack, InvalidArgument("no"))

    assert [outcome.token for outcome in given_up] == [1]
    assert len(outbox) == 0


def test_a_refusal_of_what_is_settled_already_is_nothing() -> None:
    outbox = _outbox(_success(1))
    (request,) = _take(outbox)
    outbox.answered(request)

    assert outbox.refused(request, InvalidArgument("no")) == []
    assert not outbox.has_waiting
