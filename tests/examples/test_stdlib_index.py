"""The demo: its parts alone, and all of it on this machine's own standard library."""

import io
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import environment, on_terminal, run_tq
from tests.examples.conftest import EXAMPLES
from tq.cli.demo import APP, DRIVER, demo_environment, examples_directory
from tq.model.errors import InvalidArgument

SOURCE = b'''"""A module."""

class Thing:
    """A class."""

    def method(self): ...

async def function():
    """A function."""
'''


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of the example."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield lambda name: import_module(f"stdlib_index.{name}")
    for name in [name for name in sys.modules if name.startswith("stdlib_index")]:
        del sys.modules[name]


def test_a_file_is_counted(index: Any) -> None:
    facts = index("facts").read_facts("package", SOURCE, "file.py")

    assert (facts.lines, facts.functions, facts.classes) == (9, 2, 1)
    assert (facts.documented, facts.documentable) == (3, 4)


@pytest.mark.parametrize("source", [b"print 'python 2'", b"# coding: no-such\n", b"\xff", b"x = '\x00'", b"(" * 1_000])
def test_what_is_no_python_raises(index: Any, source: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError, MemoryError, RecursionError)):
        index("facts").read_facts("package", source, "file.py")


def test_files_are_merged_into_packages_the_largest_first(index: Any) -> None:
    facts = index("facts")
    small = facts.read_facts("small", b"", "small.py")
    large = facts.read_facts("large", SOURCE, "large.py")

    merged = facts.merge([small, large, large])

    assert [(package.package, package.files, package.lines) for package in merged] == [
        ("large", 2, 18),
        ("small", 1, 0),
    ]
    assert merged[0].docstring_cover == 0.75


def test_what_was_installed_beside_the_standard_library_is_left_out(index: Any, tmp_path: Path) -> None:
    for name in ("os.py", "email/parser.py", "email/text.txt", "site-packages/other.py", "email/__pycache__/x.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    found = list(index("sources").find_sources(tmp_path))

    assert [(source.package, source.path.name) for source in found] == [("email", "parser.py"), ("os", "os.py")]


def test_failures_are_grouped_by_what_went_wrong_whatever_the_place(index: Any) -> None:
    report = index("report")
    dead = [
        report.Dead("1", "a.py", "SyntaxError: invalid syntax (a.py, line 3)"),
        report.Dead("2", "b.py", "SyntaxError: unknown encoding: x (b.py, line 0)"),
        report.Dead("3", "c.py", "SyntaxError: invalid syntax (c.py, line 77)"),
    ]

    groups = report.group_by_error(dead)

    assert [(group.error, [one.file for one in group.members]) for group in groups] == [
        ("SyntaxError: invalid syntax", ["a.py", "c.py"]),
        ("SyntaxError: unknown encoding: x", ["b.py"]),
    ]


def test_a_python_whose_files_all_parse_has_no_dead_letters_to_show(index: Any) -> None:
    from rich.console import Console

    stream = io.StringIO()
    packages = index("facts").merge([index("facts").read_facts("os", SOURCE, "os.py")])

    index("report").print_report(Console(file=stream), packages, [], tasks=2, seconds=0.5, address=None)

    assert "No dead letters" in stream.getvalue()
    assert "4 tasks/s" in stream.getvalue()


def test_the_demo_is_found_beside_the_package_and_inside_an_installed_one(tmp_path: Path) -> None:
    for place in (tmp_path / "wheel" / "tq" / "examples", tmp_path / "checkout" / "examples"):
        (place / DRIVER).mkdir(parents=True)
        (place / DRIVER / "__main__.py").touch()

    assert examples_directory(tmp_path / "wheel" / "tq") == tmp_path / "wheel" / "tq" / "examples"
    assert examples_directory(tmp_path / "checkout" / "tq") == tmp_path / "checkout" / "examples"
    with pytest.raises(InvalidArgument):
        examples_directory(tmp_path / "nowhere" / "tq")


def test_the_demo_keeps_the_python_path_that_was_there() -> None:
    changed = demo_environment({"PYTHONPATH": "/mine", "HOME": "/home"}, "tcp://127.0.0.1:1")

    assert changed == {"PYTHONPATH": f"{EXAMPLES}:/mine", "HOME": "/home", "TQ_URL": "tcp://127.0.0.1:1"}
    assert APP.startswith(DRIVER)


def _library(tmp_path: Path) -> Path:
    """A small stand-in for the standard library, with one file that no Python parses."""
    library = tmp_path / "library"
    (library / "package").mkdir(parents=True)
    for number in range(20):
        (library / "package" / f"module_{number}.py").write_bytes(SOURCE)
    (library / "bad.py").write_bytes(b"print 'python 2'")
    return library


def _on_library(tmp_path: Path) -> dict[str, str]:
    """The environment in which Python believes that its standard library is the stand-in, for the driver alone."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        f"import sysconfig\nlibrary = {str(_library(tmp_path))!r}\nreal = sysconfig.get_path\n"
        "sysconfig.get_path = lambda name, *rest: library if name == 'stdlib' else real(name, *rest)\n"
    )
    return environment(PYTHONPATH=os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH", "")))))


def test_without_a_terminal_the_demo_prints_everything_and_exits_0(tmp_path: Path) -> None:
    done = run_tq("up", "--demo", "--port", "0", env=_on_library(tmp_path), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "package" in done.stdout
    assert "22 tasks in" in done.stdout
    assert "Files that do not parse: 1." in done.stdout
    assert "bad.py" in done.stdout
    assert "tq dead show" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("hook", "library")] == []


def test_on_a_terminal_the_demo_stays_up_until_ctrl_c(tmp_path: Path) -> None:
    with on_terminal(
        "up", "--demo", "--no-top", "--port", "0", env=_on_library(tmp_path), cwd=tmp_path, columns=100
    ) as terminal:
        terminal.read_until("stay up until Ctrl-C")
        address = terminal.seen.split("export TQ_URL=")[1].split()[0]
        listed = run_tq("dead", "list", "-o", "name", "-u", address)
        terminal.type("\x03")
        code = terminal.end()

    assert len(listed.stdout.split()) == 1
    assert code == 0
    assert "Traceback" not in terminal.seen


def test_on_a_terminal_the_demo_ends_in_the_dashboard_with_its_failures_in_dead(tmp_path: Path) -> None:
    with on_terminal(
        "up", "--demo", "--port", "0", env=_on_library(tmp_path), cwd=tmp_path, columns=120, lines=40
    ) as terminal:
        report = terminal.read_until("The dashboard opens in")
        terminal.type("\n")
        terminal.read_until("slots ")
        terminal.type("3")
        terminal.read_until("SyntaxError")
        terminal.type("\x03")
        code = terminal.end()

    assert "Files that do not parse: 1." in report
    assert "\x1b[?1049h" not in report, "the alternate screen"
    assert code == 0
    assert "Traceback" not in terminal.seen
