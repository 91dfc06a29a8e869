"""docs/logs.md lists what tq logs: each event, its level and its facts, by the process that writes it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logs.md").read_text()
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
SECTIONS = {
    "Broker": ["tq/server", "tq/config", "tq/protocol"],
    "Worker": ["tq/worker"],
    "`tq up` and the doors": ["tq/cli", "tq/doors"],
    "Edges": ["tq/edges"],
}
EXTRA_OF_THE_TASK = {"task_id", "task_type", "queue", "attempt"}
_LOG = re.compile(r"([\w.]+\.)?_?log")


def calls(section: str) -> Iterator[ast.Call]:
    """Every call such as log.info("name", ...), or with its facts in `extra`."""
    for folder in SECTIONS[section]:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in LEVELS
                    and _LOG.fullmatch(ast.unparse(node.func.value))
                ):
                    yield node


def facts_of(call: ast.Call) -> set[str]:
    """The names of facts that stand in the call itself."""
    facts: set[str] = set()
    for keyword in call.keywords:
        if keyword.arg == "extra":
            dicts = [node for node in ast.walk(keyword.value) if isinstance(node, ast.Dict)]
            facts |= {str(key.value) for each in dicts for key in each.keys if isinstance(key, ast.Constant)}
        elif keyword.arg:
            facts.add("exception" if keyword.arg == "exc_info" else keyword.arg)
    assert isinstance(call.func, ast.Attribute)
    return facts | ({"exception"} if call.func.attr == "exception" else set())


def events_in_code(section: str) -> dict[str, tuple[set[str], set[str]]]:
    """Levels and facts by event."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for call in calls(section):
        names = [node for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
        assert names, f"the event of {ast.unparse(call)} is not a name"
        for name in names:
            if isinstance(name.value, str):
                levels, known = found.setdefault(name.value, (set(), set()))
                assert isinstance(call.func, ast.Attribute)
                levels.add("error" if call.func.attr == "exception" else call.func.attr)
                known |= facts_of(call)
    return found


def events_on_page(section: str) -> dict[str, tuple[str, str]]:
    """Level, and meaning with facts, by event."""
    text = re.split(r"^## ", PAGE.partition(f"\n## {section}\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    return {event: (level, facts) for level, event, facts in rows}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_lists_the_events_of_the_code_and_no_others(section: str) -> None:
    assert set(events_on_page(section)) == set(events_in_code(section))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_gives_each_event_its_level_and_names_its_facts(section: str) -> None:
    page = events_on_page(section)

    for event, (levels, facts) in events_in_code(section).items():
        level, text = page[event]
        assert level in levels, event
        missing = {fact for fact in facts - EXTRA_OF_THE_TASK if f"`{fact}`" not in text}
        assert not missing, (event, missing)


def test_every_event_has_a_name_that_can_be_searched_for() -> None:
    for section in SECTIONS:
        for event in events_in_code(section):
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", event), event
