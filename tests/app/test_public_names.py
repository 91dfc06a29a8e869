"""`import tq` costs next to nothing, and every public name is where it is said to be."""

import subprocess
import sys

import pytest

import tq
from tq.model.errors import ERRORS, TqError

HEAVY = [
    "asyncio", "asyncssh", "grpc", "inspect", "litestar", "msgpack", "msgspec", "pytest", "rich", "rocksdict",
    "structlog", "textual", "typer", "typing", "uvloop",
]  # fmt: skip


def imported_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running this."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(process.stdout.split())


def test_importing_tq_loads_nothing_heavy() -> None:
    loaded = imported_by("import tq; tq.__version__; dir(tq)")

    assert loaded.isdisjoint(HEAVY)
    assert {name for name in loaded if name.split(".")[0] == "tq"} == {"tq"}


def test_declaring_an_application_loads_no_network_code() -> None:
    loaded = imported_by("import tq\napp = tq.App('shop')\n@app.task\ndef f(x: int) -> int: return x\nf(1)")

    assert loaded.isdisjoint({"asyncssh", "grpc", "litestar", "rich", "rocksdict", "structlog", "textual", "typer"})
    assert not any(name.startswith(("tq.client", "tq.engine", "tq.storage", "tq.protocol")) for name in loaded)


def test_the_pytest_plugin_loads_nothing_of_tq_until_it_is_used() -> None:
    loaded = imported_by("import pytest, tq.testing.plugin")

    assert {name for name in loaded if name.split(".")[0] == "tq"} == {"tq", "tq.testing", "tq.testing.plugin"}


@pytest.mark.parametrize("name", tq.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(tq, name) is not None
    assert name in dir(tq)


def test_all_errors_are_public() -> None:
    names = {error.__name__ for error in ERRORS.values()} | {TqError.__name__}

    assert names <= set(tq.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tq' has no attribute 'Nothing'"):
        tq.Nothing  # type: ignore[attr-defined]  # noqa: B018
