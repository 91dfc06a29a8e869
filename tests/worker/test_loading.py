"""From `module:app` to the application; what cannot be loaded is in test_parent.py too, as a user sees it."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tq.model.errors import InvalidArgument
from tq.worker.loading import load_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of a user; nothing of it stays imported."""
    monkeypatch.chdir(tmp_path)
    path, modules = sys.path[:], set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_module_in_the_working_directory_is_found_and_app_is_the_default_name(folder: Path) -> None:
    (folder / "shop_a.py").write_text("import tq\napp = tq.App('shop')\n@app.task\ndef sell(): ...\n")

    assert load_app("shop_a", io.StringIO()).name == "shop"
    assert load_app("shop_a:app", io.StringIO()).name == "shop"


def test_an_application_without_tasks_is_refused(folder: Path) -> None:
    (folder / "shop_b.py").write_text("import tq\napp = tq.App('shop')\n")

    with pytest.raises(InvalidArgument, match="has no tasks"):
        load_app("shop_b:app", io.StringIO())


def test_a_task_whose_annotations_make_no_sense_is_refused_at_the_start(folder: Path) -> None:
    (folder / "shop_c.py").write_text("import tq\napp = tq.App('shop')\n@app.task\ndef sell(what: 'Nothing'): ...\n")

    with pytest.raises(InvalidArgument, match="annotation"):
        load_app("shop_c:app", io.StringIO())


def test_a_module_that_lacks_another_says_which_with_a_traceback(folder: Path) -> None:
    (folder / "shop_d.py").write_text("import quite_absent\n")
    errors = io.StringIO()

    with pytest.raises(InvalidArgument, match=r"No module named 'quite_absent' \(shop_d.py:1\)"):
        load_app("shop_d:app", errors)

    assert "import quite_absent" in errors.getvalue()


def test_a_missing_package_on_the_way_is_named(folder: Path) -> None:
    with pytest.raises(InvalidArgument, match="there is no module 'absent_e'"):
        load_app("absent_e.tasks:app", io.StringIO())
