"""docs/operations.md is followed at night: every command on it must be one that this tq takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tq.cli.verbs import app

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
ID = "0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b"
_LINES = re.findall(r"^ {4}(?:\$ )?(tq .*)$", TEXT, re.MULTILINE)
_INNER = re.compile(r"\$\((tq [^)]*)\)")
COMMANDS = [*(_INNER.sub(ID, line) for line in _LINES), *(inner for line in _LINES for inner in _INNER.findall(line))]


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("line", dict.fromkeys(COMMANDS))
def test_every_command_of_the_page_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: Any = get_command(app)
    name = "tq"
    while hasattr(command, "commands"):
        context = command.make_context(name, list(words))
        found, inner, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None
        command, name = inner, found or ""

    command.make_context(name, list(words))  # raises for an option or an argument that there is not


def test_every_link_of_the_page_leads_somewhere() -> None:
    docs = Path(__file__).parents[2] / "docs"
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, heading = target.partition("#")
        text = (docs / file).read_text() if file else TEXT
        headings = {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)
        }
        assert not heading or heading in headings, target
