from typing import get_args

import pytest

from tq.model.commands import Request
from tq.model.identity import Role
from tq.model.roles import RULES, Reach

REQUESTS: tuple[type, ...] = get_args(Request)
NAMING = {"queue", "queues", "task_id", "task_ids", "tasks", "selector", "operation"}


@pytest.mark.parametrize("request_type", REQUESTS, ids=lambda kind: kind.__name__)
def test_every_request_has_its_line_in_the_table_of_roles(request_type: type) -> None:
    """A new request goes into tq/model/roles.py: what it needs is decided, never left open."""
    assert request_type in RULES


def test_the_table_has_no_line_for_what_is_no_request() -> None:
    assert set(RULES) == set(REQUESTS)


def test_only_the_greeting_needs_no_role() -> None:
    assert [kind.__name__ for kind, rule in RULES.items() if rule.role is Role.NONE] == ["Hello"]


@pytest.mark.parametrize("kind", [kind for kind, rule in RULES.items() if rule.reach is Reach.NAMED])
def test_a_request_judged_by_what_it_names_has_a_field_that_names_it(kind: type) -> None:
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    assert NAMING & set(fields)


@pytest.mark.parametrize("kind", [kind for kind, rule in RULES.items() if rule.reach is Reach.NOTHING])
def test_a_request_said_to_reach_nothing_names_no_queue_and_no_task(kind: type) -> None:
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    assert not NAMING & set(fields)


def test_whoever_may_only_look_may_not_change_anything() -> None:
    assert not [kind for kind, rule in RULES.items() if rule.is_audited and Role.VIEWER.may(rule.role)]


@pytest.mark.parametrize(
    ("role", "included"),
    [
        (Role.NONE, []),
        (Role.VIEWER, ["viewer"]),
        (Role.PRODUCER, ["viewer", "producer"]),
        (Role.WORKER, ["viewer", "worker"]),
        (Role.OPERATOR, ["viewer", "producer", "worker", "operator"]),
        (Role.ADMIN, ["viewer", "producer", "worker", "operator", "admin"]),
    ],
)
def test_a_role_includes_those_above_it_in_the_picture(role: Role, included: list[str]) -> None:
    assert [other.value for other in Role if other is not Role.NONE and role.may(other)] == included


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("limit", list(Role))
def test_a_role_within_another_may_what_both_may_and_no_more(role: Role, limit: Role) -> None:
    both = {needed for needed in Role if role.may(needed) and limit.may(needed)}

    assert {needed for needed in Role if role.within(limit).may(needed)} == both
