"""`tq web`: the dashboard in a browser.

Each page that is opened gets a `tq top` of its own, on a pseudo-terminal as behind the SSH door; the browser draws it
with the front end that textual-serve brings (xterm.js). The server part of textual-serve is not used: it lets everybody
in, from any site, and starts what it runs by a shell.
"""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import textual_serve
from aiohttp import WSMsgType, web
from structlog.typing import FilteringBoundLogger

from tq.doors.terminal import Terminal
from tq.doors.visitor import Command, Visitor, handed_on
from tq.doors.web_access import COOKIE_SECONDS, Passes, Places
from tq.model.identity import Role
from tq.server.listen import listen_tcp

PORT_DEFAULT: Final = 8379
SESSIONS_MAX: Final = 8
IDLE_SECONDS: Final = 30 * 60.0
HEARTBEAT_SECONDS: Final = 15.0
"""A browser that does not answer for one and a half of these is gone."""
CLOSE_SECONDS: Final = 2.0
MESSAGE_BYTES_MAX: Final = 1 << 20
"""Of what a browser sends at once: it is what can be pasted at once."""
UNSENT_BYTES_MAX: Final = 1 << 16
"""Of what the dashboard drew and the browser has not been sent; above it the dashboard waits."""

IDLE: Final = b"\r\nNo key was pressed for too long: the door is closed.\r\n"
CLOSING: Final = b"\r\nThe door is closed.\r\n"

_PAGE: Final = Path(__file__).with_name("page")
_FRONT_END: Final = Path(textual_serve.__file__).with_name("static")
FILES: Final[Mapping[str, tuple[Path, str]]] = {
    "/": (_PAGE / "index.html", "text/html; charset=utf-8"),
    "/page.css": (_PAGE / "page.css", "text/css; charset=utf-8"),
    "/page.js": (_PAGE / "page.js", "text/javascript; charset=utf-8"),
    "/textual.js": (_FRONT_END / "js" / "textual.js", "text/javascript; charset=utf-8"),
    "/xterm.css": (_FRONT_END / "css" / "xterm.css", "text/css; charset=utf-8"),
    "/font.ttf": (_FRONT_END / "fonts" / "RobotoMono-VariableFont_wght.ttf", "font/ttf"),
}
"""All that is served, and nothing else."""

