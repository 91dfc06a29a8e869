"""Back and on through the places that were visited."""

from tests.tui.dumps import lines, settled
from tests.tui.scenes import SCENES, TASK, Scene, Stage, stage
from tq.tui.commandline import Place
from tq.tui.screens.base import TopScreen
from tq.tui.travelling import VISITED_MAX, Path, Visits


def path(*names: str) -> Path:
    return tuple(Place(name) for name in names)


def crumb(on: Stage) -> str:
    return on.app.here.crumb if on.app.here is not None else ""


async def press(on: Stage, *keys: str) -> None:
    for key in keys:
        await on.pilot.press(key)
        await settled(on.pilot)


def test_back_and_on_again_end_where_they_began() -> None:
    visits = Visits()
    for name in ("queues", "dead", "tasks"):
        visits.visit(path(name))

    assert [visits.turn(-1), visits.turn(-1), visits.turn(-1)] == [path("dead"), path("queues"), None]
    assert [visits.turn(1), visits.turn(1), visits.turn(1)] == [path("dead"), path("tasks"), None]


def test_who_goes_back_and_then_elsewhere_loses_what_was_ahead() -> None:
    visits = Visits()
    for name in ("queues", "dead", "tasks"):
        visits.visit(path(name))
    visits.turn(-1)

    visits.visit(path("workers"))

    assert visits.turn(1) is None
    assert visits.turn(-1) == path("dead")


def test_what_is_seen_on_is_one_visit() -> None:
    visits = Visits()
    visits.visit(path("queues"))
    visits.visit(path("queues"))

    assert visits.turn(-1) is None


def test_the_visits_of_long_ago_are_forgotten() -> None:
    visits = Visits()
    for number in range(VISITED_MAX + 10):
        visits.visit(path(str(number)))

    assert visits.turn(1 - VISITED_MAX) == path("10")
    assert visits.turn(-1) is None


async def test_back_opens_again_what_was_left_and_on_leaves_it_as_it_was_left() -> None:
    async with stage() as on:
        await on.play(SCENES["queue"])
        await on.play(SCENES["task"])
        await press(on, "escape", "escape")
        assert crumb(on) == "queues"

        await press(on, "left_square_bracket", "left_square_bracket")
        assert crumb(on) == f"task {TASK}"
        under = [screen.place.screen for screen in on.app.screen_stack if isinstance(screen, TopScreen)]
        assert under == ["queues", "queue", "task"]

        await press(on, "right_square_bracket")
        assert crumb(on) == "queue orders.charge / waiting"


async def test_back_goes_to_another_tab_and_what_is_open_there_stays_as_it_is() -> None:
    async with stage() as on:
        await on.play(SCENES["task"])
        task = on.app.here
        await press(on, "3", "5", "left_square_bracket")
        assert crumb(on) == "dead by error"

        await press(on, "left_square_bracket")
        assert on.app.here is task


async def test_a_filter_is_a_place_of_its_own() -> None:
    async with stage() as on:
        await press(on, "slash", *"media", "enter")
        assert crumb(on) == "queues / media"

        await press(on, "left_square_bracket")
        assert crumb(on) == "queues"
        await press(on, "right_square_bracket")
        assert crumb(on) == "queues / media"


async def test_where_nothing_was_before_it_is_said() -> None:
    async with stage() as on:
        await press(on, "left_square_bracket")

        assert [one.message for one in on.app._notifications] == ["nothing was visited before this"]
        assert crumb(on) == "queues"


async def test_a_place_that_is_typed_is_that_place_whatever_is_open_over_it() -> None:
    async with stage() as on:
        await on.play(SCENES["queue"])
        await on.play(Scene(Place("queues")))
        assert crumb(on) == "queues"


async def test_a_place_that_is_typed_with_its_filter_is_one_visit() -> None:
    async with stage() as on:
        await press(on, "colon", *"dead", "space", *"err:x", "enter")
        assert crumb(on) == "dead by error / err:x"

        await press(on, "left_square_bracket")
        assert crumb(on) == "queues"


async def test_the_help_has_both_keys() -> None:
    async with stage() as on:
        await press(on, "question_mark")

        assert any("[ ]" in line and "back and on" in line for line in lines(on.app))
