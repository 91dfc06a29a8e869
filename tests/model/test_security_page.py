"""docs/security.md shows the table of roles as the code has it."""

import re
from pathlib import Path

import pytest

from tq.model.identity import Role
from tq.model.roles import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()


def row(role: Role) -> str:
    kinds = sorted(kind.__name__ for kind, rule in RULES.items() if rule.role is role)
    return f"| {role.value} | {', '.join(f'`{kind}`' for kind in kinds)} |"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NONE])
def test_the_page_lists_the_requests_of_each_role(role: Role) -> None:
    """If this fails, the row in docs/security.md is to be the one expected here."""
    (found,) = re.findall(rf"^\| {role.value} \|.*\|$", PAGE, re.MULTILINE)

    assert found == row(role)
