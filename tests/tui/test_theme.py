"""The theme of a terminal whose user chose none."""

import pytest

from tq.tui.theme import DARK, TERMINAL_DARK, theme_for


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "xterm-256color"}, DARK.name),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, DARK.name),
        ({"TERM": "xterm"}, TERMINAL_DARK),
        ({"TERM": "linux"}, TERMINAL_DARK),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, TERMINAL_DARK),
        ({}, DARK.name),
    ],
)
def test_few_colours_or_none_wanted_means_the_terminals_own(environment: dict[str, str], theme: str) -> None:
    assert theme_for(environment) == theme
