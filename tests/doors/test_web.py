"""`tq web` as a browser sees it, or somebody who writes their own requests; a program of the tests is the dashboard."""

import asyncio
import io
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.certificates import Certificates
from tests.cli.processes import daemon, environment, run_tq
from tq.model.identity import Role
from tq.model.settings import LogSettings
from tq.server.logging import make_logger

pytest.importorskip("aiohttp", reason="aiohttp is missing: pip install 'tq[web]'")
pytest.importorskip("textual_serve", reason="textual-serve is missing: pip install 'tq[web]'")

import aiohttp

from tq.doors.web import FILES, Resized, Typed, WebDoor, WebOptions, parse_message

BOARD = str(Path(__file__).with_name("board.py"))
SECONDS_MAX = 30.0


class Opened:
    """A door, and a browser without a face that keeps no cookies by itself."""

    def __init__(self, door: WebDoor, links: list[str], log: io.StringIO, http: aiohttp.ClientSession) -> None:
        self.door, self.links, self.http, self._log = door, links, http, log
        self.base = f"http://127.0.0.1:{door.port}"
        self.cookie = ""

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        cookies = {"Cookie": f"{self.door.cookie_name}={self.cookie}"} if self.cookie else {}
        async with self.http.get(self.base + path, headers={**cookies, **headers}, allow_redirects=False) as response:
            await response.read()
            return response

    async def enter(self) -> aiohttp.ClientResponse:
        """Follow the link of now."""
        response = await self.get("/?" + self.links[-1].partition("?")[2])
        self.cookie = response.cookies[self.door.cookie_name].value
        return response

    @asynccontextmanager
    async def page(self, path: str = "/ws?width=100&height=30", **headers: str) -> AsyncIterator["Page"]:
        sent = {"Cookie": f"{self.door.cookie_name}={self.cookie}", "Origin": self.base, **headers}
        async with self.http.ws_connect(self.base + path, headers=sent) as websocket:
            yield Page(websocket)

    async def refusal(self, **headers: str) -> int:
        """The status with which a websocket is refused."""
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with self.page(**headers):
                pass
        return int(caught.value.status)

    def events(self, name: str) -> list[dict[str, object]]:
        lines = (json.loads(line) for line in self._log.getvalue().splitlines())
        return [line for line in lines if line["message"] == name]

    async def nobody_left(self) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while self.door.sessions:
                await asyncio.sleep(0.01)


