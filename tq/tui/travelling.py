"""Where in the dashboard one is and was: to a place by its name, and back and on through those that were visited."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING

from tq.model.errors import InvalidArgument
from tq.tui.commandline import Place
from tq.tui.places import MODES, OPENS
from tq.tui.screens.base import TopScreen

if TYPE_CHECKING:
    from tq.tui.app import TopApp

VISITED_MAX = 50

Path = tuple[Place, ...]
"""One of the five places, with its filter, and what was opened over it, one on top of the other."""


class Visits:
    """The paths that were visited, as a browser keeps them: who goes back and then elsewhere loses those ahead."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._at = -1

    def visit(self, path: Path) -> None:
        """It is what is seen now; that it goes on being so is no other visit."""
        if not self._paths or self._paths[self._at] != path:
            self._paths = [*self._paths[: self._at + 1], path][-VISITED_MAX:]
            self._at = len(self._paths) - 1

    def turn(self, steps: int) -> Path | None:
        """Back, or on if positive; None, and nothing else, where there is nothing."""
        if not 0 <= self._at + steps < len(self._paths):
            return None
        self._at += steps
        return self._paths[self._at]


class Travelling:
    """Goes for an application, and remembers where it went."""

    def __init__(self, top: "TopApp") -> None:
        self._top = top
        self._visits = Visits()
        self._is_under_way = False

    def _screens(self) -> list[TopScreen]:
        return [screen for screen in self._top.screen_stack if isinstance(screen, TopScreen)]

    def arrived(self) -> None:
        """Another screen is on top, or it has another filter. On the way through several, none of them counts."""
        if not self._is_under_way:
            self._visits.visit(tuple(screen.place for screen in self._screens()))

    async def go(self, place: Place) -> None:
        """To a place of the command line.

        Raises:
            InvalidArgument: there is no such place, or its filter cannot be understood.
        """
        if place.screen == "quit":
            self._top.leave()
        elif place.screen == "help":
            self._top.call_later(self._top.action_help)
        elif place.screen in MODES:
            with self._under_way():
                await self._top.switch_mode(place.screen)
                await self._climb_to(1)
                if place.argument:
                    self._top.filter(place.argument)
        else:
            self.open(place)

    def open(self, place: Place) -> None:
        """A screen on top of this one.

        Raises:
            InvalidArgument: there is no such place.
        """
        make = OPENS.get(place.screen)
        if make is None:
            raise InvalidArgument(f"there is no screen {place.screen!r}")
        self._top.push_screen(make(place.argument))

    async def turn(self, steps: int) -> None:
        """Back to where one was before, or on again."""
        path = self._visits.turn(steps)
        if path is None:
            self._top.notify(f"nothing was visited {'before' if steps < 0 else 'after'} this", markup=False, timeout=2)
            return
        with self._under_way():
            await self._show(path)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._is_under_way = True
        try:
            yield
        finally:
            self._is_under_way = False
            self.arrived()

    async def _show(self, path: Path) -> None:
        """What is there of the path already stays as it is, with its cursor and its marks."""
        await self._top.switch_mode(path[0].screen)
        pairs = zip(path, (screen.place for screen in self._screens()), strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        await self._climb_to(max(1, same))
        if same == 0:
            self._top.filter(path[0].argument)
        for place in path[max(1, same) :]:
            await self._top.push_screen(OPENS[place.screen](place.argument))

    async def _climb_to(self, screens: int) -> None:
        while len(self._screens()) > screens:
            await self._top.pop_screen()
