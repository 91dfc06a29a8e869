"""Hostile text must reach a terminal as something to look at, never as something it does."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.plain import REPLACEMENT, plain, preview, safe_json

HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m",
    "clear the screen": "\x1b[2J\x1b[H",
    "set the title": "\x1b]0;owned\x07",
    "write the clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "8-bit CSI": "\x9b31m",
    "overwrite the line": "safe\rroot",
    "backspaces": "rm\b\b",
    "right-to-left override": "file\u202egnp.exe",
    "bidirectional isolate": "a\u2066b\u2069",
    "zero width": "pay\u200bpal",
    "byte order mark": "\ufeffa",
    "line separator": "a\u2028b",
    "tag characters": "a\U000e0041",
    "private use": "\ue000",
    "lone surrogate": "\ud800",
    "null": "a\x00b",
    "delete": "a\x7fb",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_loses_every_character_that_a_terminal_acts_on(text: str) -> None:
    for shown in (plain(text), plain(text, keep_lines=True), preview(text, 40)):
        assert all(unicodedata.category(char)[0] != "C" for char in shown)
        assert "\u2028" not in shown


def test_what_was_replaced_stays_visible_so_that_two_names_cannot_look_alike() -> None:
    assert plain("pay\u200bpal") == f"pay{REPLACEMENT}pal" != plain("paypal")


def test_a_cell_of_a_table_is_one_line_and_a_traceback_keeps_its_lines() -> None:
    assert plain("a\nb\tc") == "a b c"
    assert plain("a\r\nb\n\tc", keep_lines=True) == "a\nb\n    c"


@pytest.mark.parametrize("text", ["plain", "größe", "日本語", "naïve café", "[bold]markup[/bold]", "emoji 🎉", ""])
def test_text_of_every_language_is_left_as_it_is(text: str) -> None:
    assert plain(text) == text


@given(st.text())
def test_plain_text_stays_as_it_is_when_made_plain_again(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_preview_is_never_longer_than_asked_for(text: str, chars_max: int) -> None:
    assert len(preview(text, chars_max)) <= chars_max


def test_a_preview_marks_its_cut() -> None:
    assert preview("abcdef", 6) == "abcdef"
    assert preview("abcdefg", 6) == "abcde\N{HORIZONTAL ELLIPSIS}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_made_safe_means_the_same_and_holds_nothing_unsafe(text: str) -> None:
    document = json.dumps({"text": text}, ensure_ascii=False, indent=2)

    safe = safe_json(document)

    assert json.loads(safe) == {"text": text}
    assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in safe)
