"""Selectors find what a plain filter over all tasks finds, through whichever index, in order, and bit by bit."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.rig import DAY, HOUR, MINUTE, Rig, id_of, number_of, task
from tq.engine.bounds import Bounds
from tq.engine.ledger import Ledger, Record
from tq.engine.plans import Plan
from tq.engine.selecting import ScanStep, check_queues, exact_count, matches, plan_scan, scan
from tq.model.commands import Cancel, Fetch, Order
from tq.model.errors import InvalidArgument, QueueNotFound
from tq.model.fingerprint import fingerprint
from tq.model.ids import format_id
from tq.model.replies import Affected
from tq.model.selector import Selector, parse
from tq.model.task import HIGH, LOW, NORMAL, State, TaskOptions, TaskView

QUEUES = ("mail", "mail2", "sms", "a b")
TYPES = ("send_mail", "resize", "shop.Report")
TAGS = ("nightly", "eu", "EU")
ERRORS = (
    ("httpx.ConnectTimeout", "no answer from 10.0.0.7"),
    ("ValueError", "bad: line\nbreak"),
    ("connecttimeout", ""),
    ("KeyError", "'user'"),
)


class Facts(NamedTuple):
    """A task as it is shown, and what its producer said."""

    view: TaskView
    options: TaskOptions
    age_ms: int


def spec_of(number: int) -> TaskOptions:
    return TaskOptions(
        key=f"order-{number // 2}" if number % 3 == 0 else None,
        tags=tuple(tag for place, tag in enumerate(TAGS) if number >> place & 1),
        delay_ms=HOUR if number % 7 == 6 else 0,
        result_ttl_ms=DAY,
    )


@cache
def shop() -> tuple[Rig, dict[bytes, Facts]]:
    """Eighty tasks of four queues in every state, over an hour and a half."""
    rig = Rig(bounds=Bounds(window_max=4, refill=2))
    workers = [rig.worker(name, types=TYPES) for name in ("ip-10-0", "ip-11-1")]
    options = {number: spec_of(number) for number in range(1, 81)}
    for number in range(1, 81):
        priority = (LOW, NORMAL, HIGH)[number % 3]
        kind, queue = TYPES[number * 5 % 3], QUEUES[number % 4]
        rig.submit(task(number * 7919 % 997, task_type=kind, queue=queue, priority=priority, options=options[number]))
        rig.now_ms += MINUTE
        if number % 2:
            continue
        worker = workers[number % 4 // 2]
        for delivery in worker.fetch(1):
            kind, message = ERRORS[number // 2 % 4]
            match number % 10:
                case 0:
                    worker.ack(delivery)
                case 2 | 4:
                    worker.nack(delivery, error_type=kind, message=message, is_final=True)
                case 6:
                    worker.nack(delivery, error_type=kind, message=message, retry_in_ms=0)
                    rig.turn()
                    for again in worker.fetch(1):
                        worker.nack(again, error_type=kind, message=message, retry_in_ms=HOUR)
    rig.ask(Cancel(1, [id_of(number * 7919 % 997) for number in (63, 65, 78)]), Affected)
    for worker in workers:
        worker.step(Fetch(0, 0, seen=0))
        for delivery in worker.fetch(1):
            assert number_of(delivery)
    found = {}
    for number in range(1, 81):
        view = rig.view(number * 7919 % 997)
        found[view.id] = Facts(view, options[number], rig.now_ms - (view.ended_at_ms or view.submitted_at_ms))
    assert {facts.view.state for facts in found.values()} == set(State), "the shop has every state"
    return rig, found


def ledger_of(rig: Rig) -> Ledger:
    return rig.engine._ledger


Predicate = Callable[[Facts], bool]


def keys_of(facts: Facts) -> list[str]:
    return [facts.options.key] if facts.options.key is not None else []


def error_of(facts: Facts) -> tuple[str, str]:
    history = facts.view.history
    return (history[-1].error_type, history[-1].message) if history else ("", "")


def line_of(facts: Facts) -> str:
    kind, message = error_of(facts)
    return f"{kind}: {message}" if message else kind


def is_error(facts: Facts, pattern: str) -> bool:
    if not facts.view.history:
        return False
    kind, _ = error_of(facts)
    candidates = [kind, kind.split(".")[-1]] + ([line_of(facts)] if set(pattern) & set("*?") else [])
    return any(fnmatchcase(candidate.lower(), pattern.lower()) for candidate in candidates)


def names(
    field: str, patterns: list[str], get: Callable[[Facts], list[str]]
) -> st.SearchStrategy[tuple[str, Predicate]]:
    """A term of this field and the same in Python."""

    def made(chosen: list[str]) -> tuple[str, Predicate]:
        text = ",".join(f'"{each}"' if " " in each and "*" not in each else each for each in chosen)
        return f"{field}:{text}", lambda facts: any(
            fnmatchcase(name, pattern) for name in get(facts) for pattern in chosen
        )

    return st.lists(st.sampled_from(patterns), min_size=1, max_size=2).map(made)


def compared(
    field: str, values: list[tuple[str, int]], get: Callable[[Facts], int]
) -> st.SearchStrategy[tuple[str, Predicate]]:
    operators: dict[str, Callable[[int, int], bool]] = {
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
    }
    return st.tuples(st.sampled_from(list(operators)), st.sampled_from(values)).map(
        lambda drawn: (f"{field}:{drawn[0]}{drawn[1][0]}", lambda facts: operators[drawn[0]](get(facts), drawn[1][1]))
    )


def of_states(states: list[State]) -> tuple[str, Predicate]:
    return f"state:{','.join(states)}", lambda facts: facts.view.state in states


def of_errors(pattern: str) -> tuple[str, Predicate]:
    return f"err:{pattern}", lambda facts: is_error(facts, pattern)


def of_text(text: str) -> tuple[str, Predicate]:
    return text, lambda facts: text in facts.view.task_type.lower() or text in line_of(facts).lower()


def of_id(drawn: tuple[int, int]) -> tuple[str, Predicate]:
    shown = format_id(id_of(drawn[0] * 7919 % 997))[: drawn[1]]
    return f"id:{shown}", lambda facts: format_id(facts.view.id).startswith(shown)


def group_of(facts: Facts) -> str:
    """The fingerprint of a dead letter, in hex; empty for others."""
    if facts.view.state is not State.DEAD_LETTER:
        return ""
    return fingerprint(*error_of(facts), "").group.hex()


def of_group(drawn: tuple[tuple[str, str], int]) -> tuple[str, Predicate]:
    digits = fingerprint(*drawn[0], "").group.hex()[: drawn[1]]
    return f"group:{digits}", lambda facts: group_of(facts).startswith(digits)


terms: st.SearchStrategy[tuple[str, Predicate]] = st.one_of(
    names("queue", [*QUEUES, "mail*", "*2", "?ms", "none", "*"], lambda facts: [facts.view.queue]),
    names("type", [*TYPES, "send_*", "*.*"], lambda facts: [facts.view.task_type]),
    names("worker", ["ip-10-0", "ip-1*", "ip-1?-1"], lambda facts: [facts.view.worker]),
    names("tag", [*TAGS, "n*", "?U"], lambda facts: list(facts.options.tags)),
    names("key", ["order-12", "order-1*", "order-3?", "order-30"], keys_of),
    st.lists(st.sampled_from(State), min_size=1, max_size=3).map(of_states),
    st.sampled_from(
        ["ConnectTimeout", "httpx.connecttimeout", "ValueError", "*timeout*", "key*", "*10.0.?.7", "timeout", "*:*line"]
    ).map(of_errors),
    st.tuples(st.sampled_from(ERRORS), st.sampled_from([1, 4, 16])).map(of_group),
    st.sampled_from(["timeout", "send", "report", "10.0", "line", "nothing"]).map(of_text),
    st.tuples(st.integers(1, 80), st.sampled_from([1, 20, 33, 34, 35, 36])).map(of_id),
    compared("age", [("0", 0), ("10m", 10 * MINUTE), ("45m", 45 * MINUTE), ("1h", HOUR)], lambda facts: facts.age_ms),
    compared("attempts", [("0", 0), ("1", 1), ("2", 2)], lambda facts: facts.view.attempt),
)  # fmt: skip


def walk(ledger: Ledger, plan: Plan, rows_max: int, found_max: int, now_ms: int) -> list[Record]:
    """All steps of a scan."""
    found: list[Record] = []
    cursor = b""
    for _ in range(5_000):
        step = scan(ledger, plan, cursor, rows_max, found_max, now_ms)
        assert len(step.records) <= found_max
        assert step.examined <= rows_max
        found += step.records
        cursor = step.cursor
        if not cursor:
            return found
    raise AssertionError("a scan without an end")


def sort_key(record: Record, order: Order, *, is_dead: bool) -> object:
    match order:
        case Order.QUEUE:
            return record.stored.spec.queue
        case Order.AGE if is_dead:
            return (record.state.ended_at_ms, record.id)
        case _:
            return record.id


@given(
    chosen=st.lists(st.tuples(terms, st.booleans()), max_size=3),
    order=st.sampled_from(Order),
    is_descending=st.booleans(),
    rows_max=st.sampled_from([1, 2, 7, 1_000]),
    found_max=st.sampled_from([1, 3, 1_000]),
)
def test_a_selector_finds_what_a_plain_filter_finds(
    chosen: list[tuple[tuple[str, Predicate], bool]], order: Order, is_descending: bool, rows_max: int, found_max: int
) -> None:
    rig, facts = shop()
    selector = parse(" ".join(f"{'-' if is_inverted else ''}{text}" for (text, _), is_inverted in chosen))
    wanted = {
        task_id
        for task_id, each in facts.items()
        if all(predicate(each) is not is_inverted for (_, predicate), is_inverted in chosen)
    }
    ledger = ledger_of(rig)

    plan = plan_scan(ledger, selector, order, is_descending, as_of=0)
    found = walk(ledger, plan, rows_max, found_max, rig.now_ms)

    ids = [record.id for record in found]
    assert len(ids) == len(set(ids)), "each once"
    assert set(ids) == wanted, selector.text
    assert {record.id for record in found if matches(selector, record, rig.now_ms)} == wanted
    if order is not Order.ANY:
        is_dead = {record.current for record in found} == {State.DEAD_LETTER} and "state:dead_letter" in selector.text
        if order is not Order.AGE or is_dead or not found:
            keys = [sort_key(record, order, is_dead=is_dead) for record in found]
            assert keys == sorted(keys, reverse=is_descending ^ (order is Order.AGE)), f"{order}: {selector.text}"  # type: ignore[type-var]
    counts = exact_count(ledger, selector)
    if counts is not None:
        assert counts == {
            queue: count for queue in QUEUES if (count := sum(facts[each].view.queue == queue for each in ids))
        }


@pytest.mark.parametrize(
    ("text", "is_exact"),
    [
        ("", True),
        ("state:dead_letter", True),
        ("-state:completed queue:mail*", True),
        ("state:pending -queue:sms", True),
        ("type:resize", False),
        ("age:>1h", False),
        ("state:dead_letter timeout", False),
        ("state:dead_letter err:ValueError,httpx.connecttimeout queue:mail", True),
        ("state:dead_letter -err:ValueError", True),
        ("err:ValueError", False),
        ("state:dead_letter err:Value*", False),
        ("group:0123", True),
        ("-group:0123", False),
        ("-group:0123 state:dead_letter", True),
    ],
)
def test_counters_alone_tell_how_many_where_only_states_and_queues_are_asked_for(text: str, is_exact: bool) -> None:
    rig, _ = shop()

    assert (exact_count(ledger_of(rig), parse(text)) is not None) is is_exact


def steps(rig: Rig, selector: Selector, order: Order = Order.ANY, as_of: int = 0, rows_max: int = 1_000) -> ScanStep:
    ledger = ledger_of(rig)
    return scan(ledger, plan_scan(ledger, selector, order, False, as_of), b"", rows_max, 1_000, rig.now_ms)


@pytest.mark.parametrize(
    ("text", "order", "others_max"),
    [
        ("id:{id}", Order.ANY, 1),
        ("id:{id} state:completed", Order.QUEUE, 1),
        ("key:order-12", Order.ANY, 2),
        ("key:order-12 queue:mail", Order.AGE, 1),
        ("state:dead_letter", Order.ANY, len(QUEUES)),
        ("state:dead_letter queue:mail", Order.AGE, 1),
        ("state:dead_letter queue:mail*", Order.AGE, 1),
        ("state:dead_letter err:ValueError", Order.ANY, 1),
        ("state:dead_letter err:connecttimeout", Order.AGE, 1),
        ("state:dead_letter", Order.AGE, 1),
        ("state:dead_letter", Order.ID, 1),
        ("state:dead_letter id:0", Order.ANY, 1),
        ("group:{group}", Order.ANY, 1),
        ("group:{group}", Order.AGE, 1),
        ("group:{none}", Order.AGE, 1),
        ("state:in_progress", Order.ID, 1),
        ("state:failed,pending", Order.ANY, 30),
        ("queue:none", Order.ANY, 0),
        ("state:dead_letter state:failed", Order.ANY, 0),
    ],
)
def test_a_selector_reads_the_smallest_index_that_holds_its_tasks(text: str, order: Order, others_max: int) -> None:
    rig, facts = shop()
    some = next(task_id for task_id, each in facts.items() if each.view.state is State.COMPLETED)

    group = fingerprint(*ERRORS[1], "").group.hex()
    step = steps(rig, parse(text.format(id=format_id(some), group=group, none="f" * 16)), order)

    assert step.examined <= len(step.records) + others_max, "a segment costs one more"


def test_dead_letters_of_an_age_are_found_without_reading_the_younger_ones() -> None:
    rig, facts = shop()
    dead = [each.age_ms for each in facts.values() if each.view.state is State.DEAD_LETTER]
    old = sum(age_ms > HOUR for age_ms in dead)

    step = steps(rig, parse("state:dead_letter age:>1h"), Order.AGE)

    assert (len(step.records), step.examined - 1) == (old, old)
    assert 0 < old < len(dead)


def test_a_step_looks_at_no_more_rows_than_it_may() -> None:
    rig, _ = shop()

    step = steps(rig, parse("tag:none"), rows_max=9)

    assert (step.records, step.examined) == ([], 9)
    assert step.cursor


def test_a_selector_that_searches_for_much_looks_at_fewer_rows_in_a_step() -> None:
    rig, _ = shop()

    few, many = (steps(rig, parse(f"-{','.join(['no'] * count)}"), Order.ID, rows_max=60).examined for count in (1, 39))

    assert (few, many) == (60, 3)


def test_what_comes_to_its_place_after_the_freeze_is_not_in_the_set() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1), task(2), task(3, options=TaskOptions(delay_ms=HOUR)))
    worker.nack(worker.fetch_one(), is_final=True)
    frozen = ledger_of(rig).meta.next_sequence
    worker.nack(worker.fetch_one(), is_final=True)
    rig.submit(task(4))

    selector = parse("")
    assert [record.id for record in steps(rig, selector, Order.ID, frozen).records] == [id_of(1), id_of(3)]
    assert len(steps(rig, selector, Order.ID).records) == 4


def test_tasks_that_come_and_go_between_two_steps_do_not_disturb_the_others() -> None:
    rig = Rig()
    rig.submit(*(task(number, queue=f"q{number}") for number in (1, 3, 5)))
    ledger = ledger_of(rig)
    selector = parse("state:pending")

    def step(cursor: bytes) -> ScanStep:
        plan = plan_scan(ledger, selector, Order.QUEUE, False, 0)
        return scan(ledger, plan, cursor, 1_000, 1, rig.now_ms)

    first = step(b"")
    rig.submit(task(0, queue="q0"), task(4, queue="q4"))
    rig.ask(Cancel(1, [id_of(3)]), Affected)
    second = step(first.cursor)
    third = step(second.cursor)

    assert [record.id for each in (first, second, third) for record in each.records] == [id_of(1), id_of(4), id_of(5)]


@pytest.mark.parametrize("cursor", [b"\x05ab", b"\xff", b"\x01"])
def test_a_cursor_that_no_step_gave_is_refused(cursor: bytes) -> None:
    rig, _ = shop()
    ledger = ledger_of(rig)
    plan = plan_scan(ledger, parse(""), Order.ID, False, 0)

    with pytest.raises(InvalidArgument, match="cursor"):
        scan(ledger, plan, cursor, 10, 10, rig.now_ms)


@given(cursor=st.binary(max_size=40), order=st.sampled_from(Order), is_descending=st.booleans())
def test_no_cursor_breaks_a_scan(cursor: bytes, order: Order, is_descending: bool) -> None:
    rig, facts = shop()
    ledger = ledger_of(rig)
    plan = plan_scan(ledger, parse("state:pending,failed,dead_letter"), order, is_descending, 0)

    try:
        step = scan(ledger, plan, cursor, 1_000, 1_000, rig.now_ms)
    except InvalidArgument:
        return
    assert {record.id for record in step.records} <= facts.keys()


def test_a_queue_named_in_full_must_exist_and_a_pattern_need_not_match() -> None:
    rig, _ = shop()
    ledger = ledger_of(rig)

    check_queues(ledger, parse("queue:mail,sms queue:none* -queue:nobody"))
    with pytest.raises(QueueNotFound, match="mial"):
        check_queues(ledger, parse("queue:mail,mial"))
