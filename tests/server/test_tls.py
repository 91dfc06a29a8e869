"""TLS on the native port, with certificates made for these tests."""

import asyncio
import contextlib
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Certificates
from tests.server.edges import edges, everything, hello
from tests.server.fakes import recording_logger
from tests.server.wire import Wire
from tq.config.tls import Tls
from tq.model.commands import ListQueues, Submit
from tq.model.errors import ConfigInvalid
from tq.model.identity import Role
from tq.model.replies import ErrorReply, QueuePage, Submitted
from tq.model.settings import BrokerSettings, PersistenceSettings, SecuritySettings, Settings
from tq.model.task import TaskSpec
from tq.server.broker import open_store

MTLS = SecuritySettings(certificate_roles="ops.example.org=operator")


@pytest.fixture
def server(certificates: Certificates) -> dict[str, str]:
    return {"tls_cert": certificates.path("server.pem"), "tls_key": certificates.path("server.key")}


def trusting(certificates: Certificates, client: str = "") -> ssl.SSLContext:
    """How a client that knows the CA speaks, with a certificate of its own if it has one."""
    context = ssl.create_default_context(cafile=certificates.path("ca.pem"))
    if client:
        context.load_cert_chain(certificates.path(f"{client}.pem"), certificates.path(f"{client}.key"))
    return context


