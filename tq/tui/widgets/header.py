"""The two lines on top: which broker, who is asking, how fresh it is; and where in the dashboard one is."""

from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tq.model.plain import plain
from tq.tui.columns import aligned
from tq.tui.figures import clock, length

ADDRESS_CELLS_MIN = 16
"""Of an address that is cut: then the badge is cut before the rest of it."""
WIDE = 100
"""From so many columns on, the tabs stand apart."""
NOTES_WIDTH_MIN = 70
"""Of a screen whose tabs have notes: where it is narrower, the crumb needs the room."""
LIVE, STALE, PAUSED, LOST, REPLAY = "LIVE", "STALE", "PAUSED", "LOST", "REPLAY"


class Status(NamedTuple):
    """What the header says. `lag_ms` is the age of what is shown; `link_ms` a round trip, 0 if not
    known; `remark` what the feed says of itself, in a replay where in it one is."""

    address: str = ""
    badge: str = ""
    role: str = ""
    actor: str = ""
    freshness: str = LIVE
    lag_ms: int = 0
    link_ms: float = 0.0
    hz: float = 0.0
    now_ms: int = 0
    is_utc: bool = True
    remark: str = ""


class Piece(NamedTuple):
    """A few words with one look; those of the highest rank go first where it is narrow."""

    text: str
    look: str = ""
    rank: int = 0


def status_pieces(status: Status) -> list[Piece]:
    """The words of the first line."""
    silent = length(status.lag_ms) if status.lag_ms else ""  # before the first frame there is nothing to be old
    fresh = {
        LIVE: Piece(LIVE, "live"),
        STALE: Piece(f"{STALE} {silent}".rstrip(), "stale"),
        PAUSED: Piece(f"{PAUSED} {silent}".rstrip(), "paused"),
        LOST: Piece(f"{LOST} {silent}".rstrip(), "stale"),
        REPLAY: Piece(f"{REPLAY} {status.remark}".rstrip(), "paused"),
    }[status.freshness]
    pieces = [Piece("tq", "name"), Piece(plain(status.address), "address")]
    if status.badge:
        pieces.append(Piece(f"[{plain(status.badge)}]", "badge"))
    if status.role:
        pieces.append(Piece(status.role, "", 2))
    if status.actor:  # as the audit has it, which may be long: "uid:998 tq for anna@laptop SHA256:..."
        pieces.append(Piece(plain(status.actor), "", 6))
    if status.link_ms:
        pieces.append(Piece(f"link {status.link_ms:.{0 if status.link_ms >= 10 else 1}f} ms", "", 4))
    if status.freshness != REPLAY:
        pieces.append(Piece(f"{status.hz:g} Hz", "", 5))
        if status.remark:
            pieces.append(Piece(plain(status.remark), "badge", 3))
    pieces.append(fresh)
    if status.now_ms:
        pieces.append(Piece(clock(status.now_ms, is_utc=status.is_utc), "clock", 1))
    return pieces


def fitted(pieces: list[Piece], width: int) -> list[Piece]:
    """The pieces that fit into a line, two blanks apart. How fresh it is stays, whatever the broker is called: an
    address that is too long is cut."""
    kept = list(pieces)

    def excess() -> int:
        return sum(cell_len(piece.text) + 2 for piece in kept) - 2 - width

    while excess() > 0 and any(piece.rank for piece in kept):
        kept.remove(max(kept, key=lambda piece: piece.rank))
    for look, least in (("address", ADDRESS_CELLS_MIN), ("badge", 0), ("address", 0)):
        for place, piece in enumerate(kept):
            if excess() > 0 and piece.look == look:
                room = max(least, cell_len(piece.text) - excess())
                kept[place] = piece._replace(text=aligned(piece.text, room, is_number=False).rstrip() if room else "")
    return [piece for piece in kept if piece.text]


class Tab(NamedTuple):
    """One of the five places. `note` is a number worth seeing from everywhere."""

    key: str
    mode: str
    title: str
    note: str = ""


class Header(Widget):
    """Both lines."""

    DEFAULT_CSS = """
    Header { dock: top; height: 2; background: $panel; color: $foreground; }
    Header .header--name { text-style: bold; color: $primary; }
    Header .header--address { text-style: bold; }
    Header .header--badge { text-style: bold reverse; color: $error; }
    Header .header--live { color: $success; text-style: bold; }
    Header .header--stale { color: $error; text-style: bold reverse; }
    Header .header--paused { color: $warning; text-style: bold; }
    Header .header--clock { color: $text-muted; }
    Header .header--tab { color: $text-muted; }
    Header .header--here { color: $primary; text-style: bold underline; }
    Header .header--crumb { text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"header--{name}"
        for name in ("name", "address", "badge", "live", "stale", "paused", "clock", "tab", "here", "crumb")
    }

    def __init__(self) -> None:
        super().__init__()
        self._status = Status()
        self._tabs: tuple[Tab, ...] = ()
        self._mode = ""
        self._crumb = ""

    def show(self, status: Status, tabs: tuple[Tab, ...], mode: str, crumb: str) -> None:
        """Draw this, if it is not what is drawn already."""
        new = (status, tabs, mode, crumb)
        if new != (self._status, self._tabs, self._mode, self._crumb):
            self._status, self._tabs, self._mode, self._crumb = new
            self.refresh()

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"header--{name}") if name else self.rich_style

    def render_line(self, y: int) -> Strip:
        """The status, then the tabs."""
        width = self.size.width
        segments = self._status_line(width) if y == 0 else self._tab_line(width)
        return Strip([Segment(" ", self.rich_style), *segments]).adjust_cell_length(width, self.rich_style)

    def _status_line(self, width: int) -> list[Segment]:
        pieces = fitted(status_pieces(self._status), width - 1)
        return [one for piece in pieces for one in (Segment(piece.text, self._look(piece.look)), self._blank(2))]

    def _tab_line(self, width: int) -> list[Segment]:
        crumb, gap = f"> {plain(self._crumb)}", 1 if width < WIDE else 2
        for titles in (self._titles(width), self._digits()):
            if sum(cell_len(title) + gap for title, _ in titles) + 1 + cell_len(crumb) < width:
                break
        segments = [Segment(title, self._look("here" if is_here else "tab")) for title, is_here in titles]
        gaps = [self._blank(gap)] * len(segments)
        line = [segment for pair in zip(segments, gaps, strict=True) for segment in pair]
        room = max(1, width - sum(segment.cell_length for segment in line) - 2)
        crumb = crumb if cell_len(crumb) <= room else aligned(crumb, room, is_number=False)
        return [*line, self._blank(1), Segment(crumb, self._look("crumb"))]

    def _titles(self, width: int) -> list[tuple[str, bool]]:
        """Each tab, and whether one is there."""
        blank = "" if width < WIDE else " "
        notes = [f" {tab.note}" if tab.note and width >= NOTES_WIDTH_MIN else "" for tab in self._tabs]
        return [
            (f"{tab.key}{blank}{tab.title}{note}", tab.mode == self._mode)
            for tab, note in zip(self._tabs, notes, strict=True)
        ]

    def _digits(self) -> list[tuple[str, bool]]:
        """The tabs where the crumb needs their room: but for the one that one is in, their keys."""
        tabs = [(tab, tab.mode == self._mode) for tab in self._tabs]
        return [(f"{tab.key}{tab.title}" if is_here else tab.key, is_here) for tab, is_here in tabs]

    def _blank(self, width: int) -> Segment:
        return Segment(" " * width, self.rich_style)
