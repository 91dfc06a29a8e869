"""`tq stdio`: bytes in, bytes out, and how it ends."""

import getpass
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from tests.cli.processes import TQ, call_tq, environment, on_terminal, run_tq
from tests.client.real import RealBroker, real_broker
from tq.client import blocking
from tq.client.task import Task
from tq.doors.stdio import Relay
from tq.model.commands import GetStats, Hello, ListAudit, PauseQueue, Request
from tq.model.errors import ProtocolViolation, TqError
from tq.model.identity import Role
from tq.model.replies import AuditPage, ErrorReply, StatsReply, Welcome
from tq.protocol.codec import PROTOCOL_VERSION, decode_from_broker, encode_frame
from tq.protocol.frames import FrameReader

HELLO = Hello(0, PROTOCOL_VERSION, "a test")


class Client:
    """What ssh is to `tq stdio`: two pipes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*TQ, "stdio", *arguments], stdin=-1, stdout=-1, stderr=-1, bufsize=0, env=environment()
        )
        self._frames = FrameReader(1 << 20)

    def ask(self, request: Request) -> object:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(encode_frame(request))
        frames: list[bytes] = []
        while not frames:
            data = self.process.stdout.read(65_536)
            assert data, "it ended"
            frames = self._frames.feed(data)
        return decode_from_broker(frames[0])

    def end(self) -> tuple[int, str]:
        out, errors = self.process.communicate(timeout=30)
        assert out == b""
        return self.process.returncode, errors.decode()


def test_a_client_speaks_with_the_broker_through_it_and_its_end_is_no_failure(broker: RealBroker) -> None:
    client = Client("--socket", f"{broker.data_dir}/tq.sock")

    assert isinstance(client.ask(HELLO), Welcome)
    assert isinstance(client.ask(GetStats(1)), StatsReply)
    assert client.end() == (0, "")


def test_a_broker_that_is_killed_ends_it(tmp_path: Path) -> None:
    with real_broker(tmp_path) as broker:
        client = Client("--socket", f"{tmp_path}/tq.sock")
        client.ask(HELLO)
        broker.kill(signal.SIGKILL)

        assert client.end() == (3, "Error: the broker ended the connection\n")


def test_without_a_broker_it_says_so_and_writes_nothing_to_stdout(tmp_path: Path) -> None:
    done = run_tq("stdio", "--socket", f"{tmp_path}/none.sock")

    assert (done.returncode, done.stdout) == (3, "")
    assert f"Error: no broker answers at unix://{tmp_path}/none.sock: No such file or directory" in done.stderr
    assert "--socket PATH" in done.stderr


def test_the_settings_say_where_the_socket_is(tmp_path: Path) -> None:
    done = call_tq("stdio", env=environment(TQ_PERSISTENCE_DATA_DIR=str(tmp_path)))

    assert f"unix://{tmp_path}/tq.sock" in done.stderr


def test_a_broker_without_a_socket_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    done = call_tq("stdio", env=environment(TQ_BROKER_SOCKET="none"))

    assert done.returncode == 2
    assert "broker.socket is none" in done.stderr


def test_a_person_who_runs_it_is_told_what_it_is_for() -> None:
    with on_terminal("stdio", "--socket", "/nowhere") as terminal:
        assert terminal.end() == 2
    assert "tq stats --url ssh://HOST" in terminal.seen


@pytest.mark.parametrize(
    ("asked", "limit", "got"),
    [("admin", "viewer", "viewer"), ("viewer", "operator", "viewer"), ("worker", "producer", "viewer")],
)
def test_a_role_lowers_what_the_client_gets_and_never_raises_it(
    asked: str, limit: str, got: str, broker: RealBroker
) -> None:
    client = Client("--socket", f"{broker.data_dir}/tq.sock", "--role", limit)

    reply = client.ask(Hello(0, PROTOCOL_VERSION, role_max=Role(asked)))

    assert isinstance(reply, Welcome)
    assert reply.role == got
    client.end()


def test_a_lowered_client_does_not_get_up_by_greeting_again(broker: RealBroker) -> None:
    client = Client("--socket", f"{broker.data_dir}/tq.sock", "--role", "viewer")
    client.ask(Hello(0, PROTOCOL_VERSION))

    again = client.ask(Hello(1, PROTOCOL_VERSION, role_max=Role.ADMIN))
    pause = client.ask(PauseQueue(2, "mail"))

    assert isinstance(again, ErrorReply)
    assert isinstance(pause, ErrorReply)
    assert (again.code, pause.code) == ("PROTOCOL_VIOLATION", "ACCESS_DENIED")
    client.end()


def test_the_audit_names_whom_the_client_acts_for_beside_the_user(broker: RealBroker) -> None:
    with blocking.Client(broker.socket_address) as producer:
        producer.submit_task(Task("x", queue="audited"))
    client = Client("--socket", f"{broker.data_dir}/tq.sock", "--as", "anna")
    client.ask(Hello(0, PROTOCOL_VERSION, acts_for="the queen"))
    client.ask(PauseQueue(1, "audited", "because"))
    page = client.ask(ListAudit(2))
    client.end()

    assert isinstance(page, AuditPage)
    assert page.entries[0].actor == f"uid:{os.geteuid()} {getpass.getuser()} for anna"


class Between:
    """A relay in this process, which calls every client "changed"; the test is the client and the broker."""

    def __init__(self) -> None:
        self.broker, theirs = socket.socketpair()
        self.client, ours = socket.socketpair()
        for end in (self.broker, self.client):
            end.settimeout(30)
        self._descriptor = ours.detach()
        self._relay = Relay(
            theirs,
            lambda hello: msgspec.structs.replace(hello, client="changed"),
            source=self._descriptor,
            sink=self._descriptor,
        )
        self._failures: list[TqError] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._relay.run()
        except TqError as error:
            self._failures.append(error)

    def end(self) -> list[TqError]:
        self._thread.join(30)
        assert not self._thread.is_alive()
        for end in (self.broker, self.client):
            end.close()
        os.close(self._descriptor)
        return self._failures


@pytest.fixture
def between() -> Between:
    return Between()


def receive(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += sock.recv(1 << 20)
    return data


def test_the_greeting_may_be_changed_and_all_else_passes_as_it_is(between: Between) -> None:
    changed = encode_frame(msgspec.structs.replace(HELLO, client="changed"))
    rest = encode_frame(HELLO) + b"\xff whatever"
    for byte in encode_frame(HELLO):
        between.client.send(bytes([byte]))
    between.client.sendall(rest)

    assert receive(between.broker, len(changed + rest)) == changed + rest
    between.client.shutdown(socket.SHUT_WR)
    assert between.end() == []


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (encode_frame(GetStats(1)), "the first message is GetStats"),
        (b"GET / HTTP/1.1", "the first frame on stdin announces 1195725856 bytes, above the limit of 262144"),
        (b"\0\0\0\1\xc1", "not a request"),
    ],
)
def test_what_is_no_greeting_never_reaches_the_broker(between: Between, first: bytes, why: str) -> None:
    between.client.sendall(first)

    assert between.broker.recv(100) == b""
    [failure] = between.end()
    assert isinstance(failure, ProtocolViolation)
    assert why in failure.message


def test_a_client_that_ends_in_its_greeting_is_no_failure(between: Between) -> None:
    between.client.sendall(encode_frame(HELLO)[:7])
    between.client.shutdown(socket.SHUT_WR)

    assert between.broker.recv(100) == b""
    assert between.end() == []


def test_neither_direction_waits_for_the_other(between: Between) -> None:
    much = b"x" * (4 << 20)
    writers = [
        threading.Thread(target=end.sendall, args=[data])
        for end, data in ((between.client, encode_frame(HELLO) + much), (between.broker, much))
    ]
    for writer in writers:
        writer.start()

    assert receive(between.client, len(much)) == much
    assert receive(between.broker, len(much)).endswith(much[:1_000])
    for writer in writers:
        writer.join(30)
    between.client.shutdown(socket.SHUT_WR)
    assert between.end() == []
