"""`tq web` in a real Chromium, over a real broker: the dashboard itself."""

import json
from pathlib import Path

import pytest

from tests.cli.processes import Daemon, daemon
from tests.client.real import RealBroker
from tests.doors.browser import chromium, missing

pytest.importorskip("textual_serve", reason="textual-serve is missing: pip install 'tq[web]'")
pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("chromium"),
]


def _link(door: Daemon) -> str:
    door.wait_for("works once")
    assert door.process.stdout is not None
    return door.process.stdout.readline().decode().strip()


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
