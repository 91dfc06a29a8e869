"""`tq door`, knocked at with the system's ssh; tests/doors/board.py stands in the place of the dashboard."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import Daemon, Terminal, call_tq, daemon, environment, on_terminal
from tests.doors.sshd import make_key, missing

asyncssh = pytest.importorskip("asyncssh", reason="asyncssh is missing: pip install 'tq[door]'")
the_door = pytest.importorskip("tq.doors.door")
if "ssh is missing" in missing():
    pytest.skip(missing(), allow_module_level=True)

REFUSED_BY_SSH = 255


class Doorway:
    """A door with its files, and an ssh that has one of its keys."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keys = directory / "authorized_keys"
        self.key = directory / "id"
        self.public_key = make_key(self.key, comment="anna@laptop")
        self.host_key = directory / "etc" / "host_key"
        self.allow('tq-role="operator"')
        self.process: Daemon
        self.port = 0

    def allow(self, options: str, public_key: str | None = None) -> None:
        self.keys.write_text(f"# who may come in\n\n{options} {public_key or self.public_key}\n")

    def open(self, process: Daemon) -> None:
        self.process = process
        self.port = json.loads(process.wait_for("door_open"))["port"]

    def ssh(self, *arguments: str, key: Path | None = None) -> list[str]:
        options = {
            "IdentityFile": key or self.key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.directory / "known_hosts",
            "StrictHostKeyChecking": "accept-new",
            "LogLevel": "ERROR",
        }
        flags = [f"-o{name}={value}" for name, value in options.items()]
        return ["/usr/bin/env", "ssh", "-F", "none", "-p", str(self.port), *flags, *arguments]

    def run(self, *arguments: str, key: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Without a terminal."""
        return subprocess.run(
            self.ssh(*arguments, key=key), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )

    @contextlib.contextmanager
    def visit(self, *arguments: str, columns: int = 80, lines: int = 24, **env: str) -> Iterator[Terminal]:
        """On a terminal, until the board is there."""
        program = self.ssh(*arguments, "127.0.0.1")
        with on_terminal(program=program, columns=columns, lines=lines, env=environment(**env)) as terminal:
            terminal.read_until("pid=")
            yield terminal

    def boards(self) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if any("board.py" in word for word in child.cmdline()):
                    found.append(child)
        return found


@contextlib.contextmanager
def opened(directory: Path, *, sessions: int = 8, idle: float = 0) -> Iterator[Doorway]:
    doorway = Doorway(directory)
    arguments = [str(doorway.keys), str(doorway.host_key), str(sessions), str(idle)]
    program = [sys.executable, "-m", "tests.doors.doorman", *arguments]
    secrets = {"SECRET": "of the host", "TQ_URL": "unix:///run/tq.sock"}
    with daemon(program=program, env=environment(**secrets), cwd=Path(__file__).parents[2]) as process:
        doorway.open(process)
        yield doorway


@pytest.fixture(scope="module")
def _door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with opened(tmp_path_factory.mktemp("door")) as doorway:
        yield doorway
        assert doorway.boards() == []
        assert doorway.process.end() == 0
        assert "Traceback" not in doorway.process.log


@pytest.fixture
def door(_door: Doorway) -> Doorway:
    """An open door, which lets the key in as an operator."""
    _door.allow('tq-role="operator"')
    return _door


def seen(terminal: Terminal, name: str) -> str:
    found = re.search(rf"^{name}=(.*?)\r?$", terminal.seen, re.MULTILINE)
    assert found, terminal.seen
    return found[1]


def test_a_known_key_gets_the_dashboard_with_its_role_and_is_called_by_its_comment_and_fingerprint(
    door: Doorway,
) -> None:
    with door.visit() as terminal:
        terminal.type("x")
        terminal.read_until("key=b'x'")
        terminal.type("q")
        assert terminal.end() == 7

    fingerprint = subprocess.run(["ssh-keygen", "-lf", door.key], capture_output=True, text=True).stdout.split()[1]
    assert seen(terminal, "role") == "operator"
    assert seen(terminal, "name") == f"anna@laptop {fingerprint}"
    assert "terminals=True,True,True leader=True" in terminal.seen
    assert "bye" in terminal.seen


@pytest.mark.parametrize(
    ("options", "role", "name"),
    [
        ("", "viewer", "anna@laptop SHA256"),
        ('tq-role="admin",tq-name="Anna, on call"', "admin", "Anna, on call SHA256"),
        ('restrict,pty,from="127.0.0.*",tq-role="producer"', "producer", "anna@laptop SHA256"),
    ],
)
def test_the_line_of_a_key_says_what_its_owner_is(door: Doorway, options: str, role: str, name: str) -> None:
    door.allow(options)
    with door.visit() as terminal:
        assert seen(terminal, "role") == role
        assert seen(terminal, "name").startswith(name)
        terminal.type("q")
        terminal.end()


def test_the_size_of_the_terminal_is_handed_on_and_each_change_of_it(door: Doorway) -> None:
    with door.visit(columns=120, lines=40) as terminal:
        assert seen(terminal, "size") == "120x40"
        terminal.resize(80, 24)
        os.killpg(terminal.process.pid, signal.SIGWINCH)
        terminal.read_until("size=80x24")
        terminal.type("q")
        terminal.end()


def test_of_the_environment_of_the_host_only_what_the_dashboard_needs_is_handed_on(door: Doorway) -> None:
    with door.visit("-oSetEnv=COLORTERM=truecolor LD_PRELOAD=/evil.so PYTHONSTARTUP=/evil.py LC_ALL=C") as terminal:
        env = dict(part.split("=", 1) for part in seen(terminal, "env").split() if "=" in part)
        terminal.type("q")
        terminal.end()

    assert env["TQ_URL"] == "unix:///run/tq.sock"
    assert (env["TERM"], env["LANG"], env["COLORTERM"], env["TQ_DOOR"]) == ("xterm", "C", "truecolor", "ssh")
    assert env.keys().isdisjoint({"SECRET", "LD_PRELOAD", "PYTHONSTARTUP", "LC_ALL", "SSH_AUTH_SOCK"})


def test_who_goes_leaves_no_process(door: Doorway) -> None:
    with door.visit() as terminal:
        [board] = door.boards()
    assert terminal.process.returncode is not None
    board.wait(30)


def test_a_dashboard_that_does_not_listen_to_the_hangup_is_killed(door: Doorway) -> None:
    door.allow('tq-name="stubborn"')
    with door.visit():
        [board] = door.boards()
    board.wait(30)


def test_a_flood_of_output_arrives_whole_and_in_order(door: Doorway) -> None:
    with door.visit() as terminal:
        terminal.type("f")
        terminal.read_until("flooded")
        terminal.type("q")
        terminal.end()

    numbers = [int(line) for line in terminal.seen.splitlines() if line.strip().isdigit()]
    assert numbers == list(range(20_000))


async def test_a_visitor_who_does_not_read_stops_the_dashboard_and_fills_no_memory(door: Doorway) -> None:
    doorman = psutil.Process(door.process.process.pid)
    async with (
        asyncssh.connect(
            "127.0.0.1", door.port, username="anna", client_keys=[str(door.key)], known_hosts=None, config=None
        ) as connection,
        connection.create_process(term_type="xterm", encoding=None) as visitor,
    ):
        await visitor.stdout.readuntil(b"pid=")
        before = doorman.memory_info().rss
        visitor.stdin.write(b"e")
        [board] = door.boards()
        written = -1
        while written != (written := board.io_counters().write_chars):
            await asyncio.sleep(0.3)
        grown = doorman.memory_info().rss - before
        visitor.stdout.channel.abort()

    assert 0 < written < 16 << 20
    assert grown < 16 << 20
    await asyncio.to_thread(board.wait, 30)


def test_more_keys_than_the_dashboard_reads_arrive_all_the_same(door: Doorway) -> None:
    with door.visit() as terminal:
        terminal.type("x" * 3_000)
        terminal.type("q")
        assert terminal.end() == 7
    assert terminal.seen.count("key=b'x'") == 3_000


def test_a_stranger_stays_outside(door: Doorway, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")

    done = door.run("-tt", "127.0.0.1", key=tmp_path / "stranger")

    assert done.returncode == REFUSED_BY_SSH
    assert "Permission denied (publickey)" in done.stderr


def test_a_key_that_was_taken_out_stays_outside_from_then_on(door: Doorway, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    door.allow("", public_key=other)

    assert door.run("-tt", "127.0.0.1").returncode == REFUSED_BY_SSH


@pytest.mark.parametrize(
    "options",
    ['command="ls"', 'expiry-time="20200101"', "no-pty", "cert-authority", 'from="10.0.0.1"', 'environment="A=b"'],
)
def test_a_key_with_a_condition_that_the_door_does_not_keep_stays_outside(door: Doorway, options: str) -> None:
    door.allow(f'{options},tq-role="admin"')

    assert door.run("-tt", "127.0.0.1").returncode == REFUSED_BY_SSH


def test_a_key_offered_without_proof_lends_its_role_to_nobody(door: Doorway, tmp_path: Path) -> None:
    admin = make_key(tmp_path / "admin")
    door.keys.write_text(f'tq-role="admin" {admin}\ntq-role="viewer" {door.public_key}\n')
    # Its public half alone: ssh offers it, and cannot sign.
    (tmp_path / "admin").write_text(admin)

    with door.visit(f"-oIdentityFile={tmp_path}/admin.pub") as terminal:
        assert seen(terminal, "role") == "viewer"
        terminal.type("q")
        terminal.end()


def test_without_a_terminal_it_says_what_it_needs(door: Doorway) -> None:
    done = door.run("127.0.0.1")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "This door shows the dashboard of tq, which needs a terminal: ssh -t\n"


@pytest.mark.parametrize("arguments", [("127.0.0.1", "id"), ("-tt", "127.0.0.1", "sh")])
def test_no_command_is_run(door: Doorway, arguments: tuple[str, ...]) -> None:
    done = door.run(*arguments)

    assert done.returncode == 1
    assert "This door runs no commands." in done.stderr + done.stdout
    assert "uid=" not in done.stdout


def test_no_subsystem_is_there(door: Doorway) -> None:
    done = door.run("-s", "127.0.0.1", "sftp")

    assert done.returncode == REFUSED_BY_SSH
    assert "subsystem request failed" in done.stderr


def test_the_hosts_of_the_door_are_not_reached_through_it(door: Doorway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0)
        done = door.run("-W", f"127.0.0.1:{inside.getsockname()[1]}", "127.0.0.1")
        with pytest.raises(BlockingIOError):
            inside.accept()

    assert done.returncode == REFUSED_BY_SSH


async def test_nothing_is_forwarded_in_any_direction(door: Doorway, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as inside:
        inside.bind(str(tmp_path / "s"))
        inside.listen()
        async with asyncssh.connect(
            "127.0.0.1", door.port, username="anna", client_keys=[str(door.key)], known_hosts=None, config=None
        ) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_unix_connection(str(tmp_path / "s"))
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("", 0, "127.0.0.1", 1)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_path(str(tmp_path / "back"), str(tmp_path / "s"))
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.start_sftp_client()
        inside.settimeout(0)
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_one_more_than_there_is_room_for_is_told_so(tmp_path: Path) -> None:
    with opened(tmp_path, sessions=1) as doorway, doorway.visit() as first:
        second = doorway.run("-tt", "127.0.0.1")
        first.type("q")
        assert first.end() == 7
        doorway.process.wait_for("door_session_closed")
        with doorway.visit() as third:
            third.type("q")
            assert third.end() == 7

    assert second.returncode == 1
    assert "This door shows the dashboard to 1 people, which is its limit." in second.stdout + second.stderr


def test_who_presses_no_key_is_sent_away(tmp_path: Path) -> None:
    with opened(tmp_path, idle=1) as doorway, doorway.visit() as terminal:
        assert terminal.end() == 1
        doorway.process.wait_for("door_session_closed")
        assert doorway.boards() == []
    assert "No key was pressed" in terminal.seen


def test_who_does_not_log_in_is_cut_off(tmp_path: Path) -> None:
    with opened(tmp_path) as doorway, socket.create_connection(("127.0.0.1", doorway.port)) as silent:
        silent.settimeout(30)
        while silent.recv(4_096):
            pass


def test_a_crowd_that_does_not_log_in_keeps_nobody_out(door: Doorway) -> None:
    with contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", door.port)))
            for _ in range(the_door.STRANGERS_MAX)
        ]
        with door.visit() as terminal:
            terminal.type("q")
            assert terminal.end() == 7
        held[0].settimeout(30)
        while held[0].recv(4_096):  # the oldest made room
            pass
    assert "too many connections that do not log in" in door.process.log


async def test_one_key_holds_a_bounded_number_of_connections(tmp_path: Path) -> None:
    with opened(tmp_path, sessions=1) as doorway:
        async with contextlib.AsyncExitStack() as stack:
            connect = partial(
                asyncssh.connect,
                "127.0.0.1",
                doorway.port,
                username="anna",
                client_keys=[str(doorway.key)],
                known_hosts=None,
                config=None,
            )
            for _ in range(the_door.CONNECTIONS_PER_SESSION):
                await stack.enter_async_context(connect())
            with contextlib.suppress(OSError, asyncssh.Error):
                one_more = await connect()
                await one_more.wait_closed()
            await asyncio.to_thread(doorway.process.wait_for, "too many connections")


def test_a_line_that_is_wrong_shuts_out_its_own_key_alone_and_is_in_the_log(tmp_path: Path) -> None:
    directory = tmp_path / "door"
    directory.mkdir()
    doorway = Doorway(directory)
    lines = [f"tq-role=root {make_key(tmp_path / 'a')}", "ssh-ed25519 AAAA", f'command="x" {make_key(tmp_path / "b")}']
    doorway.keys.write_text("\n".join([*lines, doorway.public_key]))
    program = [sys.executable, "-m", "tests.doors.doorman", str(doorway.keys), str(doorway.host_key), "1", "0"]

    with daemon(program=program, env=environment(), cwd=Path(__file__).parents[2]) as process:
        doorway.open(process)
        with doorway.visit() as terminal:
            terminal.type("q")
            assert terminal.end() == 7
        reasons = [process.wait_for("door_key_ignored", count=number) for number in (1, 2, 3)]
        assert doorway.run("-tt", "127.0.0.1", key=tmp_path / "a").returncode == REFUSED_BY_SSH

    assert [f"authorized_keys:{number}: " in reason for number, reason in enumerate(reasons, start=1)] == [True] * 3
    assert "'root' is not a role" in reasons[0]


def test_a_door_that_closes_sends_everybody_away(tmp_path: Path) -> None:
    with opened(tmp_path) as doorway, doorway.visit() as terminal:
        [board] = doorway.boards()
        assert doorway.process.end() == 0
        board.wait(30)
        terminal.end()
    assert "The door is closed." in terminal.seen
    assert "door_closed" in doorway.process.log


def test_its_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as doorway:
        first = json.loads(doorway.process.wait_for("door_open"))["host_key"]
        assert doorway.host_key.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in doorway.host_key.parent.iterdir()] == ["host_key"]
    shown = subprocess.run(["ssh-keygen", "-lf", doorway.host_key], capture_output=True, text=True).stdout
    assert first in shown


@pytest.mark.parametrize(
    ("keys", "keys_mode", "host_key", "host_key_mode", "why"),
    [
        (None, 0, None, 0, "cannot be read: No such file"),
        ("", 0o666, None, 0, "others can write"),
        ("", 0o600, "", 0o644, "can be read by others"),
        ("", 0o600, "no key", 0o600, "cannot be read or made"),
    ],
)
def test_a_door_with_wrong_files_does_not_open(
    keys: str | None, keys_mode: int, host_key: str | None, host_key_mode: int, why: str, tmp_path: Path
) -> None:
    for name, text, mode in (("keys", keys, keys_mode), ("host_key", host_key, host_key_mode)):
        if text is not None:
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(mode)

    done = call_tq("door", "--keys", f"{tmp_path}/keys", "--host-key", f"{tmp_path}/host_key", "--port", "0")

    assert done.returncode == 2
    assert why in done.stderr


def test_without_the_library_the_door_says_how_to_get_it() -> None:
    script = (
        "import sys; sys.modules['asyncssh'] = None; sys.argv = ['tq', 'door']; from tq.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "tq door needs asyncssh" in done.stderr
    assert "pip install 'tq[door]'" in done.stderr


def test_nothing_but_the_door_loads_the_library() -> None:
    script = "import sys, tq.cli.verbs, tq.cli.door, tq.client.blocking; print('asyncssh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.stdout == "False\n"
