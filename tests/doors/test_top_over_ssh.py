"""The dashboard itself, through each door: a stock sshd, and the door of our own."""

import json
from pathlib import Path

import pytest

from tests.cli.processes import daemon, environment, on_terminal
from tests.client.real import RealBroker
from tests.doors.sshd import Sshd, make_key

pytest.importorskip("textual", reason="textual is missing: pip install 'tq[top]'")


def test_the_question_for_a_passphrase_comes_before_the_screen_is_taken(
    sshd: Sshd, broker: RealBroker, tmp_path: Path
) -> None:
    key = tmp_path / "locked"
    sshd.authorized_keys.write_text(make_key(key, passphrase="open sesame") + "\n")
    env = {"TQ_SSH_COMMAND": f"{sshd.command()} -i {key} -o IdentitiesOnly=yes", "HOME": str(sshd.home)}
    address = f"{sshd.address}{broker.data_dir}/tq.sock"

    with on_terminal("top", address, "--role", "viewer", columns=120, lines=40, env=environment(**env)) as terminal:
        asked = terminal.read_until("passphrase for key")
        terminal.type("open sesame\n")
        terminal.read_until("viewer")
        terminal.type("q")
        terminal.end()

    assert "\x1b[?1049h" not in asked, "the alternate screen"
    assert terminal.seen.count("passphrase for key") == 1


def test_a_key_with_a_command_of_its_own_looks_and_is_told_why_it_cannot_act(sshd: Sshd, broker: RealBroker) -> None:
    sshd.allow(f'restrict,command="tq stdio --role viewer --as anna --socket {broker.data_dir}/tq.sock"')
    env = {"TQ_SSH_COMMAND": sshd.command(), "HOME": str(sshd.home)}

    with on_terminal("top", sshd.address, columns=120, lines=40, env=environment(**env)) as terminal:
        terminal.read_until("for anna")
        terminal.press_until("H", "viewer: needs operator")
        terminal.type("c")
        terminal.read_until(f"tq queue list --url={sshd.address}")
        terminal.type("\x03")
        code = terminal.end()

    assert code == 0
    assert "viewer" in terminal.seen


def test_our_own_door_shows_it_with_the_role_of_the_key(broker: RealBroker, tmp_path: Path) -> None:
    pytest.importorskip("asyncssh", reason="asyncssh is missing: pip install 'tq[door]'")
    public_key = make_key(tmp_path / "id", comment="anna")
    (tmp_path / "keys").write_text(f'tq-role="viewer" {public_key}\n')
    flags = ["--keys", str(tmp_path / "keys"), "--host-key", str(tmp_path / "host_key"), "--log-format", "json"]

    with daemon("door", "--port", "0", *flags, "--url", broker.socket_address) as door:
        port = json.loads(door.wait_for("door_open"))["port"]
        options = ["-F", "none", "-p", str(port), "-i", str(tmp_path / "id"), "-oIdentitiesOnly=yes"]
        options += ["-oUserKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=no", "-oIdentityAgent=none"]
        program = ["/usr/bin/env", "ssh", *options, "127.0.0.1"]
        with on_terminal(program=program, columns=120, lines=40, env=environment()) as terminal:
            terminal.read_until("viewer")
            terminal.type("\x1a")  # there is no shell that it could go to, and nobody who could say fg
            terminal.press_until("?", "Keys of this screen")
            terminal.type("\x03")
            terminal.end()
        door.wait_for("door_session_closed")
        assert door.end() == 0
        assert "Traceback" not in door.log