async def test_requests_and_answers_of_any_size_travel_over_tls(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    payload = os.urandom(1 << 20)
    async with edges(short_socket, server) as broker:
        wire = await broker.tcp(trusting(certificates))
        await wire.greet()
        wire.send(*(Submit(n, [TaskSpec(n.to_bytes(16, "big"), "mail", payload)]) for n in range(1, 9)))
        answers = [await wire.receive() for _ in range(8)]

        assert broker.broker.addresses[0] == f"tls://127.0.0.1:{broker.port}"
        assert answers == [Submitted(n) for n in range(1, 9)]


async def test_a_connection_over_tls_that_is_refused_hears_why(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    async with edges(short_socket, server) as broker:
        await broker.token(Role.VIEWER)
        wire = await broker.tcp(trusting(certificates))
        wire.send(hello())
        (refusal,) = await everything(wire)

        assert isinstance(refusal, ErrorReply)
        assert refusal.code == "ACCESS_DENIED"
        assert broker.log.find("access_denied")["origin"] == "tls 127.0.0.1"


async def test_a_broker_that_stops_ends_its_connections_over_tls(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    async with edges(short_socket, server) as broker:
        wire = await broker.tcp(trusting(certificates))
        await wire.greet()
        stopping = asyncio.ensure_future(broker.broker.stop())
        came = await everything(wire)
        await stopping

        assert [type(message).__name__ for message in came] == ["Stopping"]
        assert "stop_timed_out" not in broker.log.names()


async def test_who_does_not_trust_the_certificate_or_speaks_no_tls_gets_nowhere(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    async with edges(short_socket, server) as broker:
        with pytest.raises(ssl.SSLCertVerificationError):
            await broker.tcp(ssl.create_default_context())
        plain = await broker.tcp()
        plain.send(hello(), ListQueues(1))

        assert await everything(plain) == []
        assert isinstance(await (await broker.admin()).ask(ListQueues(1)), QueuePage)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_of_tls_are_refused(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    old = trusting(certificates)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with edges(short_socket, server) as broker:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await broker.tcp(old)


async def test_a_client_certificate_gives_the_role_of_its_name(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    ca = certificates.path("ca.pem")
    async with edges(short_socket, {**server, "tls_client_ca": ca}, security=MTLS) as broker:
        welcome = await (await broker.tcp(trusting(certificates, "ops"))).greet()

        assert welcome.role == "operator"


@pytest.mark.parametrize("client", ["", "server"])
async def test_neither_no_certificate_nor_one_without_a_role_is_let_in_without_a_token(
    short_socket: Path, certificates: Certificates, server: dict[str, str], client: str
) -> None:
    ca = certificates.path("ca.pem")
    async with edges(short_socket, {**server, "tls_client_ca": ca}, security=MTLS) as broker:
        wire = await broker.tcp(trusting(certificates, client))
        refusal = await wire.ask(hello())
        token = await broker.token(Role.VIEWER)
        welcome = await (await broker.tcp(trusting(certificates, client))).greet(hello(token))

        assert isinstance(refusal, ErrorReply)
        assert refusal.code == "ACCESS_DENIED"
        assert welcome.role == "viewer"


async def test_a_client_certificate_of_another_ca_is_refused_whatever_it_says(
    short_socket: Path, certificates: Certificates, server: dict[str, str], tmp_path: Path
) -> None:
    forger = Certificates(tmp_path, "forger")
    forger.sign("ops", "DNS:ops.example.org")
    context = trusting(certificates)
    context.load_cert_chain(forger.path("ops.pem"), forger.path("ops.key"))
    async with edges(short_socket, {**server, "tls_client_ca": certificates.path("ca.pem")}, security=MTLS) as broker:
        came: list[Any] = []
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            wire = await broker.tcp(context)
            wire.send(hello())
            came = await everything(wire)

        assert came == []


async def test_a_client_that_never_ends_its_handshake_is_cut_off(
    short_socket: Path, server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.protocol.handshake.HANDSHAKE_SECONDS", 0.1)
    async with edges(short_socket, server) as broker:
        wire = await broker.tcp()

        assert await everything(wire) == []


async def test_no_more_handshakes_go_on_at_once_than_there_may_be_connections(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    async with edges(short_socket, {**server, "max_connections": 2}) as broker:
        silent = [await broker.tcp() for _ in range(2)]
        refused = await broker.tcp()

        assert await everything(refused) == []
        assert "handshakes" in str(broker.log.find("connection_refused")["reason"])

        for wire in silent:
            wire.writer.close()
        while broker.log.names().count("handshake_failed") < len(silent):
            await asyncio.sleep(0)
        await (await broker.tcp(trusting(certificates))).greet()


async def test_who_comes_over_tls_to_a_full_broker_is_told_so(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    async with edges(short_socket, {**server, "max_connections": 1}) as broker:
        await (await broker.tcp(trusting(certificates))).greet()
        (refusal,) = await everything(await broker.tcp(trusting(certificates)))

        assert isinstance(refusal, ErrorReply)
        assert refusal.code == "TOO_MANY_CONNECTIONS"


async def test_a_broker_that_stops_does_not_wait_for_a_handshake(short_socket: Path, server: dict[str, str]) -> None:
    async with edges(short_socket, {**server, "graceful_shutdown_timeout_secs": 0}) as broker:
        silent = await broker.tcp()
        while not broker.broker._connections.handshakes.under_way:
            await asyncio.sleep(0)
        await broker.broker.stop()

        assert await everything(silent) == []


async def test_a_renewed_certificate_is_shown_to_new_connections(certificates: Certificates, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    copy(certificates, "server", cert, key, at_ns=1)
    tls = Tls(BrokerSettings(tls_cert=str(cert), tls_key=str(key)))
    log, recorder = recording_logger()
    tls.renew(log)

    copy(certificates, "ops", cert, key, at_ns=2)
    tls.renew(log)
    tls.renew(log)

    assert recorder.names() == ["certificate_renewed"]
    assert await shown_names(tls, certificates) == ("ops.example.org",)


async def test_a_certificate_whose_key_is_still_the_old_one_does_not_spoil_the_one_in_use(
    certificates: Certificates, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    copy(certificates, "server", cert, key, at_ns=1)
    tls = Tls(BrokerSettings(tls_cert=str(cert), tls_key=str(key)))
    log, recorder = recording_logger()

    cert.write_bytes(Path(certificates.path("ops.pem")).read_bytes())
    tls.renew(log)
    cert.unlink()
    tls.renew(log)

    assert recorder.names() == ["certificate_not_renewed"]
    assert "localhost" in await shown_names(tls, certificates)


def copy(certificates: Certificates, name: str, cert: Path, key: Path, *, at_ns: int) -> None:
    for source, target in ((f"{name}.pem", cert), (f"{name}.key", key)):
        target.write_bytes(Path(certificates.path(source)).read_bytes())
        os.utime(target, ns=(at_ns, at_ns))


async def shown_names(tls: Tls, certificates: Certificates) -> tuple[str, ...]:
    """The DNS names of the certificate that a new connection is shown."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls.context)
    context = trusting(certificates)
    context.check_hostname = False
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2], ssl=context)
        names = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
    return tuple(name for kind, name in names if kind == "DNS")


@pytest.mark.parametrize(
    ("cert", "key", "why"),
    [
        ("missing.pem", "server.key", "No such file"),
        ("server.pem", "missing.key", "No such file"),
        ("server.key", "server.key", "not a PEM file of the kind that is needed"),
        ("server.pem", "ops.key", "not a PEM file of the kind that is needed"),
        ("server.pem", "", "not a PEM file of the kind that is needed"),
    ],
)
def test_files_that_cannot_be_used_are_said_before_there_is_a_data_directory(
    certificates: Certificates, tmp_path: Path, cert: str, key: str, why: str
) -> None:
    broker = BrokerSettings(tls_cert=certificates.path(cert), tls_key=certificates.path(key) if key else "")
    settings = Settings(broker=broker, persistence=PersistenceSettings(data_dir=str(tmp_path / "data")))
    log, _ = recording_logger()

    with pytest.raises(ConfigInvalid, match=why):
        open_store(settings, log)
    assert not (tmp_path / "data").exists()


def test_an_address_for_others_is_refused_before_there_is_a_data_directory(tmp_path: Path) -> None:
    persistence = PersistenceSettings(data_dir=str(tmp_path / "data"))
    settings = Settings(broker=BrokerSettings(host="0.0.0.0"), persistence=persistence)
    log, _ = recording_logger()

    with pytest.raises(ConfigInvalid, match="there is no TLS"):
        open_store(settings, log)
    assert not (tmp_path / "data").exists()


async def test_a_token_made_on_loopback_opens_the_broker_to_others_over_tls(
    short_socket: Path, certificates: Certificates, server: dict[str, str]
) -> None:
    with pytest.raises(ConfigInvalid, match="nobody has a token"):
        async with edges(short_socket, {**server, "host": "0.0.0.0"}):
            pass

    async with edges(
        short_socket, {**server, "host": "0.0.0.0", "tls_client_ca": certificates.path("ca.pem")}
    ) as broker:
        assert isinstance(await broker.admin(), Wire)
