"""A dead letter is corrected and submitted again, from a shell and from an editor."""

import json
import shlex
import stat
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.conftest import RunningBroker, RunningWorker
from tests.cli.processes import call_tq, environment, on_terminal, run_tq
from tq.app.codec import ARGUMENTS, encode
from tq.client.task import Task
from tq.model.task import State

SIGNATURE = "its signature is add(a: int, b: int)"


@pytest.fixture
def dead(broker: RunningBroker, worker: RunningWorker) -> str:
    """A task of the Python API whose arguments were wrong."""
    payload = encode({"a": 1, "b": "two"})
    task_id = broker.client.submit_task(Task("add", payload, queue=worker.queue, max_retries=0, content_type=ARGUMENTS))
    assert broker.client.wait(task_id, 60).state is State.DEAD_LETTER
    return task_id


def editor(folder: Path, code: str) -> str:
    """An editor that is a Python program: `path` is the file, `text` what is in it."""
    script = folder / "editor.py"
    head = "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\ntext = path.read_text()\n"
    script.write_text(head + code)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"


def result(broker: RunningBroker, task_id: str) -> object:
    broker.client.wait(task_id, 60)
    return json.loads(call_tq("task", "get", task_id, "-o", "json", "-u", broker.address).stdout)["result"]


def test_arguments_given_as_json_are_encoded_as_the_task_had_them(broker: RunningBroker, dead: str) -> None:
    done = call_tq("task", "resubmit", dead, "--args", '{"a": 1, "b": 41}', "-u", broker.address)

    new_id = done.stdout.strip()
    assert (done.returncode, result(broker, new_id)) == (0, 42)
    assert broker.client.get_task(new_id).content_type == ARGUMENTS
    assert '-  "b": "two"\n+  "b": 41\n' in done.stderr


def test_what_task_get_shows_can_be_corrected_and_given_back(broker: RunningBroker, dead: str) -> None:
    shown = json.loads(call_tq("task", "get", dead, "-o", "json", "-u", broker.address).stdout)["payload"]
    fixed = json.dumps({**shown, "b": 41}).encode()

    done = call_tq("dead", "resubmit", dead, "--payload-file", "-", "-u", broker.address, stdin=fixed)

    assert result(broker, done.stdout.strip()) == 42


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ('{"a": 1, "b": "2"}', "task 'add': argument 'b': Expected `int`, got `str`"),
        ('{"a": 1, "c": 2}', "task 'add': got an unexpected argument: 'c'"),
        ('{"a": 1}', "task 'add': missing a required argument: 'b'"),
        ('{"a": 1,}', "not JSON: "),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_submitted(
    broker: RunningBroker, dead: str, args: str, said: str
) -> None:
    done = call_tq("dead", "resubmit", dead, "--args", args, "-u", broker.address)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert SIGNATURE in done.stderr or "JSON" in said
    assert broker.client.get_task(dead).resubmitted_as is None


def test_the_check_can_be_left_out_for_a_handler_that_is_yet_to_come(broker: RunningBroker, dead: str) -> None:
    done = call_tq("dead", "resubmit", dead, "--args", '{"c": 1}', "--no-check", "--delay", "1h", "-u", broker.address)

    assert done.returncode == 0
    assert "not before 1h from now" in done.stderr
    assert broker.client.get_task(done.stdout.strip()).scheduled_at_ms > 0


def test_where_nobody_announced_the_handler_that_is_said(broker: RunningBroker, queue: str) -> None:
    task_id = broker.client.submit_task(Task("unheard-of", b"{}", queue=queue, content_type="application/json"))
    broker.client.cancel(task_id)

    done = call_tq("dead", "resubmit", task_id, "--args", '{"c": 1}', "-u", broker.address)

    assert done.returncode == 0
    assert "No connected worker says what unheard-of takes" in done.stderr


def test_a_task_goes_into_another_queue_with_another_priority_and_a_dry_run_only_says_so(
    broker: RunningBroker, worker: RunningWorker, dead: str, queue: str
) -> None:
    line = ("dead", "resubmit", dead, "--queue", queue, "--priority", "high", "-u", broker.address)

    tried = call_tq(*line, "--dry-run")
    untouched = broker.client.get_task(dead).resubmitted_as
    done = call_tq(*line)
    again = call_tq(*line, "--dry-run")

    assert (tried.returncode, tried.stdout, untouched) == (0, "", None)
    assert f"queue: {worker.queue} -> {queue}\npriority: 128 -> 212\n" in tried.stderr
    new = broker.client.get_task(done.stdout.strip())
    assert (new.queue, new.priority, new.payload) == (queue, 212, encode({"a": 1, "b": "two"}))
    assert f"It was resubmitted before, as {done.stdout.strip()}." in again.stderr


