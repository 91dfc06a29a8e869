"""docs/api.md is run as it stands: every block of Python, in order, in one module."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import tq
from tests.app.serving import served
from tq.testing import MemoryBroker

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as address:
        yield address


def blocks() -> list[tuple[int, str]]:
    """The line where each begins, and its text."""
    text = GUIDE.read_text()
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in BLOCK.finditer(text)]


async def run(line: int, source: str, module: ModuleType) -> None:
    """As in a notebook: `await` may stand alone."""
    # Lines of the guide, so that a traceback points into it.
    code = compile("\n" * line + source, str(GUIDE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    pending = eval(code, vars(module))
    if inspect.isawaitable(pending):
        await pending


def examples_in(module: ModuleType) -> list[FunctionType]:
    return [value for name, value in vars(module).items() if name.startswith("test_")]


async def test_every_example_of_the_guide_runs(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TQ_URL", address)
    module: Any = ModuleType("shop")
    monkeypatch.setitem(__import__("sys").modules, "shop", module)
    broker = MemoryBroker()
    try:
        for line, source in blocks():
            await run(line, source, module)
            broker.use(module.app)
            # What the block enqueued is done: the next one starts from nothing, as its reader does.
            await broker.drain()
    finally:
        broker.close()

    ran = 0
    for test in examples_in(module):
        own = MemoryBroker()
        own.use(module.app)
        try:
            pending = test(own)
            if inspect.isawaitable(pending):
                await pending
        finally:
            own.close()
        ran += 1
    assert ran == 4
    assert len(blocks()) >= 14
    assert re.fullmatch(r"[0-9a-f-]{36}\n", capsys.readouterr().out)


def test_the_guide_names_every_option_and_every_error_that_it_should() -> None:
    text = GUIDE.read_text()

    for function in (tq.App.task, tq.TaskType.options):
        for name in inspect.signature(function).parameters:
            assert name in ("self", "function") or f"`{name}`" in text, name
    for name in [name for name in vars(MemoryBroker) if not name.startswith("_") and name != "close"]:
        assert re.search(rf"`(await )?{name}\b", text), name
    for name in [name for name in vars(tq.Context) if not name.startswith("_") and name != "detached"]:
        assert re.search(rf"`{name}\b", text), name
