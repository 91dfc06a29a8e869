"""The page at /schema in a real Chromium: it shows every route, sends what is typed, and asks nobody else."""

import json
from pathlib import Path

import httpx
import pytest

from tests.doors.browser import chromium, missing
from tq.client.blocking import Client
from tq.edges.rest.app import ROUTES


@pytest.fixture
def edge_url(rest: httpx.Client) -> str:
    return str(rest.base_url).removesuffix("/api/v1/")


def test_who_asks_for_html_gets_the_page_and_everybody_else_the_document(edge_url: str) -> None:
    page = httpx.get(f"{edge_url}/schema", headers={"Accept": "text/html,*/*;q=0.8"})
    document = httpx.get(f"{edge_url}/schema")
    again = httpx.get(f"{edge_url}/schema/openapi.json", headers={"If-None-Match": document.headers["etag"]})

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["vary"] == document.headers["vary"] == "Accept"
    assert document.json()["openapi"] == "3.1.0"
    assert again.status_code == 304


@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.xdist_group("chromium")
def test_a_task_is_submitted_from_the_page_without_the_internet(
    edge_url: str, native: Client, queue: str, tmp_path: Path
) -> None:
    with chromium(tmp_path / "profile") as browser:
        browser.open(f"{edge_url}/schema#submit_task")
        browser.wait_for("document.querySelectorAll('section > details .path').length > 0")
        operations = browser.run("[...document.querySelectorAll('details[data-words]')].map(each => each.id)")
        browser.wait_for("document.querySelector('#submit_task textarea') !== null")
        task = json.dumps({"task_type": "<b>x</b>", "queue": queue})
        browser.run(
            f"""(() => {{
                document.querySelector('#submit_task textarea').value = '{task}';
                document.querySelector('#submit_task button').click();
                return true;
            }})()"""
        )
        browser.wait_for("document.querySelectorAll('#submit_task pre')[1].textContent.includes('is_new')")
        answered = browser.run("document.querySelectorAll('#submit_task pre')[1].textContent")
        requested = browser.requested

    assert answered.startswith("201 Created")
    assert [task.task_type for task in native.iter_tasks(f"queue:{queue}")] == ["<b>x</b>"]
    assert sorted(operations) == sorted(str(handler.operation_id) for handler in ROUTES)
    assert {url.split("#")[0].removeprefix(edge_url).split("?")[0] for url in requested} == {
        "/schema",
        "/schema/page.css",
        "/schema/page.js",
        "/schema/openapi.json",
        "/api/v1/tasks",
    }
