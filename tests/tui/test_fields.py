"""Keys that come in one piece, as over a slow link, do what they were pressed for, in their order."""

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Input, TextArea

from tests.tui.dumps import settled
from tests.tui.test_app import running
from tq.tui.widgets.area import Area
from tq.tui.widgets.fields import Field
from tq.tui.widgets.prompt import Prompt


class _Form(App[None]):
    def compose(self) -> ComposeResult:
        yield Field("12", select_on_focus=False)
        yield Area("12\n34", tab_behavior="focus")


def typed(app: App[None], *keys: str) -> None:
    """Press keys without waiting for what each of them does."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize("field", [Input, TextArea])
async def test_what_is_deleted_is_what_was_there_when_the_key_was_pressed(field: type[Input] | type[TextArea]) -> None:
    async with _Form().run_test() as pilot:
        widget = pilot.app.query_one(field)
        widget.focus()
        await pilot.pause()
        typed(pilot.app, "end", "backspace", "7", "backspace", "8", "left", "9")
        await pilot.pause()
        await pilot.pause()

        text = widget.value if isinstance(widget, Input) else widget.text.split("\n")[0]
        assert text == "198"


async def test_keys_of_a_field_can_still_be_those_of_its_screen() -> None:
    async with _Form().run_test() as pilot:
        pilot.app.query_one(Field).focus()
        await pilot.pause()
        await pilot.press("tab")

        assert isinstance(pilot.app.focused, Area)


async def test_a_line_is_taken_as_it_was_when_enter_was_pressed() -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("colon")
        typed(app, *"wox", "backspace", *"rkers", "enter")
        await settled(pilot)

        assert app.here is not None
        assert app.here.crumb.startswith("workers")
        assert not app.here.query_one(Prompt).display
