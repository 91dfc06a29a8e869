"""ssh:// addresses against a stock sshd, through the system's ssh and through asyncssh."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import call_tq, environment, on_terminal, run_tq
from tests.client.real import RealBroker
from tests.doors.sshd import Sshd, make_key
from tq.client.addresses import SshAddress
from tq.client.async_client import AsyncClient
from tq.client.blocking import Client
from tq.client.ssh import SECONDS_MIN, failure, open_tunnel, remote_command, seconds_for
from tq.client.ssh_login import logged_in
from tq.client.task import Task
from tq.model.errors import AccessDenied, ConnectFailed

pytestmark = pytest.mark.xdist_group("sshd")


@pytest.fixture(params=["openssh", "asyncssh"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each implementation in turn."""
    if request.param == "asyncssh":
        pytest.importorskip("asyncssh", reason="asyncssh is missing: pip install 'tq[door]'")
    monkeypatch.setenv("TQ_SSH_CLIENT", request.param)
    return str(request.param)


def address(sshd: Sshd, broker: RealBroker) -> str:
    return f"{sshd.address}{broker.data_dir}/tq.sock"


def ssh_processes() -> list[psutil.Process]:
    """Those that this process started, dead ones that nobody has waited for included."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name() == "ssh":
                found.append(child)
    return found


def remote_commands(broker: RealBroker) -> list[psutil.Process]:
    """The `tq stdio` of this broker that run."""
    name = f"{broker.data_dir}/tq.sock"
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "tq.cli.main" in (process.info["cmdline"] or ()) and name in process.info["cmdline"]
    ]


async def refusal(url: str) -> ConnectFailed:
    with pytest.raises(ConnectFailed) as caught:
        async with AsyncClient(url):
            pass
    assert ssh_processes() == []
    return caught.value


async def test_all_that_a_client_does_goes_through(client: str, sshd: Sshd, broker: RealBroker) -> None:
    payload = os.urandom(900_000)
    async with AsyncClient(address(sshd, broker)) as over_ssh:
        task_id = await over_ssh.submit_task(Task("echo", payload, queue=f"ssh-{client}"))
        view = await over_ssh.get_task(task_id)

    assert view.payload == payload
    assert ssh_processes() == []


async def test_a_key_may_be_confined_to_the_broker_by_a_command(client: str, sshd: Sshd, broker: RealBroker) -> None:
    sshd.allow(f'restrict,command="tq stdio --socket {broker.data_dir}/tq.sock"')
    async with AsyncClient(sshd.address) as over_ssh:
        assert (await over_ssh.stats()).process is not None


async def test_a_key_may_be_confined_to_a_role(client: str, sshd: Sshd, broker: RealBroker) -> None:
    sshd.allow(f'restrict,command="tq stdio --role viewer --socket {broker.data_dir}/tq.sock"')
    async with AsyncClient(sshd.address) as over_ssh:
        assert (await over_ssh.connect()).role == "viewer"
        with pytest.raises(AccessDenied):
            await over_ssh.pause_queue("mail")


async def test_a_connection_that_was_cut_is_made_again(client: str, sshd: Sshd, broker: RealBroker) -> None:
    async with AsyncClient(address(sshd, broker)) as over_ssh:
        await over_ssh.stats()
        [first] = remote_commands(broker)
        first.kill()
        await over_ssh.stats()
        [second] = remote_commands(broker)

    assert first.pid != second.pid


async def test_a_host_that_is_not_known_is_refused(client: str, sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    error = await refusal(sshd.address)

    assert "ost key" in error.message
    assert error.hint == (
        "run `ssh broker-host` once, compare the fingerprint that it shows with that of the host, and accept it"
    )


async def test_a_host_with_another_key_than_the_known_one_is_refused(client: str, sshd: Sshd) -> None:
    sshd.know_host(sshd.public_key)
    error = await refusal(sshd.address)

    assert "ost key" in error.message


async def test_a_key_that_the_host_does_not_know_is_refused(client: str, sshd: Sshd) -> None:
    sshd.authorized_keys.write_text("")
    error = await refusal(sshd.address)

    assert "ermission denied" in error.message
    assert "accepts none of your keys" in error.hint


async def test_a_host_without_tq_says_so(client: str, sshd: Sshd) -> None:
    error = await refusal(f"{sshd.address}?tq=/opt/none/tq")

    assert "/opt/none/tq: No such file or directory" in error.message
    assert error.hint.startswith("is tq in the PATH of that host's shells?")


async def test_a_host_without_a_broker_says_so(client: str, sshd: Sshd) -> None:
    error = await refusal(f"{sshd.address}/nowhere/tq.sock")

    assert error.message == (
        "no broker answers at ssh://broker-host/nowhere/tq.sock: "
        "no broker answers at unix:///nowhere/tq.sock: No such file or directory"
    )
    assert error.hint == "start one there, or name its socket: ssh://broker-host/run/tq/tq.sock"


async def test_a_host_whose_shell_talks_is_no_broker(client: str, sshd: Sshd) -> None:
    sshd.allow('command="echo Welcome to this host; sleep 60"')
    with pytest.raises(Exception, match="does not speak the protocol of tq") as caught:
        async with AsyncClient(sshd.address):
            pass

    assert "startup file" in str(caught.value)
    assert ssh_processes() == []


async def test_a_name_that_is_no_host_is_said_to_be_none(client: str, sshd: Sshd) -> None:
    error = await refusal("ssh://no-such-host.invalid")

    assert "not known" in error.message


async def test_giving_up_leaves_no_process(client: str, sshd: Sshd) -> None:
    sshd.allow('command="sleep 60"')
    connecting = asyncio.create_task(AsyncClient(sshd.address).connect())
    while client == "openssh" and not ssh_processes():
        await asyncio.sleep(0.01)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


async def test_an_ssh_that_was_killed_is_started_again(sshd: Sshd, broker: RealBroker) -> None:
    async with AsyncClient(address(sshd, broker)) as over_ssh:
        await over_ssh.stats()
        [first] = ssh_processes()
        first.kill()
        await over_ssh.stats()
        [second] = ssh_processes()

        assert first.pid != second.pid
        assert "-oBatchMode=yes" in second.cmdline(), "nobody is asked anything in the middle of something else"
    assert ssh_processes() == []


async def test_a_jump_host_of_the_configuration_is_honoured(sshd: Sshd, broker: RealBroker) -> None:
    async with AsyncClient(f"ssh://behind-it{broker.data_dir}/tq.sock") as over_ssh:
        assert len(ssh_processes()) == 2
        await over_ssh.stats()


def test_a_tunnel_of_ones_own_does_where_the_host_has_no_tq(sshd: Sshd, broker: RealBroker, tmp_path: Path) -> None:
    forward = f"{tmp_path}/broker.sock:{broker.data_dir}/tq.sock"
    ssh = subprocess.Popen([*sshd.command().split(), "-N", "-L", forward, "broker-host"])
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "broker.sock").is_socket():
            assert time.monotonic() < deadline
            assert ssh.poll() is None
            time.sleep(0.02)
        with Client(f"unix://{tmp_path}/broker.sock") as through:
            assert through.connect().role == "admin"
    finally:
        ssh.terminate()
        ssh.wait(30)


def test_every_verb_takes_such_an_address(sshd: Sshd, broker: RealBroker) -> None:
    env = {name: os.environ[name] for name in ("TQ_SSH_COMMAND", "HOME")}

    done = run_tq("queue", "list", "-o", "json", "--url", address(sshd, broker), env=environment(**env))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[")


def test_a_host_that_refuses_is_exit_code_3(sshd: Sshd) -> None:
    sshd.authorized_keys.write_text("")
    env = {name: os.environ[name] for name in ("TQ_SSH_COMMAND", "HOME")}

    done = run_tq("stats", "--url", sshd.address, env=environment(**env))

    assert done.returncode == 3
    assert "Error: no broker answers at ssh://broker-host:" in done.stderr


def test_a_passphrase_is_asked_for_on_the_terminal(sshd: Sshd, broker: RealBroker, tmp_path: Path) -> None:
    key = tmp_path / "locked"
    sshd.authorized_keys.write_text(make_key(key, passphrase="open sesame") + "\n")
    env = {"TQ_SSH_COMMAND": f"{sshd.command()} -i {key} -o IdentitiesOnly=yes", "HOME": str(sshd.home)}

    with on_terminal("stats", "--url", address(sshd, broker), env=environment(**env)) as terminal:
        terminal.read_until("passphrase for key")
        terminal.type("open sesame\n")
        assert terminal.end() == 0

    assert "commits" in terminal.seen


def test_threads_share_one_ssh(sshd: Sshd, broker: RealBroker) -> None:
    with Client(address(sshd, broker)) as over_ssh:
        over_ssh.stats()
        over_ssh.stats()
        assert len(ssh_processes()) == 1
    assert ssh_processes() == []


def test_an_option_before_the_verb_chooses_the_client_of_ssh() -> None:
    done = call_tq("--ssh-client", "asyncssh", "-u", "ssh://no-such-host.invalid", "stats")

    assert done.returncode == 3
    assert "ssh: Could not resolve" not in done.stderr  # as OpenSSH says it


def test_a_client_of_ssh_that_is_none_is_refused() -> None:
    done = call_tq("stats", "--url", "ssh://host", env=environment(TQ_SSH_CLIENT="putty"))

    assert done.returncode == 2
    assert "TQ_SSH_CLIENT is 'putty'" in done.stderr


async def test_without_ssh_and_without_the_library_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_SSH_COMMAND", "/nowhere/ssh")
    monkeypatch.delenv("TQ_SSH_CLIENT", raising=False)
    monkeypatch.setitem(sys.modules, "tq.client.ssh_library", None)

    with pytest.raises(ConnectFailed) as caught:
        await open_tunnel(SshAddress("host"), can_ask=False, seconds=1)

    assert "neither the program ssh nor the library asyncssh" in caught.value.message
    assert "pip install 'tq[door]'" in caught.value.hint


async def test_an_ssh_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_SSH_COMMAND", "/nowhere/ssh")
    monkeypatch.setenv("TQ_SSH_CLIENT", "openssh")

    with pytest.raises(ConnectFailed, match="there is no program /nowhere/ssh"):
        await open_tunnel(SshAddress("host"), can_ask=False, seconds=1)


def test_the_path_of_a_socket_cannot_leave_its_quotes() -> None:
    assert remote_command(SshAddress("host", socket="/a b';rm -rf /")) == """tq stdio --socket '/a b'"'"';rm -rf /'"""


def test_ssh_gets_longer_than_a_plain_connection() -> None:
    assert seconds_for(5, can_ask=False) == SECONDS_MIN
    assert seconds_for(60, can_ask=False) == 60


def test_what_ssh_says_to_everybody_is_no_reason() -> None:
    said = "Warning: Permanently added 'h' (ED25519)\r\n** WARNING: not post-quantum\r\nkex_exchange: closed\r\n"

    assert failure(SshAddress("h"), said, "").message == "no broker answers at ssh://h: kex_exchange: closed"
    assert failure(SshAddress("h"), "", "silence").message == "no broker answers at ssh://h: silence"


def test_one_login_serves_all_connections_and_ends_with_its_block(
    sshd: Sshd, broker: RealBroker, tmp_path: Path
) -> None:
    """The key has a passphrase: each connection by itself would have to ask for it."""
    key = tmp_path / "locked"
    sshd.authorized_keys.write_text(make_key(key, passphrase="open sesame") + "\n")
    env = {"TQ_SSH_COMMAND": f"{sshd.command()} -i {key} -o IdentitiesOnly=yes", "HOME": str(sshd.home)}
    program = [sys.executable, str(Path(__file__).with_name("stay.py"))]

    with on_terminal(address(sshd, broker), program=program, env=environment(**env)) as terminal:
        terminal.read_until("passphrase for key")
        terminal.type("open sesame\n")
        assert terminal.end() == 0

    assert terminal.seen.count("passphrase for key") == 1
    assert "roles: admin admin admin" in terminal.seen
    assert "left: []" in terminal.seen


def test_a_login_that_is_refused_is_said_before_anything_else(sshd: Sshd, broker: RealBroker) -> None:
    sshd.authorized_keys.write_text("")
    env = {"TQ_SSH_COMMAND": sshd.command(), "HOME": str(sshd.home)}
    program = [sys.executable, str(Path(__file__).with_name("stay.py"))]

    with on_terminal(address(sshd, broker), program=program, env=environment(**env)) as terminal:
        assert terminal.end() == 1

    assert "Permission denied" in terminal.seen
    assert "ConnectFailed: no broker answers at ssh://broker-host" in terminal.seen.replace("\n", "")


def test_without_a_terminal_there_is_no_login_to_wait_for(sshd: Sshd) -> None:
    with logged_in([sshd.address], seconds=1):
        assert "TQ_SSH_CONTROL" not in os.environ
