"""`tq top`: the dashboard; and what it shows without a terminal: drawn once, printed, recorded, replayed."""

import gc
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from tq.cli.options import ConfigFile, complete_profile
from tq.cli.reach import named_addresses
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument

if TYPE_CHECKING:
    from tq.client.async_client import AsyncClient
    from tq.tui.app import Look, TopApp
    from tq.tui.commandline import Place

CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = 30.0
LOST_AFTER_SECONDS = 0.5
"""How long a lost connection is tried again before it is shown; it is tried on all the same."""
ONCE_SECONDS = 15.0
"""How long `--once` waits for all that a screen shows."""
_SIZE = re.compile(r"(\d{2,4})x(\d{1,4})")


def top(
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS]",
            autocompletion=complete_profile,
            help="The broker, as for --url of other verbs; none: TQ_URL, the local socket, or 127.0.0.1:6379.",
        ),
    ] = None,
    hz: Annotated[float, typer.Option("--hz", min=0.5, max=10.0, help="Frames a second; + and - change it.")] = 2.0,
    theme: Annotated[
        str | None,
        typer.Option("--theme", metavar="NAME", help="tq-dark, tq-light, ansi-dark or ansi-light.  [default: by TERM]"),
    ] = None,
    screen: Annotated[
        str, typer.Option("--screen", metavar="LINE", help='Where to begin, as after : such as "dead queue:mail*".')
    ] = "queues",
    role: Annotated[
        Literal["viewer", "producer", "worker", "operator", "admin"],
        typer.Option("--role", help="Want to be no more than this."),
    ] = "admin",
    acts_for: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Whom this dashboard is for, as the audit shows it.")
    ] = "",
    is_local_time: Annotated[bool, typer.Option("--local-time", help="Moments in this machine's time zone.")] = False,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write all that is told to a new file.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Show a recording instead of a broker.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="DURATION", help="Where in a recording to begin, such as 3m20s.")
    ] = None,
    is_once: Annotated[bool, typer.Option("--once", help="Draw the screen once, as text, and end.")] = False,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Of what --once draws.  [default: that of the terminal]"),
    ] = None,
    is_plain: Annotated[bool, typer.Option("--plain", help="Print what the screen shows, as its verb does.")] = False,
    is_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    log_of_up: Annotated[Path | None, typer.Option("--log-of-up", hidden=True)] = None,  # tq up says it, nobody else
    config: ConfigFile = None,
) -> None:
    """Watch and repair a broker: queues, workers, dead letters, tasks, operations.

    \b
    tq top                     the local broker
    tq top prod                a profile of tq profile list
    tq top ssh://ops@host      through ssh; needs tq on the other side
    tq top prod --role viewer  nothing can be changed
    tq top --record incident.tqrec
    tq top --replay incident.tqrec --at 3m
    tq top --once --screen "dead queue:mail*" --size 120x40

    Keys: ? shows them. Upper-case keys act, and ask first.
    """
    _check_together(
        address, record=record, replay=replay, at=at, is_once=is_once, size=size, is_plain=is_plain, is_json=is_json
    )
    start = _start(screen)
    if is_plain or is_json:
        _print(start, address, config, "json" if is_json else "table")
    if not is_once and not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise InvalidArgument(  # Textual draws on stderr
            "the dashboard needs a terminal", hint="for scripts: tq top --once, --plain or --json"
        )
    if not is_once and os.environ.get("TERM", "dumb") == "dumb":
        raise InvalidArgument(
            "the dashboard needs a terminal that can move its cursor, and TERM says dumb, or nothing",
            hint="set TERM, such as TERM=xterm-256color; or tq top --once, --plain or --json",
        )
    gc.disable()  # until it runs: of the modules that are imported now nothing is garbage, but all would be looked at
    look = _look(hz, theme, is_utc=not is_local_time)
    how = _How(look, start, _size(size) if is_once else None, log_of_up, _reach(address, config))
    if replay is not None:
        _replay(replay, 0 if at is None else duration_ms(at, "--at"), how)
    else:
        _live(named_addresses(address, config), role, acts_for, record, how)


class _How(NamedTuple):
    """How it is shown. `size`: of the one frame that is wanted; None: the dashboard itself. `log_of_up`: it belongs to
    a `tq up`, whose log is there. `reach`: the options with which another verb reaches the same broker."""

    look: "Look"
    start: "Place"
    size: tuple[int, int] | None
    log_of_up: Path | None
    reach: Sequence[str]


def _check_together(
    address: str | None,
    *,
    record: Path | None,
    replay: Path | None,
    at: str | None,
    is_once: bool,
    size: str | None,
    is_plain: bool,
    is_json: bool,
) -> None:
    """Raises InvalidArgument for options of which one makes another meaningless."""
    printed = [name for name, is_given in (("--once", is_once), ("--plain", is_plain), ("--json", is_json)) if is_given]
    source = [name for name, file in (("--record", record), ("--replay", replay)) if file is not None]
    if len(printed) > 1 or len(source) > 1:
        raise InvalidArgument(f"{' and '.join(printed if len(printed) > 1 else source)} at once", hint="one of them")
    if record is not None and printed:
        raise InvalidArgument(f"--record and {printed[0]} at once", hint="to record, let the dashboard run")
    if replay is not None and (is_plain or is_json):
        raise InvalidArgument(f"{printed[0]} asks a broker, and --replay has none", hint="tq top --replay FILE --once")
    if replay is not None and address is not None:
        raise InvalidArgument(f"--replay shows a file, not {address}", hint="leave one of them out")
    if at is not None and replay is None:
        raise InvalidArgument("--at is a place in a recording", hint="tq top --replay FILE --at 3m")
    if size is not None and not is_once:
        raise InvalidArgument("--size is that of --once", hint="the dashboard has the size of its terminal")