class Page:
    """What is drawn in it, and what is typed."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.seen = ""

    async def read_until(self, text: str) -> str:
        async with asyncio.timeout(SECONDS_MAX):
            while text not in self.seen:
                message = await self.websocket.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, f"{message.type} before {text!r} in:\n{self.seen}"
                self.seen += message.data.decode(errors="replace")
        return self.seen

    async def type(self, text: str) -> None:
        await self.websocket.send_str(json.dumps(["stdin", text]))

    async def end(self) -> str:
        """All that was drawn, once the door has closed it."""
        async with asyncio.timeout(SECONDS_MAX):
            while (message := await self.websocket.receive()).type is aiohttp.WSMsgType.BINARY:
                self.seen += message.data.decode(errors="replace")
        return self.seen

    def pid(self) -> int:
        found = re.search(r"pid=(\d+)\.", self.seen)
        assert found
        return int(found[1])


@asynccontextmanager
async def opened(
    *, sessions: int = 8, idle: float = 0.0, name: str = "web", role: Role = Role.OPERATOR, public_url: str = ""
) -> AsyncIterator[Opened]:
    links: list[str] = []
    log = io.StringIO()
    door = WebDoor(
        WebOptions(port=0, sessions_max=sessions, idle_seconds=idle, role=role, name=name, public_url=public_url),
        lambda visitor: [sys.executable, BOARD, visitor.role, visitor.name],
        {**os.environ, "SECRET": "x", "TQ_URL": "tcp://here"},
        make_logger(LogSettings(format="json"), log),
        on_link=links.append,
    )
    await door.start()
    jar = aiohttp.DummyCookieJar()
    try:
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            yield Opened(door, links, log, http)
    finally:
        await door.close()


async def test_without_a_cookie_there_is_nothing_to_see() -> None:
    async with opened() as door:
        for path in [*FILES, "/ws", "/static/", "/download/x", "/favicon.ico", "/../tq.yaml"]:
            origin = {"Origin": door.base} if path == "/ws" else {}
            response = await door.get(path, **origin)
            assert response.status == 401, path
        assert await door.refusal() == 401
        door.cookie = "guessed"
        assert await door.refusal() == 401


async def test_the_link_gives_a_cookie_that_scripts_and_other_sites_do_not_get_and_works_once() -> None:
    async with opened() as door:
        link = door.links[-1]
        entered = await door.enter()
        page = await door.get("/")
        cookie = entered.cookies[door.door.cookie_name]
        spent, door.cookie = door.cookie, ""
        again = await door.get("/?" + link.partition("?")[2])
        door.cookie = spent

        assert (entered.status, page.status, again.status) == (200, 200, 401)
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert 'content="0; url=/"' in await entered.text()
        assert "location" not in entered.headers, "a browser would not send a strict cookie along a redirect"
        assert len(door.links) == 2
        assert door.links[-1] != link
        assert not any(one.partition("=")[2] in door._log.getvalue() for one in door.links), "a link in the log"


async def test_pages_of_other_sites_and_names_that_point_here_are_refused() -> None:
    async with opened() as door:
        await door.enter()
        port = door.door.port

        assert (await door.get("/", Origin="http://evil.example")).status == 403
        assert (await door.get("/", Host=f"evil.example:{port}")).status == 403
        assert await door.refusal(Origin="http://evil.example") == 403
        assert await door.refusal(Origin="null") == 403
        assert await door.refusal(Origin=f"http://localhost:{port}") == 403, "this page is of 127.0.0.1"
        assert await door.refusal(Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}") == 403
        assert (await door.get("/ws")).status == 403, "no Origin at all"
        async with door.page(Host=f"localhost:{port}", Origin=f"http://localhost:{port}") as page:
            await page.read_until("pid=")


async def test_every_answer_says_that_nothing_comes_from_elsewhere() -> None:
    async with opened() as door:
        refused = await door.get("/")
        await door.enter()
        answers = [refused, await door.get("/"), await door.get("/textual.js"), await door.get("/nothing")]

    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Server"] == "tq"
    assert [answer.status for answer in answers] == [401, 200, 200, 404]


def test_our_page_names_no_other_site() -> None:
    for path, _ in FILES.values():
        if path.parent.name == "page":
            assert re.findall(r"https?://|//[a-z]", path.read_text()) == []


async def test_the_dashboard_gets_the_role_a_clean_environment_and_a_terminal_of_its_own() -> None:
    async with opened(role=Role.VIEWER, name="anna") as door:
        await door.enter()
        async with door.page() as page:
            await page.read_until("pid=")
            await page.type("k")
            seen = await page.read_until("key=b'k'")
            await page.websocket.send_str(json.dumps(["resize", {"width": 133, "height": 41}]))
            await page.read_until("size=133x41")

    assert "role=viewer" in seen
    assert "name=anna 127.0.0.1" in seen
    assert "size=100x30" in seen
    assert "terminals=True,True,True leader=True" in seen
    variables = dict(pair.partition("=")[::2] for pair in seen.split("env=")[1].split("\r\n")[0].split(" "))
    assert (variables["TERM"], variables["COLORTERM"], variables["TQ_DOOR"]) == ("xterm-256color", "truecolor", "web")
    assert variables["TQ_URL"] == "tcp://here"
    assert "SECRET" not in variables


async def test_when_the_dashboard_ends_the_page_is_told() -> None:
    async with opened() as door:
        await door.enter()
        async with door.page() as page:
            await page.read_until("pid=")
            await page.type("q")
            seen = await page.end()
        await door.nobody_left()

    assert "bye" in seen
    assert len(door.events("web_session_opened")) == len(door.events("web_session_closed")) == 1


async def test_when_the_page_is_gone_so_is_the_dashboard() -> None:
    async with opened() as door:
        await door.enter()
        async with door.page() as page:
            await page.read_until("pid=")
        await door.nobody_left()

        assert not psutil.pid_exists(page.pid())


async def test_no_more_pages_than_the_cap_and_a_place_is_free_again_afterwards() -> None:
    async with opened(sessions=2) as door:
        await door.enter()
        async with door.page() as first, door.page() as second:
            await first.read_until("pid=")
            await second.read_until("pid=")
            assert await door.refusal() == 503
            full = await door.get("/")
            assert full.status == 503
            assert "2 browsers" in await full.text()
        await door.nobody_left()
        async with door.page() as page:
            await page.read_until("pid=")


async def test_who_presses_no_key_is_sent_away() -> None:
    async with opened(idle=0.3) as door:
        await door.enter()
        async with door.page() as page:
            seen = await page.end()
        await door.nobody_left()

    assert "No key was pressed for too long" in seen


async def test_closing_the_door_ends_all_dashboards() -> None:
    async with opened() as door:
        await door.enter()
        async with door.page() as page:
            await page.read_until("pid=")
            await door.door.close()
            seen = await page.end()

    assert "The door is closed." in seen
    assert not psutil.pid_exists(page.pid())


async def test_a_browser_that_does_not_read_slows_its_own_dashboard_down_and_nothing_else() -> None:
    async with opened() as door:
        await door.enter()
        async with door.page() as slow, door.page() as other:
            await slow.read_until("pid=")
            await slow.type("f")  # 1.6 MB that nobody reads for now
            await other.read_until("pid=")
            await other.type("k")
            await other.read_until("key=b'k'")
            await slow.read_until("flooded")


async def test_what_makes_no_sense_does_nothing() -> None:
    async with opened() as door:
        await door.enter()
        async with door.page("/ws?width=%F0%9D%9F%99&height=-3") as page:
            await page.read_until("pid=")
            for text in (
                "",
                "[",
                "[" * 9_999,
                "{}",
                "[]",
                '["stdin"]',
                '["stdin", 7]',
                '["resize", {"width": "x"}]',
                "7",
            ):
                await page.websocket.send_str(text)
            await page.websocket.send_bytes(b"\x00")
            await page.websocket.send_str(json.dumps(["resize", {"width": 10**12, "height": -1}]))
            await page.type("k")
            seen = await page.read_until("key=b'k'")

    assert "size=80x24" in seen
    assert "size=1000x24" in seen


def test_messages_are_understood_or_ignored() -> None:
    assert parse_message('["stdin", "\\u00e9\\ud800"]') == Typed(b"\xc3\xa9?")
    assert parse_message('["resize", {"width": 3, "height": 4}]') == Resized(3, 4)
    for nonsense in ('["focus"]', '["ping", "1"]', '["resize", {"width": 1.5, "height": 4}]', "nan", "\x00"):
        assert parse_message(nonsense) is None


async def test_two_doors_on_one_machine_do_not_share_a_cookie() -> None:
    async with opened() as one, opened() as other:
        assert one.door.cookie_name != other.door.cookie_name


def test_tq_web_speaks_https_with_a_cookie_of_this_host_alone(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.sign("door", "DNS:localhost", "IP:127.0.0.1")
    pair = ("--tls-cert", certificates.path("door.pem"), "--tls-key", certificates.path("door.key"))
    with daemon("web", "--port", "0", *pair, "--log-format", "json", "--url", "tcp://127.0.0.1:1") as door:
        url = json.loads(door.wait_for("web_open"))["url"]
        door.wait_for("works once")
        assert door.process.stdout is not None
        link = door.process.stdout.readline().decode().strip()

        async def enter() -> tuple[int, str]:
            context = ssl.create_default_context(cafile=certificates.path("ca.pem"))
            async with aiohttp.ClientSession() as http, http.get(link, ssl=context) as response:
                return response.status, response.headers["Set-Cookie"]

        status, cookie = asyncio.run(enter())
        assert door.end() == 0

    assert url.startswith("https://127.0.0.1:")
    assert link.startswith(f"{url}/?token=")
    assert status == 200
    assert cookie.startswith("__Host-tq-web-")
    assert "Secure" in cookie


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "not loopback"),
        (["--public-url", "https://x/y"], "no address of a site"),
        (["--tls-cert", "/nowhere.pem"], "--tls-cert /nowhere.pem"),
        (["--role", "king"], "king"),
    ],
)
def test_what_cannot_be_is_said_at_once(arguments: list[str], said: str) -> None:
    done = run_tq("web", "--port", "0", *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_insecure_allows_what_is_otherwise_refused() -> None:
    with daemon("web", "--host", "0.0.0.0", "--port", "0", "--insecure", "--log-format", "json") as door:
        door.wait_for("web_open")
        assert door.end() == 0


def test_what_is_not_installed_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['textual_serve'] = None\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH", ""))))

    done = run_tq("web", env=environment(PYTHONPATH=path))

    assert done.returncode == 2
    assert "pip install 'tq[web]'" in done.stderr


def test_the_help_loads_nothing_that_only_the_browser_needs() -> None:
    code = (
        "import sys; from tq.cli.main import main; sys.argv = ['tq', 'web', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "loaded = {'aiohttp', 'textual_serve', 'textual', 'asyncssh'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), check=False)

    assert done.returncode == 0, done.stderr.decode()
