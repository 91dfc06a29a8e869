"""docs/logs.md lists what the broker logs: each event, its level and its facts."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "critical"}


def events_in_code() -> dict[str, tuple[set[str], set[str]]]:
    """Levels and facts by event: every call such as log.info("name", fact=...) in tq/server."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for path in (ROOT / "tq" / "server").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
                continue
            if not re.fullmatch(r"(self\.)?_?log", ast.unparse(node.func.value)):
                continue
            facts = {"exception" if key.arg == "exc_info" else key.arg for key in node.keywords if key.arg}
            for constant in ast.walk(node.args[0]):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    levels, known = found.setdefault(constant.value, (set(), set()))
                    levels.add(node.func.attr)
                    known |= facts
    return found


def events_on_page() -> dict[str, tuple[str, str]]:
    """Level, and meaning with facts, by event."""
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.*) \|$", (ROOT / "docs" / "logs.md").read_text(), re.MULTILINE)
    return {event: (level, text) for level, event, text in rows}


def test_the_page_lists_the_events_of_the_code_and_no_others() -> None:
    assert set(events_on_page()) == set(events_in_code())


def test_the_page_gives_each_event_its_level_and_names_its_facts() -> None:
    page = events_on_page()

    for event, (levels, facts) in events_in_code().items():
        level, text = page[event]
        assert level in levels, event
        missing = {fact for fact in facts if f"`{fact}`" not in text}
        assert not missing, (event, missing)