def _start(line: str) -> "Place":
    """The place that --screen names.

    Raises:
        InvalidArgument: there is no such screen.
    """
    from tq.tui.commandline import WORDS, parse_command

    place = parse_command(line)
    if not any(word.screen == place.screen and word.verb for word in WORDS):
        known = ", ".join(word.names[0] for word in WORDS if word.verb)
        raise InvalidArgument(f"there is no screen {line!r}", hint=f"one of: {known}")
    return place


def _size(text: str | None) -> tuple[int, int]:
    if text is None:
        columns, lines = shutil.get_terminal_size()
        return columns, lines
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidArgument(f"{text!r} is no size", hint="columns and lines, such as 120x40")
    return int(found[1]), int(found[2])


def _print(place: "Place", address: str | None, config: Path | None, output: str) -> None:
    """Run the verb that prints what a screen shows; ends as that does."""
    from tq.cli.verbs import app
    from tq.tui.commandline import verb_of

    verb = verb_of(place)
    end = verb.index("--") if "--" in verb else len(verb)
    options = ["-o", output]
    options += ["--url", address] if address is not None else []
    options += ["--config", str(config)] if config is not None else []
    app([*verb[:end], *options, *verb[end:]], prog_name="tq")


def _replay(path: Path, start_ms: int, how: _How) -> None:
    from tq.tui.recording import Recording
    from tq.tui.replay import ReplayFeed
    from tq.tui.replay_app import ReplayApp

    recording = Recording(path)
    if recording.torn_bytes:
        sys.stderr.write(f"The end of {path} is torn: its last {recording.torn_bytes:,} bytes are left out.\n")
    _run(ReplayApp(ReplayFeed(recording, start_ms=start_ms), how.look, start=how.start), how.size)


def _reach(address: str | None, config: Path | None) -> list[str]:
    options = [f"--url={address}"] if address is not None else []
    return options + ([f"--config={config.absolute()}"] if config is not None else [])


def _live(addresses: Sequence[str] | None, role: str, acts_for: str, record: Path | None, how: _How) -> None:
    from tq.client.async_client import AsyncClient
    from tq.client.ssh_login import logged_in
    from tq.config.address import default_addresses, destination
    from tq.config.profiles import named_profile
    from tq.model.identity import Role
    from tq.tui.app import TopApp
    from tq.tui.feed import Feed, LiveFeed
    from tq.tui.owned import OwnedApp
    from tq.tui.record_feed import RecordingFeed
    from tq.tui.recording import Recorder

    profile = named_profile(addresses)

    def client(reconnect_timeout: float) -> "AsyncClient":
        return AsyncClient(
            addresses,
            name="tq top",
            role=Role(role),
            acts_for=acts_for,
            connect_timeout=CONNECT_SECONDS,
            reconnect_timeout=reconnect_timeout,
            can_ask=False,  # there is no place for a question on this screen
        )

    feed: Feed = LiveFeed(
        client(LOST_AFTER_SECONDS),
        badge=profile.badge if profile is not None else "",
        confirms_always=profile.confirm_always if profile is not None else False,
    )
    given = destination(addresses).address
    hosts = default_addresses() if given is None else [given] if isinstance(given, str) else given
    with logged_in(hosts, seconds=CONNECT_SECONDS):
        if record is not None:
            feed = RecordingFeed(feed, Recorder(record, time.monotonic))
        asking = client(RECONNECT_SECONDS)
        if how.log_of_up is not None:
            app: TopApp = OwnedApp(
                feed, how.look, asking, start=how.start, log_path=str(how.log_of_up), reach=how.reach
            )
        else:
            is_local = not os.environ.get("TQ_DOOR")
            app = TopApp(feed, how.look, asking, start=how.start, is_local=is_local, reach=how.reach)
        _run(app, how.size)


def _run(app: "TopApp", size: tuple[int, int] | None) -> None:
    """Until it ends, or until its first frame is drawn.

    Raises:
        TqError: what the broker refused.
    """
    if size is not None:
        import asyncio

        from tq.tui.once import draw_once

        text = asyncio.run(draw_once(app, size, seconds=ONCE_SECONDS))
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        return
    gc.freeze()
    gc.enable()
    app.run()
    if app.refused is not None:
        raise app.refused
    raise typer.Exit(app.return_code or 0)


def _look(hz: float, theme: str | None, *, is_utc: bool) -> "Look":
    from tq.tui.app import Look
    from tq.tui.glyphs import glyphs_for
    from tq.tui.theme import NAMES, theme_for

    if theme is not None and theme not in NAMES:
        raise InvalidArgument(f"there is no theme {theme!r}", hint=f"one of: {', '.join(NAMES)}")
    return Look(glyphs_for(os.environ, sys.stdout.encoding or ""), theme or theme_for(os.environ), hz, is_utc)
