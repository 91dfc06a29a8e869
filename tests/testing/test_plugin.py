"""The plugin as a project that installed tq meets it: nothing to configure, async and plain tests."""

import subprocess
import sys
from pathlib import Path

SHOP = """
import tq

app = tq.App("shop")

@app.task(queue="mail")
async def welcome(user_id: int) -> str:
    return f"hello {user_id}"

async def sign_up(user_id: int) -> None:
    await welcome.enqueue(user_id)
"""

TESTS = """
import asyncio
import pytest
from shop import app, sign_up, welcome

@pytest.fixture(autouse=True)
def shop(tq_app):
    tq_app.use(app)

def test_plain(tq_app):
    asyncio.run(sign_up(7))
    tq_app.assert_enqueued(welcome, user_id=7)
    assert tq_app.drain_sync("mail") == 1

def test_starts_empty(tq_app):
    assert tq_app.enqueued == []

async def test_async(tq_app):
    await sign_up(8)
    assert await tq_app.drain() == 1
    assert tq_app.enqueued[0].state == "completed"
"""


def test_a_project_uses_the_fixture_without_any_configuration(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )

    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "3 passed" in process.stdout, process.stdout + process.stderr


def test_the_fixture_explains_itself(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "A broker in memory with a clock that the test moves" in process.stdout
