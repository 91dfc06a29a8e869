"""The shell around the screens: keys, freshness, filter, command line, help."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.css.query import NoMatches
from textual.pilot import Pilot

from tests.tui.dumps import lines, settled, text
from tests.tui.fakes import NOW_MS, FakeFeed, event, finding, operation, part, queue, totals
from tq.model.identity import Role
from tq.tui.app import Look, TopApp
from tq.tui.commandline import Place
from tq.tui.feed import Disconnected
from tq.tui.glyphs import ASCII
from tq.tui.once import is_all_there
from tq.tui.widgets.header import LIVE, Status, fitted, status_pieces
from tq.tui.widgets.prompt import Prompt


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(
    size: tuple[int, int] = (120, 40), role: Role = Role.OPERATOR
) -> AsyncIterator[tuple[TopApp, FakeFeed, "Pilot[None]", Clock]]:
    feed, clock = FakeFeed(), Clock()
    app = TopApp(feed, Look(ASCII), clock=clock)
    async with app.run_test(size=size) as pilot:
        feed.greet(role)
        feed.frame(
            part("totals", [totals()]),
            part("queues", [queue("mail", ready=5), queue("orders", state="behind", severity=2), queue("idle")]),
            part("attention", [finding("orders", "will not drain")]),
            part("events", []),
        )
        await settled(pilot)
        yield app, feed, pilot, clock


async def test_the_broken_queue_is_on_top_and_says_so_in_a_word() -> None:
    async with running() as (app, _, _, _):
        rows = [line for line in lines(app) if "mail" in line or "orders" in line or "idle" in line]

    assert rows[0].split()[1:4] == ["orders", "!", "behind"]
    assert rows[1].split()[0:2] == ["idle", "="]


async def test_the_header_names_broker_badge_role_and_freshness() -> None:
    async with running() as (app, _, _, _):
        assert lines(app)[0].split()[:7] == [
            "tq", "prod@broker-1", "[PRODUCTION]", "operator", "anna", "2", "Hz",
        ]  # fmt: skip
        assert "LIVE" in lines(app)[0]


async def test_a_stream_that_is_silent_for_three_periods_is_called_stale() -> None:
    async with running() as (app, _, _, clock):
        clock.now += 6
        app.draw_header()
        await app.animator.wait_for_idle()

        assert "STALE 6.0s" in lines(app)[0]
        assert app.is_locked


async def test_a_lost_connection_is_said_at_once() -> None:
    async with running() as (app, feed, pilot, _):
        feed.push(Disconnected("connection refused"))
        await settled(pilot)

        assert "LOST" in lines(app)[0]
        assert app.is_locked
        feed.greet()
        await settled(pilot)
        assert "LIVE" in lines(app)[0]


async def test_a_paused_stream_asks_for_no_frames() -> None:
    async with running() as (app, feed, pilot, _):
        await pilot.press("Z")
        await settled(pilot)

        assert feed.watched[-1][1] == 0
        assert "PAUSED" in lines(app)[0]
        await pilot.press("Z")
        assert feed.watched[-1][1] == 2.0


async def test_a_terminal_that_lost_the_focus_is_fed_slowly() -> None:
    async with running() as (app, feed, _, _):
        app.on_app_blur()
        assert feed.watched[-1][1] == 0.5
        app.on_app_focus()
        assert feed.watched[-1][1] == 2.0


async def test_a_filter_shows_what_matches_and_escape_shows_all_again() -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("slash", *"-o*")
        await pilot.press("enter")
        await settled(pilot)
        assert "orders" not in "\n".join(lines(app)[4:-8])
        assert "2 of 3 queues" in text(app)

        await pilot.press("escape")
        await settled(pilot)
        assert "3 of 3 queues" in text(app)


async def test_the_cursor_stays_on_its_queue_when_another_comes_on_top() -> None:
    async with running() as (app, feed, pilot, _):
        await pilot.press("down")
        feed.frame(part("queues", [queue("zzz", state="behind", severity=2)], is_whole=False), at_ms=NOW_MS + 500)
        await settled(pilot)

        under = next(line for line in lines(app) if line.startswith(" >"))
        assert under.split()[1] == "idle"


async def test_an_exclamation_mark_goes_to_what_needs_attention() -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("down", "down")
        await pilot.press("exclamation_mark")
        await settled(pilot)

        under = next(line for line in lines(app) if line.startswith(" >"))
        assert under.split()[1] == "orders"


@pytest.mark.parametrize("typed", ["nonsense", "queue", "queues now"])
async def test_a_wrong_command_says_what_is_wrong_and_stays_to_be_corrected(typed: str) -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("colon", *("space" if char == " " else char for char in typed), "enter")
        await settled(pilot)

        assert typed in lines(app)[-2]
        assert list(app._notifications)


async def test_a_place_can_be_named_with_a_selector_before_it_was_ever_seen() -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("colon", *"tasks", "space", *"queue:mail", "enter")
        await settled(pilot)

        assert app.here is not None
        assert (app.here.mode, app.here.filter_text) == ("tasks", "queue:mail")


async def test_what_is_typed_right_behind_a_colon_is_in_the_line() -> None:
    async with running() as (app, _, pilot, _):
        for key in ("colon", "c", "t"):  # with no time between: c would copy, and t change the clock
            app.simulate_key(key)
        await settled(pilot)

        assert isinstance(app.focused, Prompt)
        assert app.focused.value == "ct"


async def test_the_help_lists_every_key_of_the_footer() -> None:
    async with running() as (app, _, pilot, _):
        hints = [hint.key for hint in app.here.hints] if app.here is not None else []
        await pilot.press("question_mark")
        await settled(pilot)
        shown = text(app)

        assert hints
        assert all(key in shown for key in hints)
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is app.here


async def test_a_viewer_sees_why_a_key_does_nothing() -> None:
    async with running(role=Role.VIEWER) as (app, _, pilot, _):
        await pilot.press("question_mark")
        await settled(pilot)

        assert "viewer: needs operator" in text(app)


async def test_the_palette_has_nothing_that_writes_a_file() -> None:
    async with running() as (app, _, _, _):
        names = [command.title for command in app.get_system_commands(app.screen)]

    assert names
    assert not [name for name in names if "screenshot" in name.lower() or "save" in name.lower()]


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 12)])
async def test_every_size_shows_queues_header_and_footer(size: tuple[int, int]) -> None:
    async with running(size) as (app, _, _, _):
        shown = lines(app)

    assert shown[0].startswith(" tq")
    assert "help" in shown[-1]
    assert any("orders" in line for line in shown[3:])


async def test_findings_beyond_those_that_were_sent_are_counted_too() -> None:
    async with running() as (app, feed, pilot, _):
        shown = [finding(f"q{number}", "will not drain") for number in range(8)]
        feed.frame(part("attention", shown, left_out=1_992))
        await settled(pilot)

        assert "NEEDS ATTENTION (5 of 2,000, ! goes through them)" in text(app)


async def test_a_wide_screen_shows_how_fast_everything_went_since_it_is_there() -> None:
    async with running() as (app, feed, pilot, _):
        for second in range(1, 25):
            feed.frame(part("totals", [totals(submitted_10s=second * 1_000)]), at_ms=NOW_MS + second * 1_000)
        await settled(pilot)
        line = next(line for line in lines(app) if line.startswith(" in "))

    assert "2400/s" in line
    assert set("_.-=*#%") <= set(line)


async def test_an_operation_that_runs_is_shown_with_how_far_it_is_before_what_was_done() -> None:
    async with running() as (app, feed, pilot, _):
        feed.frame(
            part("ops", [operation(7)]),
            part(
                "events",
                [
                    event(1, "pause"),
                    event(2, "retry", operation=operation(7).id.hex()),
                    event(3, "worker_connected"),
                ],
            ),
        )
        await settled(pilot)
        shown = lines(app)

    place = next(number for number, line in enumerate(shown) if "ACTIVITY" in line)
    assert "anna  retry queue:media  234 of 50,000  0 %  1m40s left" in shown[place + 1]
    assert "anna  pause media" in shown[place + 2]
    assert not shown[place + 3].strip().startswith("22:")


async def test_a_low_screen_keeps_its_lines_for_queues() -> None:
    async with running((60, 12)) as (app, feed, pilot, _):
        feed.frame(part("attention", [finding("orders", "will not drain"), finding("mail", "late")]))
        await settled(pilot)
        shown = lines(app)

    assert all(name in line for name, line in zip(["orders", "idle", "mail"], shown[4:7], strict=True))
    assert any("1 of 2: orders  will not drain" in line for line in shown)


async def test_where_one_is_is_said_in_full_before_the_titles_of_other_tabs() -> None:
    async with running((60, 12)) as (app, _, pilot, _):
        assert lines(app)[1].startswith(" 1Queues 2Workers 3Dead 4Tasks 5Activity")
        app.open(Place("found", "state:dead_letter group:0123456789abcdef"))
        await settled(pilot)

        assert lines(app)[1].rstrip() == " 1 2 3Dead 4 5  > dead / group:0123456789abcdef"


def test_a_long_address_gives_way_before_how_fresh_it_is() -> None:
    address = "unix:///srv/a/very/long/way/to/the/directory/of/the/broker/tq.sock"
    shown = fitted(status_pieces(Status(address, badge="production", role="admin", freshness=LIVE, hz=2)), 50)

    assert {LIVE, "[production]"} <= {piece.text for piece in shown}
    assert shown[1].text.startswith("unix:///srv/")
    assert sum(len(piece.text) + 2 for piece in shown) - 2 <= 50


async def test_hostile_names_cannot_reach_the_terminal() -> None:
    async with running() as (app, feed, pilot, _):
        feed.frame(
            part("queues", [queue("mail\x1b]0;owned\x07[red]\u202e", ready=1)]),
            part("attention", [finding("\x1b[2J", "a\nb\x9b31m [bold]x[/]")]),
        )
        await settled(pilot)
        shown = text(app)

    assert not [char for char in shown if char != "\n" and not char.isprintable()]
    assert "[bold]x[/]" in shown
    assert "[red]" in shown


async def test_a_screen_that_has_not_asked_yet_is_not_all_there() -> None:
    async with running() as (app, _, pilot, _):
        # It needs nothing of the stream, and no worker runs before it is mounted.
        app.open(Place("found", "queue:mail"))
        assert not is_all_there(app)

        await settled(pilot)
        assert is_all_there(app)


async def test_what_comes_for_a_screen_that_is_being_left_is_dropped_and_at_no_other_time() -> None:
    async with running() as (app, _, pilot, _):
        app.open(Place("found", "queue:mail"))
        await settled(pilot)
        screen = app.here
        assert screen is not None
        with pytest.raises(NoMatches), screen.drawing():
            screen.query_one("#gone")

        await app.pop_screen()
        with screen.drawing():
            screen.query_one("#gone")


async def test_quitting_lets_go_of_the_stream() -> None:
    async with running() as (_, feed, pilot, _):
        await pilot.press("q")
        await settled(pilot)
    assert feed.is_closed


async def test_ages_in_a_table_go_on_without_a_frame() -> None:
    async with running() as (app, feed, pilot, clock):
        feed.frame(part("queues", [queue("mail", ready=5, oldest_at_ms=NOW_MS - 5_000)], is_whole=False))
        await settled(pilot)
        assert "5.0s" in next(line for line in lines(app) if " mail " in line)

        clock.now += 60
        async with asyncio.timeout(30):
            while "1m05s" not in next(line for line in lines(app) if " mail " in line):
                await pilot.pause(0.02)
