"""Wrong arguments are told apart from a broker that is not there, before it is asked."""

from pathlib import Path

import pytest

from tests.cli.processes import call_tq, environment, run_tq
from tq import __version__
from tq.cli.groups import verb_first

NOBODY = ("--url", "127.0.0.1:1")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_all_that_is_printed(flag: str) -> None:
    done = run_tq(flag)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"tq {__version__}\n", "")


def test_help_names_every_verb_under_a_heading_and_fits_60_columns() -> None:
    done = run_tq("--help", env=environment(COLUMNS="60"))

    assert done.returncode == 0
    for verb in ("up", "broker", "worker", "submit", "status", "task", "queue", "dead", "stats", "backup", "doctor"):
        assert f"\n  {verb} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quue", "list"], "Did you mean 'queue'?"),
        (["queue", "lst"], "Did you mean 'list'?"),
        (["submit"], "--type"),
        (["submit", "--type", "a", "--priority", "urgent"], "'urgent' is not a priority"),
        (["submit", "--type", "a", "--priority", "256"], "'256' is not a priority"),
        (["submit", "--type", "a", "--payload", "x", "--payload-file", "y"], "are both given"),
        (["submit", "--type", "a", "--payload-file", "/no/such/file"], "/no/such/file cannot be read"),
        (["submit", "--type", "a", "--content-type", "text/plain"], "describes no payload"),
        (["submit", "--type", "a", "--eta", "tomorrow"], "'tomorrow' is not a moment"),
        (["submit", "--type", "a", "--delay", "10"], "'10' is not a duration"),
        (["submit", "--type", "a", "--wait=soon"], "'soon' is not a duration"),
        (["task", "get", "not-an-id"], "'not-an-id' is not a task id"),
        (["task", "list", "--state", "lost"], "lost"),
        (["dead", "retry"], "name what to do it to"),
        (["dead", "purge", "--all", "--queue", "mail"], "--all means all"),
        (["stats", "--url", "nowhere"], "the port is missing"),
        (["stats", "-o", "xml"], "xml"),
        (["worker", "list", "extra"], "extra"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_argument_is_named_and_exits_2(arguments: list[str], said: str) -> None:
    done = call_tq(*arguments, *([] if "--url" in arguments else NOBODY))

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_broker_that_is_not_there_exits_3_and_says_how_to_start_one() -> None:
    done = run_tq("stats", *NOBODY)

    assert done.returncode == 3
    assert "no broker answers at tcp://127.0.0.1:1" in done.stderr
    assert "tq up" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_address_comes_from_the_flag_before_the_environment() -> None:
    done = call_tq("stats", *NOBODY, env=environment(TQ_URL="127.0.0.1:2"))

    assert "127.0.0.1:1" in done.stderr


def test_the_address_comes_from_the_file_that_is_named_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "tq.yaml"
    file.write_text("broker:\n  port: 3\n")

    done = call_tq("stats", "--config", str(file), env=environment(TQ_URL="127.0.0.1:2"))

    assert done.returncode == 3
    assert "127.0.0.1:3" in done.stderr


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([], []),
        (["stats"], ["stats"]),
        (["-u", "db:1", "stats"], ["stats", "-u", "db:1"]),
        (["--url=db:1", "--color", "never", "queue", "list"], ["queue", "list", "--url=db:1", "--color", "never"]),
        (["queue", "list", "-u", "db:1"], ["queue", "list", "-u", "db:1"]),
        (["-u", "db:1", "dead", "list", "--", "-text"], ["dead", "list", "-u", "db:1", "--", "-text"]),
        (["--help"], ["--help"]),
    ],
)
def test_options_of_verbs_may_stand_before_the_verb(given: list[str], read: list[str]) -> None:
    assert verb_first(given) == read


@pytest.mark.parametrize(
    "line",
    [
        "-u {} worker list",
        "worker -u {} list",
        "worker list -u {}",
        "queue --url={} -o json list",
        "-o json task -u {} list",
    ],
)
def test_the_broker_may_be_named_anywhere(line: str) -> None:
    done = call_tq(*line.format("127.0.0.1:1").split())

    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
