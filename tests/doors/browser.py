"""A real Chromium, driven by chromedriver in the protocol that all browsers have for it (W3C WebDriver)."""

import base64
import contextlib
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from tests.client.scripted import free_port

SECONDS_MAX = 60.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """What is not installed; empty if all is there."""
    if shutil.which("chromedriver") is None:
        return "no chromedriver: apt-get install chromium-driver"
    if not any(shutil.which(name) for name in CHROMIUM):
        return "no Chromium: apt-get install chromium"
    return ""


class Browser:
    """One window. All that goes over the network is written down."""

    def __init__(self, driver: str, session: str) -> None:
        self._session = f"{driver}/session/{session}"
        self._events: list[dict[str, Any]] = []

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        _ask(f"{self._session}/url", {"url": url})

    def run(self, script: str) -> Any:
        """The value of some JavaScript."""
        return _ask(f"{self._session}/execute/sync", {"script": f"return {script}", "args": []})

    def wait_for(self, script: str) -> None:
        """Until some JavaScript is true. While a page takes the place of another there may be nothing to run it on."""
        deadline = monotonic() + SECONDS_MAX
        last: object = None
        while monotonic() < deadline:
            try:
                if last := self.run(script):
                    return
            except urllib.error.HTTPError as error:
                last = json.load(error)["value"]["message"]
        raise AssertionError(f"{script} did not come true: {last}")

    def press(self, keys: str) -> None:
        """Keys, to whatever has the focus."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        _ask(f"{self._session}/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})

    def picture(self, path: Path) -> None:
        """What can be seen, as a PNG."""
        path.write_bytes(base64.b64decode(_ask(f"{self._session}/screenshot")))

    def cookies(self) -> list[dict[str, Any]]:
        """Of this page, those included that no script sees."""
        found: list[dict[str, Any]] = _ask(f"{self._session}/cookie")
        return found

    def forget_cookies(self) -> None:
        """All of this page."""
        _ask(f"{self._session}/cookie", method="DELETE")

    def new_tab(self) -> None:
        """Open a tab, and look at it."""
        handle = _ask(f"{self._session}/window/new", {"type": "tab"})["handle"]
        _ask(f"{self._session}/window", {"handle": handle})

    def close_tab(self) -> None:
        """Close the tab that is looked at, and look at the first of the others."""
        others = _ask(f"{self._session}/window", method="DELETE")
        _ask(f"{self._session}/window", {"handle": others[0]})

    def events(self, method: str) -> list[dict[str, Any]]:
        """The parameters of what happened so far on the network, by the names of the DevTools protocol."""
        for entry in _ask(f"{self._session}/se/log", {"type": "performance"}):
            self._events.append(json.loads(entry["message"])["message"])
        return [event["params"] for event in self._events if event["method"] == method]

    @property
    def requested(self) -> list[str]:
        """The addresses of all requests so far, websockets included, but for those of the window's own first page."""
        sent = [event["request"]["url"] for event in self.events("Network.requestWillBeSent")]
        sent = [url for url in sent if not url.startswith(("chrome:", "data:"))]
        return sent + [event["url"] for event in self.events("Network.webSocketCreated")]

    @property
    def text(self) -> str:
        """What a page without a terminal says."""
        said: str = self.run("document.body.innerText")
        return said

    @property
    def drawn(self) -> str:
        """What the terminal in the page was sent so far."""
        frames = [event["response"] for event in self.events("Network.webSocketFrameReceived")]
        return "".join(
            base64.b64decode(frame["payloadData"]).decode(errors="replace") for frame in frames if frame["opcode"] == 2
        )

    def read_until(self, text: str) -> str:
        """All that was drawn, once `text` is part of it."""
        deadline = monotonic() + SECONDS_MAX
        while text not in (drawn := self.drawn):
            assert monotonic() < deadline, f"{text!r} was not drawn"
        return drawn


def _ask(url: str, body: object = None, *, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
        return json.load(answer)["value"]


@contextlib.contextmanager
def chromium(home: Path, *, width: int = 1_200, height: int = 760) -> Iterator[Browser]:
    """A window, closed at the end of the block; what Chromium leaves behind is in `home`."""
    port = free_port()
    driver = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if b"started successfully" in line:
                break
        else:
            raise AssertionError("chromedriver did not start")
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            f"--user-data-dir={home}",
        ]
        # What Chromium asks its makers for by itself is not the page's doing.
        flags += ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
        flags += [f"--window-size={width},{height}"]
        binary = next(path for name in CHROMIUM if (path := shutil.which(name)))
        wanted = {
            "goog:chromeOptions": {"binary": binary, "args": flags},
            "goog:loggingPrefs": {"performance": "ALL"},
        }
        session = _ask(f"{driver}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield Browser(driver, session)
        finally:
            request = urllib.request.Request(f"{driver}/session/{session}", method="DELETE")
            with contextlib.suppress(OSError):
                urllib.request.urlopen(request, timeout=SECONDS_MAX).close()
    finally:
        process.kill()
        process.wait(SECONDS_MAX)
        process.stdout.close()
