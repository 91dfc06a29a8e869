"""`tq web` in a real Chromium, over a real broker: the dashboard itself."""

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.processes import Daemon, daemon
from tests.client.real import RealBroker
from tests.doors.browser import Browser, chromium, missing
from tq.client.async_client import AsyncClient
from tq.client.task import Task

pytest.importorskip("textual_serve", reason="textual-serve is missing: pip install 'tq[web]'")
pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("chromium"),
]


def _link(door: Daemon) -> str:
    door.wait_for("works once")
    assert door.process.stdout is not None
    return door.process.stdout.readline().decode().strip()


def _enter(browser: Browser, link: str) -> None:
    """Follow a link, until the dashboard is drawn."""
    browser.open(link)
    browser.wait_for("document.body.classList.contains('-first-byte')")


@contextlib.contextmanager
def _another_site(page: str) -> Iterator[str]:
    """A site of somebody else on this machine, which browsers hold for the same one: only its port differs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_page_shows_the_dashboard_takes_keys_without_a_click_and_asks_nobody_else(
    broker: RealBroker, tmp_path: Path
) -> None:
    flags = ("--role", "viewer", "--log-format", "json", "--url", broker.socket_address)
    with daemon("web", "--port", "0", *flags) as door, chromium(tmp_path / "profile") as browser:
        url = json.loads(door.wait_for("web_open"))["url"]
        browser.open(_link(door))
        browser.wait_for("document.body.classList.contains('-first-byte')")
        browser.read_until("viewer")
        browser.read_until("QUEUE")
        browser.wait_for("document.activeElement.className === 'xterm-helper-textarea'")
        browser.press("2")
        browser.read_until("> workers")
        browser.picture(tmp_path / "page.png")
        [cookie] = browser.cookies()
        requested, href = browser.requested, browser.run("location.href")
        seen_by_scripts = browser.run("document.cookie")
        has_font = browser.run("document.fonts.check('15px \"Roboto Mono\"')")
        browser.press("q")
        browser.wait_for("document.body.classList.contains('-closed')")
        door.wait_for("web_session_closed")
        assert door.end() == 0

    assert (tmp_path / "page.png").stat().st_size > 5_000
    assert href == f"{url}/", "the link is not in the address line, nor in the history"
    assert requested
    outside = [one for one in requested if not one.startswith((f"{url}/", f"ws{url.removeprefix('http')}/ws?"))]
    assert outside == []
    assert (cookie["httpOnly"], cookie["sameSite"], seen_by_scripts) == (True, "Strict", "")
    assert has_font


def test_what_textual_js_would_fetch_for_whoever_made_the_link_is_not_fetched(
    broker: RealBroker, tmp_path: Path
) -> None:
    with (
        daemon("web", "--port", "0", "--log-format", "json", "--url", broker.socket_address) as door,
        chromium(tmp_path / "profile") as browser,
    ):
        url = json.loads(door.wait_for("web_open"))["url"]
        browser.open(_link(door))
        browser.wait_for("document.body.classList.contains('-first-byte')")
        browser.open(f"{url}/?ping=http://127.0.0.2:9/&delay=1")
        browser.wait_for("document.body.classList.contains('-first-byte')")
        requested = browser.requested

    assert not any("127.0.0.2" in one.removeprefix(f"{url}/?ping=http://127.0.0.2") for one in requested)


def test_a_link_is_spent_with_the_first_browser_and_without_the_cookie_there_is_nothing(
    broker: RealBroker, tmp_path: Path
) -> None:
    flags = ("--role", "viewer", "--log-format", "json", "--url", broker.socket_address)
    with daemon("web", "--port", "0", *flags) as door, chromium(tmp_path / "profile") as browser:
        url = json.loads(door.wait_for("web_open"))["url"]
        browser.open(url)
        before = browser.text
        link = _link(door)
        _enter(browser, link)
        browser.open(url)
        browser.wait_for("document.body.classList.contains('-first-byte')")  # the cookie is enough
        browser.forget_cookies()
        browser.open(url)
        without_the_cookie = browser.text
        browser.open(link)
        again = browser.text
        _enter(browser, _link(door))

    assert "Open the link that tq web has printed last" in before
    assert "Open the link that tq web has printed last" in without_the_cookie
    assert "This link has been used" in again


def test_another_site_gets_neither_stream_nor_frame_in_a_browser_that_was_let_in(
    broker: RealBroker, tmp_path: Path
) -> None:
    with (
        daemon("web", "--port", "0", "--log-format", "json", "--url", broker.socket_address) as door,
        chromium(tmp_path / "profile") as browser,
    ):
        url = json.loads(door.wait_for("web_open"))["url"]
        _enter(browser, _link(door))
        browser.open("about:blank")
        door.wait_for("web_session_closed")
        evil = f"""<!DOCTYPE html><iframe src="{url}/"></iframe><script>
            window.said = [];
            const socket = new WebSocket("ws{url.removeprefix("http")}/ws?width=80&height=24");
            socket.onopen = () => window.said.push("open");
            socket.onclose = () => window.said.push("close");
            fetch("{url}/", {{credentials: "include"}}).then(
                () => window.said.push("read"), () => window.said.push("unread"));
        </script>"""
        with _another_site(evil) as site:
            browser.open(site)
            browser.wait_for("window.said.length >= 2")
            said = browser.run("window.said.sort()")
        refusal = json.loads(door.wait_for("web_refused"))
        sockets = [one["url"] for one in browser.events("Network.webSocketCreated")]

    assert said == ["close", "unread"]
    assert refusal["status"] == 403
    assert len(sockets) == 2, "the first page's own, and that of the other site: the frame has run nothing"


def test_a_page_more_than_the_cap_is_told_so_and_a_place_is_free_when_one_is_closed(
    broker: RealBroker, tmp_path: Path
) -> None:
    flags = ("--max-sessions", "1", "--log-format", "json", "--url", broker.socket_address)
    with daemon("web", "--port", "0", *flags) as door, chromium(tmp_path / "profile") as browser:
        url = json.loads(door.wait_for("web_open"))["url"]
        _enter(browser, _link(door))
        browser.new_tab()
        browser.open(url)
        refused = browser.text
        browser.close_tab()
        browser.open("about:blank")
        door.wait_for("web_session_closed")
        browser.open(url)
        browser.wait_for("document.body.classList.contains('-first-byte')")

    assert "The dashboard is shown to 1 browser, which is the limit" in refused


async def test_what_a_viewer_presses_changes_nothing_and_says_why(broker: RealBroker, tmp_path: Path) -> None:
    async with AsyncClient(broker.socket_address) as client:
        await client.submit_task(Task("looked-at", queue="looked-at"))
    flags = ("--role", "viewer", "--log-format", "json", "--url", broker.socket_address)
    with daemon("web", "--port", "0", *flags) as door, chromium(tmp_path / "profile") as browser:
        _enter(browser, _link(door))
        browser.read_until("looked-at")
        browser.press("H")
        browser.read_until("viewer: needs operator")
        assert door.end() == 0

    async with AsyncClient(broker.socket_address) as client:
        [queue] = [one for one in await client.queues() if one.name == "looked-at"]
    assert not queue.is_paused
