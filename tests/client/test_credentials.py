"""What a client shows, and whom it trusts; and connecting with it to a real broker."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.certificates import Certificates, broker_certificates
from tests.server.edges import Edges, edges
from tq.client.async_client import AsyncClient
from tq.client.credentials import client_context, in_words, shown_token
from tq.model.errors import AccessDenied, ConfigInvalid, ConnectFailed, InvalidArgument, WrongState
from tq.model.settings import SecuritySettings


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return broker_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    link = Path(f"/tmp/tq-test-{os.getpid()}-{os.urandom(4).hex()}")
    link.symlink_to(tmp_path)
    yield link / "s"
    link.unlink()


@asynccontextmanager
async def tls_broker(
    socket: Path, certificates: Certificates, name: str = "server", *, client_ca: str = "", roles: str = ""
) -> AsyncIterator[Edges]:
    """A broker that shows the certificate of this name."""
    section = {
        "tls_cert": certificates.path(f"{name}.pem"),
        "tls_key": certificates.path(f"{name}.key"),
        "tls_client_ca": client_ca,
    }
    async with edges(socket, section, security=SecuritySettings(certificate_roles=roles)) as broker:
        yield broker


def token_file(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_token_that_is_given_counts_more_than_the_environment_and_that_more_than_a_file(tmp_path: Path) -> None:
    file = {"TQ_TOKEN_FILE": token_file(tmp_path / "t", " of-file\n")}

    assert shown_token("given", {"TQ_TOKEN": "of-environment", **file}) == "given"
    assert shown_token("", {"TQ_TOKEN": "of-environment\n", **file}) == "of-environment"
    assert shown_token("", file) == "of-file"
    assert shown_token("", {}) == ""


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    environment = {"TQ_TOKEN_FILE": token_file(tmp_path / "t", "old")}
    first = shown_token("", environment)
    token_file(tmp_path / "t", "new")

    assert (first, shown_token("", environment)) == ("old", "new")


@pytest.mark.parametrize(("text", "mode", "why"), [("t", 0o644, "can be read by others"), ("\n", 0o600, "is empty")])
def test_a_token_file_that_is_open_to_others_or_empty_is_an_error(
    tmp_path: Path, text: str, mode: int, why: str
) -> None:
    with pytest.raises(ConfigInvalid, match=why):
        shown_token("", {"TQ_TOKEN_FILE": token_file(tmp_path / "t", text, mode)})


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"TQ_TLS_CA": "missing.pem"}, r"TQ_TLS_CA: .*missing\.pem: No such file"),
        ({"TQ_TLS_CA": "ca.key"}, "TQ_TLS_CA: .* not a PEM file"),
        ({"TQ_TLS_CERT": "ops.pem"}, "TQ_TLS_CERT: .* not a PEM file"),
        ({"TQ_TLS_CERT": "ops.pem", "TQ_TLS_KEY": "server.key"}, "TQ_TLS_CERT: .* not a PEM file"),
    ],
)
def test_files_of_tls_that_cannot_be_used_are_named(
    certificates: Certificates, environment: dict[str, str], why: str
) -> None:
    with pytest.raises(ConfigInvalid, match=why):
        client_context({name: certificates.path(file) for name, file in environment.items()})


async def test_a_client_over_tls_trusts_the_ca_that_it_is_told(
    socket: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_broker(socket, certificates) as broker:
        with pytest.raises(ConnectFailed, match="its certificate is not trusted") as refused:
            await AsyncClient(f"tls://localhost:{broker.port}").connect()
        monkeypatch.setenv("TQ_TLS_CA", certificates.path("ca.pem"))
        async with AsyncClient(f"tls://localhost:{broker.port}") as client:
            assert await client.queues() == []

    assert "TQ_TLS_CA" in refused.value.hint


async def test_a_certificate_for_another_name_is_not_trusted(
    socket: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQ_TLS_CA", certificates.path("ca.pem"))
    async with tls_broker(socket, certificates, "ops") as broker:
        with pytest.raises(ConnectFailed, match=r"not valid for 'localhost'"):
            await AsyncClient(f"tls://localhost:{broker.port}").connect()


async def test_tls_to_a_plain_port_and_the_reverse_say_what_to_try(
    socket: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQ_TLS_CA", certificates.path("ca.pem"))
    async with edges(socket) as plain:
        with pytest.raises(ConnectFailed, match="does not speak TLS") as first:
            await AsyncClient(f"tls://localhost:{plain.port}").connect()
    async with tls_broker(socket, certificates) as encrypted:
        with pytest.raises(ConnectFailed, match="ended during the greeting") as second:
            await AsyncClient(f"tcp://localhost:{encrypted.port}").connect()

    assert "tcp://" in first.value.hint
    assert "tls://" in second.value.hint


async def test_a_client_certificate_of_the_environment_is_shown(
    socket: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQ_TLS_CA", certificates.path("ca.pem"))
    monkeypatch.setenv("TQ_TLS_CERT", certificates.path("ops.pem"))
    monkeypatch.setenv("TQ_TLS_KEY", certificates.path("ops.key"))
    ca, roles = certificates.path("ca.pem"), "spiffe://example.org/*=operator"
    async with (
        tls_broker(socket, certificates, client_ca=ca, roles=roles) as broker,
        AsyncClient(f"tls://127.0.0.1:{broker.port}") as client,
    ):
        welcome = await client.connect()

    assert welcome.role == "operator"


async def test_a_token_is_made_shown_listed_and_revoked(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with edges(socket) as broker:
        admin = AsyncClient(f"unix://{broker.socket}")
        made = await admin.create_token("ci", "producer", queues=["mail*"], expires="90d")
        monkeypatch.setenv("TQ_TOKEN", made.text)
        async with AsyncClient(f"127.0.0.1:{broker.port}") as client:
            welcome = await client.connect()
        monkeypatch.delenv("TQ_TOKEN")
        listed = await admin.tokens()
        await admin.revoke_token("ci")
        with pytest.raises(AccessDenied, match=r"_\*\*\* is not known here"):
            await AsyncClient(f"127.0.0.1:{broker.port}", token=made.text).connect()
        await admin.close()

    assert welcome.role == "producer"
    assert [token.name for token in listed] == ["ci"]
    assert made.text not in repr(listed)
    assert made.text not in repr(broker.log.events)


async def test_a_client_whose_token_is_revoked_is_told_so_and_does_not_try_on(socket: Path) -> None:
    async with edges(socket) as broker:
        admin = AsyncClient(f"unix://{broker.socket}")
        made = await admin.create_token("ci", "producer")
        client = AsyncClient(f"127.0.0.1:{broker.port}", token=made.text)
        connection = await client._link.ready()
        await admin.revoke_token("ci")
        reason = await asyncio.shield(connection.closed)
        with pytest.raises(AccessDenied):
            await client.queues()
        await admin.close()
        await client.close()

    assert isinstance(reason, AccessDenied)


async def test_a_creation_that_makes_no_sense_is_refused(socket: Path) -> None:
    async with edges(socket) as broker:
        admin = AsyncClient(f"unix://{broker.socket}")
        for role, expires in (("root", None), ("none", None), ("viewer", "0s")):
            with pytest.raises(InvalidArgument):
                await admin.create_token("ci", role, expires=expires)
        await admin.create_token("ci", "viewer")
        with pytest.raises(WrongState):
            await admin.create_token("ci", "viewer")
        assert len(await admin.tokens()) == 1
        assert [entry.action for entry in await admin.audit(limit=1)] == ["token-create"]
        await admin.close()


def test_errors_of_tls_are_put_into_words() -> None:
    error = ssl.SSLError()
    error.reason = "TLSV1_ALERT_UNKNOWN_CA"

    assert in_words(error)[0] == "TLS failed: tlsv1 alert unknown ca"
