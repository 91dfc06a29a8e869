"""Only a decision goes on: not a reflex, not the key that opened the dialog, not pasted text."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot

from tq.tui.columns import Cell
from tq.tui.glyphs import ASCII
from tq.tui.screens.confirm import Answer, Confirm, Question

RETRY = Question("Retry 1,204 dead letters?", [Cell("queue mail")], "retry", "tq dead retry queue:mail", rate=500)
PURGE = Question("Purge 1,204 tasks?", [], "purge", "tq purge queue:mail", word="1204", needs_reason=True)


class Asking(App[None]):
    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self.answers: list[Answer | None] = []

    def on_mount(self) -> None:
        self.push_screen(Confirm(self.question, ASCII), self.answers.append)


@asynccontextmanager
async def asked(question: Question) -> AsyncIterator[tuple[Asking, "Pilot[None]"]]:
    app = Asking(question)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        yield app, pilot


async def test_y_goes_on_with_the_proposed_rate() -> None:
    async with asked(RETRY) as (app, pilot):
        await pilot.press("y")
        await pilot.pause()
    assert app.answers == [Answer("", 500)]


@pytest.mark.parametrize("key", ["enter", "escape"])
async def test_enter_and_escape_cancel(key: str) -> None:
    async with asked(RETRY) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
    assert app.answers == [None]


@pytest.mark.parametrize("key", ["R", "P", "Y", "space", "n"])
async def test_no_other_key_does_anything(key: str) -> None:
    async with asked(PURGE) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
    assert app.answers in ([], [None]) if key == "space" else app.answers == []


async def test_pasted_text_does_not_confirm() -> None:
    async with asked(RETRY) as (app, pilot):
        app.screen.post_message(events.Paste("y\ny\n"))
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
    assert app.answers == []


async def test_what_goes_for_good_needs_the_number_typed_and_a_reason() -> None:
    async with asked(PURGE) as (app, pilot):
        await pilot.press("y")
        assert "type 1204" in app.screen.refusal()  # type: ignore[attr-defined]
        await pilot.press("tab", *"1205", "enter", *"old", "enter", "y")
        await pilot.pause()
        assert app.answers == []
        await pilot.press("shift+tab", "shift+tab", *"1204", "enter", "enter", "y")
        await pilot.pause()
    assert app.answers == [Answer("old", 0)]


async def test_a_rate_that_is_no_number_is_refused() -> None:
    async with asked(RETRY) as (app, pilot):
        await pilot.press("tab", "end", "backspace", "backspace", "backspace", "enter", "enter", "y")
        await pilot.pause()
        assert "at least 1" in app.screen.refusal()  # type: ignore[attr-defined]
    assert app.answers == []
