"""Whether a task is one of those that a selector means."""

from collections.abc import Callable
from functools import lru_cache

from tq.engine.ledger import Record
from tq.model.matching import error_test, free_test, hex_test, number_test, text_test
from tq.model.selector import Field, HexTerm, NumberTerm, Selector, StateTerm, Term, TextTerm
from tq.model.task import State

RecordTest = Callable[[Record, int], bool]
"""Takes a task and the moment, ms since the epoch."""


@lru_cache(maxsize=64)
def record_test(selector: Selector) -> RecordTest:
    """The test of a selector, made once: a selector is asked of thousands of tasks."""
    tests = [_test_of(term) for term in selector.terms]
    if len(tests) == 1:
        return tests[0]
    return lambda record, now_ms: all(test(record, now_ms) for test in tests)


def _test_of(term: Term) -> RecordTest:
    match term:
        case StateTerm(states=states, is_inverted=is_inverted):
            return lambda record, _: (record.current in states) is not is_inverted
        case HexTerm(field=Field.ID):
            begins = hex_test(term)
            return lambda record, _: begins(record.id)
        case HexTerm():
            return _group_test(term)
        case NumberTerm(field=Field.AGE):
            is_age = number_test(term)
            return lambda record, now_ms: is_age(now_ms - counts_from_ms(record))
        case NumberTerm():
            holds = number_test(term)
            return lambda record, _: holds(attempts_of(record))
        case TextTerm():
            return _text_test(term)


def _group_test(term: HexTerm) -> RecordTest:
    # Only a dead letter is in a group: the fingerprint of one that runs again is history.
    begins, is_inverted = hex_test(term), term.is_inverted
    return lambda record, _: (
        begins(record.state.group) if record.current is State.DEAD_LETTER and record.state.group else is_inverted
    )


def _text_test(term: TextTerm) -> RecordTest:
    is_inverted = term.is_inverted
    match term.field:
        case None:
            found = free_test(term)
            return lambda record, _: found(record.stored.spec.task_type, *error_of(record))
        case Field.ERR:
            fits = error_test(term)
            return lambda record, _: fits(*error_of(record)) if record.state.history else is_inverted
        case _:
            return _name_test(term)


def _name_test(term: TextTerm) -> RecordTest:
    test, is_inverted = text_test(term), term.is_inverted
    match term.field:
        case Field.QUEUE:
            return lambda record, _: test(record.stored.spec.queue)
        case Field.TYPE:
            return lambda record, _: test(record.stored.spec.task_type)
        case Field.WORKER:
            return lambda record, _: test(worker_of(record))
        case Field.KEY:
            return lambda record, _: is_inverted if record.options.key is None else test(record.options.key)
        case Field.TAG if is_inverted:
            return lambda record, _: all(test(tag) for tag in record.options.tags)
        case Field.TAG:
            return lambda record, _: any(test(tag) for tag in record.options.tags)
        case _:
            raise AssertionError(term.field)


def counts_from_ms(record: Record) -> int:
    """The moment from which the age of a task counts: its end, or its submit where it has not ended."""
    return record.state.ended_at_ms or record.stored.submitted_at_ms


def attempts_of(record: Record) -> int:
    """The number of its current attempt, or of the last."""
    return record.lease.attempt if record.lease is not None else record.state.attempt


def worker_of(record: Record) -> str:
    """The name of the worker that has it, or had it last; empty if none did."""
    return record.lease.worker.hello.name if record.lease is not None else record.state.worker


def error_of(record: Record) -> tuple[str, str]:
    """Type and message of its latest failed attempt; empty where none failed."""
    history = record.state.history
    return (history[-1].error_type, history[-1].message) if history else ("", "")
