"""`tq door`: an SSH server that shows the dashboard, and nothing else.

Each terminal that somebody opens gets a `tq top` of its own, a process with the role of their key. There is no shell,
no command, no forwarding and no file transfer: asyncssh refuses what is not asked for here.
"""

import asyncio
import re
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Final

import asyncssh
import msgspec
from structlog.typing import FilteringBoundLogger

from tq.doors.keys import KeyFile, load_host_key
from tq.doors.terminal import Terminal
from tq.doors.visitor import Command, Visitor, handed_on
from tq.model.errors import ConfigInvalid, TqError

PORT_DEFAULT: Final = 2222
SESSIONS_MAX: Final = 8
IDLE_SECONDS: Final = 30 * 60.0
LOGIN_SECONDS: Final = 20.0
KEEP_ALIVE_SECONDS: Final = 15
KEEP_ALIVE_COUNT: Final = 3
STRANGERS_MAX: Final = 32
"""Connections that have not logged in. One more ends the oldest of them: a crowd that only stands in the doorway keeps
nobody out who has a key at hand."""

CONNECTIONS_PER_SESSION: Final = 4
"""Connections that have logged in may be so many times the sessions."""

_TERMINAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,63}")
EXIT_REFUSED: Final = 1

NO_TERMINAL: Final = "This door shows the dashboard of tq, which needs a terminal: ssh -t\r\n"
NO_COMMANDS: Final = (
    "This door runs no commands. For the dashboard, connect without one; else see tq --url ssh://HOST\r\n"
)
FULL: Final = "This door shows the dashboard to {} people, which is its limit. Try again later.\r\n"
IDLE: Final = "\r\nNo key was pressed for {:.0f} minutes: the door is closed.\r\n"
CLOSING: Final = "\r\nThe door is closed.\r\n"


class DoorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a door is. Lengths of time are in seconds; `idle_seconds` 0: nobody is sent away."""

    host: str = "127.0.0.1"
    port: int = PORT_DEFAULT
    keys: Path
    host_key: Path
    sessions_max: int = SESSIONS_MAX
    idle_seconds: float = IDLE_SECONDS
    login_seconds: float = LOGIN_SECONDS


class Door:
    """The server. `start` it, then `close` it.

    Args:
        command: what is run for a visitor.
        environment: that of this process; little of it is handed on.
    """

    def __init__(
        self, options: DoorOptions, command: Command, environment: Mapping[str, str], log: FilteringBoundLogger
    ) -> None:
        self.options = options
        self.command = command
        self.keys = KeyFile(options.keys)
        self.log = log
        self.environment = environment
        self.strangers: dict[asyncssh.SSHServerConnection, str] = {}  # and where they come from, the oldest first
        self.visitors: set[asyncssh.SSHServerConnection] = set()
        self.sessions: set[_Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigInvalid: the keys, the host key, or the address.
        """
        options = self.options
        host_key = load_host_key(options.host_key)
        lines, refused = self.keys.read()
        for reason in refused:
            self.log.warning("door_key_ignored", reason=reason)
        try:
            self._acceptor = await asyncssh.listen(
                options.host,
                options.port,
                server_factory=lambda: _Server(self),
                server_host_keys=[host_key],
                server_version="tq",
                login_timeout=options.login_seconds,
                keepalive_interval=KEEP_ALIVE_SECONDS,
                keepalive_count_max=KEEP_ALIVE_COUNT,
                agent_forwarding=False,
                x11_forwarding=False,
                allow_scp=False,
                line_editor=False,
                encoding=None,
            )
        except OSError as cause:
            raise ConfigInvalid(
                f"the door cannot listen on port {options.port} of {options.host}: {cause.strerror}",
                hint="choose another --host or --port",
            ) from None
        self.log.info(
            "door_open",
            host=options.host,
            port=self.port,
            host_key=host_key.get_fingerprint(),
            keys=len(lines),
            sessions_max=options.sessions_max,
        )

    @property
    def port(self) -> int:
        """On which it listens."""
        assert self._acceptor is not None
        return self._acceptor.get_port()

    async def close(self) -> None:
        """Let nobody in any more, and send those who are in away."""
        if self._acceptor is not None:
            self._acceptor.close()
        for session in list(self.sessions):
            session.send_away(CLOSING)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for connection in [*self.strangers, *self.visitors]:
            connection.abort()
        self.log.info("door_closed")

    def run(self, showing: Coroutine[None, None, None]) -> None:
        """Keep a task for what a session shows."""
        task = asyncio.create_task(showing, name="tq door session")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Server(asyncssh.SSHServer):
    """One connection: who is there? All else that a server may be asked is refused by SSHServer itself."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._connection: asyncssh.SSHServerConnection
        self._origin = ""
        self._candidate: Visitor | None = None
        self._visitor: Visitor | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._origin = str((conn.get_extra_info("peername") or ("",))[0])
        strangers = self._door.strangers
        strangers[conn] = self._origin
        if len(strangers) > STRANGERS_MAX:
            oldest = next(iter(strangers))
            self._refuse(oldest, strangers.pop(oldest), "too many connections that do not log in")

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.strangers.pop(self._connection, None)
        self._door.visitors.discard(self._connection)

    def _refuse(self, connection: asyncssh.SSHServerConnection, origin: str, reason: str) -> None:
        self._door.log.warning("door_connection_refused", origin=origin, reason=reason)
        connection.abort()

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Asked once or more for each key that is offered. That it is theirs is proved afterwards."""
        try:
            self._candidate = self._door.keys.find(key, self._origin)
        except TqError as error:
            self._door.log.warning("door_keys_unusable", reason=str(error))
            self._candidate = None
        if self._candidate is None:
            self._door.log.info("door_key_refused", origin=self._origin, key=key.get_fingerprint())
        return self._candidate is not None

    def auth_completed(self) -> None:
        # Now alone is the last key that was asked about also the one that was proved.
        self._visitor = self._candidate
        door, connection = self._door, self._connection
        door.strangers.pop(connection, None)
        door.visitors.add(connection)
        if len(door.visitors) > door.options.sessions_max * CONNECTIONS_PER_SESSION:
            self._refuse(connection, self._origin, "too many connections")

    def session_requested(self) -> "_Session | bool":
        if self._visitor is None:
            return False
        return _Session(self._door, self._visitor, self._origin)


