"""How tq looks: a dark and a light theme of its own, and the terminal's own 16 colours."""

from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="tq-dark",
    dark=True,
    primary="#5fa8d3",
    secondary="#8c9fb0",
    accent="#e0b050",
    success="#7fb685",
    warning="#e0a458",
    error="#e06c68",
    foreground="#d5dce3",
    background="#11161b",
    surface="#1a2229",
    panel="#202a33",
)
LIGHT = Theme(
    name="tq-light",
    dark=False,
    primary="#1f6f9f",
    secondary="#5b6b79",
    accent="#8a6100",
    success="#2b7a3d",
    warning="#9a5b00",
    error="#b3261e",
    foreground="#1c242b",
    background="#fafbfc",
    surface="#eef1f4",
    panel="#e3e8ec",
)
OWN = (DARK, LIGHT)
ASCII_CSS = """
    .-ascii VTable, .-ascii VerticalScroll, .-ascii TextArea, .-ascii OptionList { scrollbar-size-vertical: 0; }
    .-ascii Confirm > Vertical { border: ascii $warning; }
    .-ascii Leave > Vertical { border: ascii $accent; }
    .-ascii HelpScreen > VerticalScroll { border: ascii $primary; }
    .-ascii Toast { border-left: ascii $secondary; border-right: none; }
    .-ascii Toast.-warning { border-left: ascii $warning; }
    .-ascii Toast.-error { border-left: ascii $error; }
    .-ascii SearchIcon { display: none; }
    .-ascii CommandPalette > Vertical { border: none; }
    .-ascii CommandPalette #--input { border: none; }
    .-ascii CommandPalette CommandList { border: none; }
"""
"""For terminals without Unicode: what Textual draws around and beside our own text, in ASCII or not at all."""
TERMINAL_DARK, TERMINAL_LIGHT = "ansi-dark", "ansi-light"
NAMES = (DARK.name, LIGHT.name, TERMINAL_DARK, TERMINAL_LIGHT)
_FEW_COLOURS = ("linux", "vt", "xterm", "screen", "ansi")


def theme_for(environment: Mapping[str, str]) -> str:
    """The theme for a terminal whose user has not chosen one: the terminal's own colours where it is known to have
    only 16, or where none are wanted (NO_COLOR); else the dark one."""
    if environment.get("NO_COLOR"):
        return TERMINAL_DARK
    term = environment.get("TERM", "")
    has_many = environment.get("COLORTERM") in ("truecolor", "24bit") or "256" in term or "direct" in term
    return TERMINAL_DARK if not has_many and term.startswith(_FEW_COLOURS) else DARK.name
