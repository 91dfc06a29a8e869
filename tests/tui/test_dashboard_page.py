"""docs/dashboard.md has every key, action, command and theme, and none that there is not."""

import re
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from typer.main import get_command

from tq.cli.verbs import app
from tq.model.identity import Role
from tq.tui.actions import ACTIONS, Action, Tier
from tq.tui.app import TopApp
from tq.tui.commandline import WORDS
from tq.tui.owned import OwnedApp
from tq.tui.places import MODES, OPENS
from tq.tui.replay_app import ReplayApp
from tq.tui.screens.base import TopScreen
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.doctor import DoctorScreen
from tq.tui.screens.edit import Edit
from tq.tui.screens.leave import Leave
from tq.tui.screens.listing import ListScreen
from tq.tui.screens.queue import QueueScreen
from tq.tui.screens.queues import QueuesScreen
from tq.tui.screens.task import TaskScreen
from tq.tui.screens.tasks import TasksScreen
from tq.tui.theme import NAMES
from tq.tui.widgets.prompt import Prompt
from tq.tui.widgets.table import VTable

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dashboard.md").read_text()
SPELLED = {
    "colon": ":", "slash": "/", "question_mark": "?", "plus": "+", "minus": "-", "comma": ",", "full_stop": ".",
    "left_square_bracket": "[", "right_square_bracket": "]", "less_than_sign": "<", "greater_than_sign": ">",
    "backslash": "\\", "exclamation_mark": "!", "escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn",
}  # fmt: skip
TIERS = {Tier.AT_ONCE: "at once", Tier.ASK: "asks", Tier.TYPE: "asks for a word"}
PLACES: dict[str, type[TopScreen]] = {
    "Queues": QueuesScreen, "a queue": QueueScreen, "Tasks": TasksScreen, "a task": TaskScreen, "doctor": DoctorScreen,
}  # fmt: skip


def _spelled(key: str) -> str:
    """A key as people write it: `ctrl+d` is Ctrl+D."""
    *held, last = key.split("+")
    last = SPELLED.get(last, last if len(last) == 1 else last.capitalize())
    return "+".join([*(name.capitalize() for name in held), last.upper() if held else last])


def _keys(owner: Any) -> set[str]:
    """The keys that a class binds itself, those of actions left aside."""
    bound = [one for one in vars(owner).get("BINDINGS", ()) if isinstance(one, Binding)]
    return {
        _spelled(key).replace("Shift+TAB", "Shift+Tab")
        for one in bound
        if not one.action.startswith("act(")
        for key in one.key.split(",")
    }


def _rows(title: str) -> list[list[str]]:
    """The cells of the tables under a heading."""
    section = re.split(r"^#+ ", PAGE.split(f" {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not set("".join(row)) <= set("-| ")]


def _spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize(
    ("title", "owners", "others"),
    [
        ("Everywhere", [TopApp], {"Ctrl+P"}),
        ("In a table", [VTable, ListScreen], set()),
        ("In the line for `:`, `/` and `o`", [Prompt], set()),
        ("In a question", [Confirm], set()),
        ("Where a task is corrected", [Edit], set()),
        ("In a replay", [ReplayApp], set()),
        ("In the dashboard of `tq up`", [OwnedApp, Leave], set()),
    ],
)
def test_every_key_stands_in_its_table_and_no_other(title: str, owners: list[type], others: set[str]) -> None:
    shown = {key for row in _rows(title) for key in _spans(row[0])}

    assert shown == {key for owner in owners for key in _keys(owner)} | others


@pytest.mark.parametrize("place", PLACES)
def test_every_key_of_one_screen_alone_is_in_the_table_of_those(place: str) -> None:
    shown = {key for row in _rows("On some screens") if row[0] == place for key in _spans(row[1])}

    assert shown == _keys(PLACES[place])


def test_no_other_screen_has_keys_of_its_own() -> None:
    about = {"found": "state:dead_letter"}
    screens = {type(make()) for make in MODES.values()}
    screens |= {type(make(about.get(name, "019ab697-e800-7001-8203-040506070809"))) for name, make in OPENS.items()}

    assert {screen for screen in screens if _keys(screen)} <= {*PLACES.values()}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_told_with_its_key_its_targets_and_how_it_asks(action: Action) -> None:
    [row] = [row for row in _rows("Acting") if row[0] == f"`{action.key}`"]
    undone_by = next((other.key for other in ACTIONS if other.id == action.undone_by), None)

    _, label, targets, one, many, command, taken_back = row
    assert label == action.label
    assert targets == ", ".join(action.targets)
    assert (one, many) == (TIERS[action.one], TIERS[action.many])
    assert command == f"`{action.command}`"
    assert _spans(taken_back) == ([undone_by] if undone_by else [])
    assert action.needs is Role.OPERATOR, "the page says so of all"


def test_every_word_of_the_command_line_is_there_as_it_is_typed() -> None:
    told = {_spans(row[0])[0]: row[1] for row in _rows("The command line") if _spans(row[0])}

    assert told == {f":{' '.join((word.names[0], word.takes.upper())).strip()}": word.help for word in WORDS}


def test_every_theme_is_there() -> None:
    assert {_spans(row[0])[0] for row in _rows("Looks") if _spans(row[0])} == set(NAMES)


def test_every_option_of_tq_top_is_there() -> None:
    [top] = [one for name, one in get_command(app).commands.items() if name == "top"]  # type: ignore[attr-defined]
    options = {
        option for parameter in top.params if not getattr(parameter, "hidden", False) for option in parameter.opts
    }

    told = {option for option in options if re.search(rf"{option}\b", PAGE)}
    assert {option for option in options if option.startswith("--")} - told == {"--config"}, (
        "which is that of all verbs"
    )


def test_links_to_sections_and_to_other_files_lead_somewhere() -> None:
    titles = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    targets = re.findall(r"\]\(([^)]+)\)", PAGE) + re.findall(r'(?:src|srcset)="([^"]+)"', PAGE)

    assert {target[1:] for target in targets if target.startswith("#")} <= titles
    for target in targets:
        if not target.startswith("#"):
            assert (ROOT / "docs" / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "images").glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_fetches_nothing_and_is_on_a_page(picture: Path) -> None:
    svg = picture.read_text()

    assert not re.search(r"@font-face|@import|<image|<script|href=|url\((?!#)", svg)
    assert f"images/{picture.name}" in PAGE