class _Session(asyncssh.SSHServerSession[bytes]):
    """One terminal of a visitor."""

    def __init__(self, door: Door, visitor: Visitor, origin: str) -> None:
        self._door = door
        self._visitor = visitor
        self._origin = origin
        self._channel: asyncssh.SSHServerChannel[bytes]
        self._terminal: Terminal | None = None
        self._has_terminal = False
        self._refusal = ""
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:
        self._has_terminal = True
        return True

    def shell_requested(self) -> bool:
        if not self._has_terminal:
            self._refusal = NO_TERMINAL
        return True

    def exec_requested(self, command: str) -> bool:
        self._refusal = NO_COMMANDS  # "exec request failed on channel 0" would be all that its ssh said
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        return False

    def session_started(self) -> None:
        door = self._door
        if not self._refusal and len(door.sessions) >= door.options.sessions_max:
            self._refusal = FULL.format(door.options.sessions_max)
        if self._refusal:
            door.log.info("door_session_refused", visitor=self._visitor.name, reason=self._refusal.strip())
            self._channel.write_stderr(self._refusal.encode())
            self._channel.exit(EXIT_REFUSED)
            return
        columns, lines = self._channel.get_terminal_size()[:2]
        terminal = self._terminal = Terminal(
            (columns, lines), on_output=self._channel.write, on_end=self._ended, on_room=self._channel.resume_reading
        )
        door.sessions.add(self)
        self._stay_awake()
        door.run(self._show(terminal))

    async def _show(self, terminal: Terminal) -> None:
        """Run the dashboard until it ends; it does soon after they have gone."""
        door, visitor = self._door, self._visitor
        facts = {"visitor": visitor.name, "role": visitor.role.value, "origin": self._origin}
        door.log.info("door_session_opened", **facts)
        try:
            await terminal.run(door.command(visitor), self._environment())
        except OSError as cause:
            door.log.warning("door_session_failed", reason=str(cause), **facts)
            self._ended(EXIT_REFUSED)
        finally:
            door.sessions.discard(self)
            door.log.info("door_session_closed", **facts)

    def data_received(self, data: bytes, datatype: object) -> None:
        self._stay_awake()
        if self._terminal is not None and not self._terminal.type(data):
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        self._hang_up()
        return False

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._terminal is not None:
            self._terminal.resize((width, height))

    def pause_writing(self) -> None:
        if self._terminal is not None:
            self._terminal.hold(is_held=True)

    def resume_writing(self) -> None:
        if self._terminal is not None:
            self._terminal.hold(is_held=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hang_up()

    def send_away(self, why: str) -> None:
        """End the session, and say why."""
        self._channel.write(why.encode())
        self._hang_up()
        self._channel.exit(EXIT_REFUSED)

    def _hang_up(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._terminal is not None:
            self._terminal.hang_up()

    def _ended(self, code: int) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if not self._channel.is_closing():
            self._channel.exit(code if code >= 0 else 128 - code)

    def _stay_awake(self) -> None:
        seconds = self._door.options.idle_seconds
        if self._idle is not None:
            self._idle.cancel()
        if seconds:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(seconds, self.send_away, IDLE.format(seconds / 60))

    def _environment(self) -> dict[str, str]:
        """Of the dashboard: a few variables of the door, and what the visitor's side says of its terminal."""
        told = self._channel.get_environment()
        term = self._channel.get_terminal_type() or ""
        encoding = told.get("LC_ALL") or told.get("LC_CTYPE") or told.get("LANG") or "UTF-8"
        is_utf8 = "utf8" in encoding.lower().replace("-", "")
        chosen = {
            "TERM": term if _TERMINAL.fullmatch(term) else "xterm",
            "LANG": "C.UTF-8" if is_utf8 else "C",
        }
        if told.get("COLORTERM") in ("truecolor", "24bit"):
            chosen["COLORTERM"] = "truecolor"
        if told.get("NO_COLOR"):
            chosen["NO_COLOR"] = "1"
        return {**handed_on(self._door.environment, "ssh"), **chosen}