def test_what_has_not_ended_is_refused_before_an_editor_opens(broker: RunningBroker, queue: str) -> None:
    waiting = broker.client.submit_task(Task("send", queue=queue))

    done = call_tq("task", "resubmit", waiting, "--edit", "-u", broker.address)

    assert done.returncode == 5
    assert f"tq task cancel {waiting}" in done.stderr


def test_two_corrections_at_once_are_refused(broker: RunningBroker, dead: str) -> None:
    done = call_tq("dead", "resubmit", dead, "--edit", "--args", "{}", "-u", broker.address)

    assert done.returncode == 2


def test_an_editor_gets_a_private_file_with_the_signature_and_its_text_is_submitted(
    broker: RunningBroker, dead: str, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    code = (
        f"import os\nmodes = [os.stat(p).st_mode for p in (path, path.parent)]\n"
        f"pathlib.Path({str(seen)!r}).write_text(repr((modes, str(path), text)))\n"
        "path.write_text(text.replace('\"two\"', '41'))\n"
    )
    env = environment(EDITOR=editor(tmp_path, code), VISUAL="")

    done = run_tq("dead", "resubmit", dead, "--edit", "--yes", "-u", broker.address, env=env)

    assert (done.returncode, result(broker, done.stdout.strip())) == (0, 42)
    modes, path, text = eval(seen.read_text())
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o700]
    assert text == '# add(a: int, b: int)\n{\n  "a": 1,\n  "b": "two"\n}'
    assert not Path(path).exists()


def test_an_editor_that_changes_nothing_or_fails_submits_nothing(
    broker: RunningBroker, dead: str, tmp_path: Path
) -> None:
    line = ("dead", "resubmit", dead, "--edit", "--yes", "-u", broker.address)
    files = tmp_path / "files"
    files.mkdir()

    def with_editor(command: str) -> "CompletedProcess[str]":
        return run_tq(*line, env=environment(EDITOR=command, VISUAL="", TMPDIR=str(files)))

    unchanged, failed, absent = map(with_editor, ("true", "false", "no-such-editor"))
    wrong = with_editor(editor(tmp_path, "path.write_text('{}')"))

    assert [run.returncode for run in (unchanged, failed, absent, wrong)] == [1, 2, 2, 2]
    assert "Nothing was changed" in unchanged.stderr
    assert "no-such-editor cannot be started" in absent.stderr
    assert "missing a required argument: 'a'" in wrong.stderr
    assert broker.client.get_task(dead).resubmitted_as is None
    assert list(files.iterdir()) == []


def test_an_editor_that_fails_after_something_was_written_leaves_it_where_it_says(
    broker: RunningBroker, dead: str, tmp_path: Path
) -> None:
    env = environment(EDITOR=editor(tmp_path, "path.write_text('mine')\nsys.exit(3)"), VISUAL="", TMPDIR=str(tmp_path))

    done = run_tq("dead", "resubmit", dead, "--edit", "--yes", "-u", broker.address, env=env)

    assert done.returncode == 2
    assert Path(done.stderr.partition("what you wrote: ")[2].strip()).read_text() == "mine"


def test_at_a_terminal_a_mistake_can_be_corrected_and_the_change_is_shown_before_the_question(
    broker: RunningBroker, dead: str, tmp_path: Path
) -> None:
    code = "path.write_text(text.replace('\"two\"', '\"2\"') if 'wrong' not in text else text.replace('\"2\"', '2'))\n"
    env = environment(EDITOR=editor(tmp_path, code), VISUAL="", NO_COLOR="1")

    with on_terminal("dead", "resubmit", dead, "--edit", "-u", broker.address, env=env) as terminal:
        terminal.read_until("Edit again? [Y/n]")
        terminal.type("\r")
        seen = terminal.read_until("Submit this? [y/N]")
        assert broker.client.get_task(dead).resubmitted_as is None
        terminal.type("y\r")
        assert terminal.end() == 0

    assert "argument 'b': Expected `int`, got `str`" in seen
    assert '-  "b": "two"\n+  "b": 2\n' in seen
    new_id = terminal.seen.split()[-1]
    assert result(broker, new_id) == 3


def test_who_gives_up_is_told_where_the_text_is(broker: RunningBroker, dead: str, tmp_path: Path) -> None:
    env = environment(EDITOR=editor(tmp_path, "path.write_text('{}')"), VISUAL="", TMPDIR=str(tmp_path))

    with on_terminal("dead", "resubmit", dead, "--edit", "-u", broker.address, env=env, columns=300) as terminal:
        terminal.read_until("Edit again? [Y/n]")
        terminal.type("n\r")
        assert terminal.end() == 1

    path = terminal.seen.partition("What you wrote is in ")[2].split()[0]
    assert Path(path).read_text() == "{}"