HEADERS: Final = {
    # Styles are also written by xterm.js. Nothing may come from, or go to, another site.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

# Not a redirect: a browser that followed the link from another site would not send the cookie (SameSite) to where it
# was redirected. What this page asks for, it asks for itself.
_WELCOME: Final = '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>tq</title>'

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a door is. `role` is what every visitor wants to be at most, `name` how the audit calls them.
    `public_url`: of a proxy in front of it; empty: none. `idle_seconds` 0: nobody is sent away."""

    host: str = "127.0.0.1"
    port: int = PORT_DEFAULT
    role: Role = Role.ADMIN
    name: str = "web"
    public_url: str = ""
    sessions_max: int = SESSIONS_MAX
    idle_seconds: float = IDLE_SECONDS


class WebDoor:
    """The server. `start` it, then `close` it.

    Args:
        command: what is run for a visitor.
        environment: that of this process; little of it is handed on.
        on_link: told the address that lets the next browser in, each time there is a new one.
        tls: to speak https; None: http.
        clock: seconds, for how long a browser stays let in.

    Raises:
        InvalidArgument: the public URL.
    """

    def __init__(
        self,
        options: WebOptions,
        command: Command,
        environment: Mapping[str, str],
        log: FilteringBoundLogger,
        *,
        on_link: Callable[[str], None],
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.command = command
        self.environment = environment
        self.log = log
        self.sessions: set[_Session] = set()
        self.port = options.port
        self._on_link = on_link
        self._tls = tls
        names = (options.host, socket.gethostname(), socket.getfqdn())
        self._places = Places("http" if tls is None else "https", names, options.public_url)
        self._passes = Passes(clock)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen, and make the first link.

        Raises:
            ConfigInvalid: it cannot listen there.
        """
        sockets = listen_tcp(self.options.host, self.options.port)
        self.port = sockets[0].getsockname()[1]
        app = web.Application(middlewares=[self._guard])
        app.on_response_prepare.append(_harden)
        for path in FILES:
            app.router.add_get(path, _serve_file)
        app.router.add_get("/ws", self._show)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await self._runner.setup()
        for sock in sockets:
            await web.SockSite(self._runner, sock, ssl_context=self._tls).start()
        self.log.info(
            "web_open",
            url=self.url,
            role=self.options.role.value,
            sessions_max=self.options.sessions_max,
            is_encrypted=self._places.is_encrypted,
        )
        self._make_link()

    @property
    def url(self) -> str:
        """Where it is, for a browser; without what lets it in."""
        if self._places.public:
            return self._places.public
        host = self.options.host
        shown = host if host.strip("0.:") else socket.gethostname()  # 0.0.0.0 and :: are no place to go to
        bracketed = f"[{shown}]" if ":" in shown else shown
        return f"{'http' if self._tls is None else 'https'}://{bracketed}:{self.port}"

    @property
    def cookie_name(self) -> str:
        """Cookies know no ports: another door on this machine has its own. `__Host-`: of this host, and encrypted."""
        return f"{'__Host-' if self._places.is_encrypted else ''}tq-web-{self.port}"

    async def close(self) -> None:
        """Let nobody in any more, and send those who are in away."""
        for session in list(self.sessions):
            session.send_away(CLOSING)
        if self._runner is not None:
            await self._runner.cleanup()
        self.log.info("web_closed")

    def _make_link(self) -> None:
        self._on_link(f"{self.url}/?token={self._passes.new_link()}")

    @property
    def _is_full(self) -> bool:
        return len(self.sessions) >= self.options.sessions_max

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nothing is answered before this: who is it, and does a page of ours ask?"""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not self._places.knows_host(host):
            return self._refuse(request, HTTPStatus.FORBIDDEN, "This is not the name of this door.")
        if origin is None and request.path == "/ws":
            return self._refuse(request, HTTPStatus.FORBIDDEN, "The page that asks is not known.")
        if origin is not None and not self._places.knows_origin(origin, host):
            return self._refuse(request, HTTPStatus.FORBIDDEN, "The page that asks is not of this door.")
        token = request.query.get("token")
        if request.path == "/" and token is not None:
            return self._let_in(request, token)
        if not self._passes.is_known(request.cookies.get(self.cookie_name, "")):
            return self._refuse(request, HTTPStatus.UNAUTHORIZED, "Open the link that tq web has printed last.")
        if request.path in ("/", "/ws") and self._is_full:
            browsers = "1 browser" if self.options.sessions_max == 1 else f"{self.options.sessions_max} browsers"
            return self._refuse(
                request,
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"The dashboard is shown to {browsers}, which is the limit. Try again later.",
            )
        return await handler(request)

    def _let_in(self, request: web.Request, token: str) -> web.Response:
        cookie = self._passes.exchange(token)
        if cookie is None:
            return self._refuse(
                request,
                HTTPStatus.UNAUTHORIZED,
                "This link has been used, or is not one. Open the link that tq web has printed last.",
            )
        self.log.info("web_browser_let_in", origin=request.remote)
        self._make_link()
        response = web.Response(text=_WELCOME, content_type="text/html")
        response.set_cookie(
            self.cookie_name,
            cookie,
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=self._places.is_encrypted,
        )
        return response

    def _refuse(self, request: web.Request, status: HTTPStatus, reason: str) -> web.Response:
        self.log.info("web_refused", status=status.value, origin=request.remote, reason=reason)
        return web.Response(status=status, text=f"tq web: {reason}\n")

    async def _show(self, request: web.Request) -> web.StreamResponse:
        """Run a dashboard for as long as the page is open."""
        websocket = web.WebSocketResponse(
            timeout=CLOSE_SECONDS, heartbeat=HEARTBEAT_SECONDS, max_msg_size=MESSAGE_BYTES_MAX, compress=False
        )
        if not websocket.can_prepare(request):
            return self._refuse(request, HTTPStatus.BAD_REQUEST, "This is for websockets.")
        visitor = Visitor(f"{self.options.name} {request.remote or ''}".strip(), self.options.role)
        session = _Session(websocket, self.options.idle_seconds)
        self.sessions.add(session)  # before anything is waited for: two at once must not both be the last one
        facts = {"visitor": visitor.name, "role": visitor.role.value}
        try:
            await websocket.prepare(request)
            self.log.info("web_session_opened", **facts)
            environment = {
                **handed_on(self.environment, "web"),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "LANG": "C.UTF-8",
            }
            await session.run(self.command(visitor), environment, _size(request))
        except OSError as cause:
            self.log.warning("web_session_failed", reason=str(cause), **facts)
        finally:
            self.sessions.discard(session)
            self.log.info("web_session_closed", **facts)
        return websocket


class _Session:
    """One page: what it sends goes to a terminal, what is drawn there goes to it."""

    def __init__(self, websocket: web.WebSocketResponse, idle_seconds: float) -> None:
        self._websocket = websocket
        self._idle_seconds = idle_seconds
        self._idle: asyncio.TimerHandle | None = None
        self._unsent = bytearray()
        self._has_news = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_ended = False
        self._is_held = False
        self._terminal: Terminal | None = None

    async def run(self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int]) -> None:
        """Until the page is closed or the dashboard ends; then the other of the two is ended.

        Raises:
            OSError: the dashboard cannot be started.
        """
        terminal = self._terminal = Terminal(
            size, on_output=self._drawn, on_end=self._ended, on_room=self._has_room.set
        )
        running = asyncio.create_task(terminal.run(command, environment), name="tq web dashboard")
        sending = asyncio.create_task(self._send(terminal), name="tq web page")
        running.add_done_callback(self._ended)
        self._stay_awake()
        try:
            await self._receive(terminal)
        finally:
            if self._idle is not None:
                self._idle.cancel()
            terminal.hang_up()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await running

    def send_away(self, why: bytes) -> None:
        """End it, and say why."""
        self._drawn(why)
        self._ended(why)

    async def _receive(self, terminal: Terminal) -> None:
        async for message in self._websocket:
            if message.type is not WSMsgType.TEXT:
                continue
            match parse_message(message.data):
                case Typed(data):
                    self._stay_awake()
                    self._has_room.clear()
                    if not terminal.type(data):
                        await self._has_room.wait()
                case Resized(columns, lines):
                    terminal.resize((columns, lines))

    async def _send(self, terminal: Terminal) -> None:
        """What was drawn, as fast as the browser takes it; then the end of it."""
        while not self._has_ended or self._unsent:
            await self._has_news.wait()
            self._has_news.clear()
            data = bytes(self._unsent)
            self._unsent.clear()
            try:
                await self._websocket.send_bytes(data)
            except ConnectionError:
                break
            if self._is_held and len(self._unsent) <= UNSENT_BYTES_MAX:
                self._is_held = False
                terminal.hold(is_held=False)
        await self._websocket.close()

    def _drawn(self, data: bytes) -> None:
        self._unsent += data
        if self._terminal is not None and len(self._unsent) > UNSENT_BYTES_MAX:
            self._is_held = True
            self._terminal.hold(is_held=True)
        self._has_news.set()

    def _ended(self, _how: object) -> None:
        self._has_ended = True
        self._has_news.set()
        self._has_room.set()

    def _stay_awake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._idle_seconds:
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self.send_away, IDLE)


class Typed(NamedTuple):
    """Keys, or what the mouse did."""

    data: bytes


class Resized(NamedTuple):
    """The terminal has another size."""

    columns: int
    lines: int


def parse_message(text: str) -> Typed | Resized | None:
    """What textual.js says; None: it is nothing that matters here, or nothing at all."""
    try:
        match json.loads(text):
            case ["stdin", str(typed)]:
                return Typed(typed.encode(errors="replace"))
            case ["resize", {"width": int(columns), "height": int(lines)}]:
                return Resized(columns, lines)
    except (ValueError, RecursionError):
        pass
    return None


def _size(request: web.Request) -> tuple[int, int]:
    """Columns and lines that the page asks for; 0: not known."""
    return _number(request.query.get("width", "")), _number(request.query.get("height", ""))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0


async def _serve_file(request: web.Request) -> web.FileResponse:
    path, content_type = FILES[request.path]
    headers = {"Content-Type": content_type}
    if request.path != "/":
        headers["Cache-Control"] = "no-cache"  # kept, and asked for again only if it has changed
    return web.FileResponse(path, headers=headers)


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "tq"  # not which versions of what
