"""Where the broker listens, and whom it lets in."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tq.model.errors import ConfigInvalid
from tq.model.settings import ApiSettings, BrokerSettings, Settings
from tq.server.listen import check_credentials, check_exposure, listen_tcp, listen_unix, shown


@pytest.fixture
def short_path(tmp_path: Path) -> Iterator[Path]:
    """A directory whose name leaves room in the 107 bytes of a socket's address."""
    link = Path(f"/tmp/tq-test-{os.getpid()}-{os.urandom(4).hex()}")
    link.symlink_to(tmp_path)
    yield link
    link.unlink()


def close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def test_a_port_of_zero_takes_a_free_one_and_says_which() -> None:
    (sock,) = listen_tcp("127.0.0.1", 0)

    address = shown(sock)
    with socket.create_connection(sock.getsockname()):
        pass
    sock.close()

    assert address == f"tcp://127.0.0.1:{address.rpartition(':')[2]}"


def test_all_addresses_of_a_name_get_the_same_port() -> None:
    sockets = listen_tcp("localhost", 0)
    ports = {sock.getsockname()[1] for sock in sockets}
    close(sockets)

    assert len(ports) == 1


def test_an_address_of_version_six_is_shown_in_brackets() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        port = sock.getsockname()[1]

        assert shown(sock) == f"tcp://[::1]:{port}"


def test_a_busy_port_is_an_error_that_names_it() -> None:
    (taken,) = listen_tcp("127.0.0.1", 0)
    port = taken.getsockname()[1]

    with pytest.raises(ConfigInvalid, match=f"port {port} of 127.0.0.1 is in use"):
        listen_tcp("127.0.0.1", port)
    taken.close()


def test_a_busy_port_may_be_passed_over_for_the_next_free_one() -> None:
    (taken,) = listen_tcp("127.0.0.1", 0)
    port = taken.getsockname()[1]

    (sock,) = listen_tcp("127.0.0.1", port, next_free=True)
    found = sock.getsockname()[1]
    close([taken, sock])

    assert port < found <= port + 100


def settings(host: str, **changes: object) -> Settings:
    return Settings(broker=BrokerSettings(host=host, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_address_that_others_can_reach_is_refused_without_tls(host: str) -> None:
    with pytest.raises(ConfigInvalid, match="not loopback, and there is no TLS") as refused:
        check_exposure(settings(host))

    assert "--insecure" in refused.value.hint


def test_the_address_of_the_edges_is_held_to_the_same_unless_there_are_none() -> None:
    exposed = Settings(api=ApiSettings(host="0.0.0.0"))
    with pytest.raises(ConfigInvalid, match=r"api\.host 0\.0\.0\.0 is not loopback, and there is no TLS"):
        check_exposure(exposed)
    with pytest.raises(ConfigInvalid, match=r"api\.host 0\.0\.0\.0 is not loopback, and there are no credentials"):
        check_credentials(exposed, has_token=False)

    check_exposure(Settings(api=ApiSettings(host="0.0.0.0", rest_enabled=False, grpc_enabled=False)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8"])
def test_loopback_needs_neither_tls_nor_credentials(host: str) -> None:
    check_exposure(settings(host))
    check_credentials(settings(host), has_token=False)


def test_an_address_that_others_can_reach_is_refused_while_nobody_has_credentials() -> None:
    with pytest.raises(ConfigInvalid, match="nobody has a token") as refused:
        check_credentials(settings("0.0.0.0", tls_cert="cert.pem"), has_token=False)

    assert "tq token create" in refused.value.hint


@pytest.mark.parametrize(
    ("changes", "has_token"),
    [
        ({"tls_cert": "cert.pem"}, True),
        ({"tls_cert": "cert.pem", "tls_client_ca": "ca.pem"}, False),
        ({"insecure": True}, False),
    ],
)
def test_an_address_that_others_can_reach_is_allowed_with_tls_and_credentials_or_when_asked_for(
    changes: dict[str, object], has_token: bool
) -> None:
    check_exposure(settings("0.0.0.0", **changes))
    check_credentials(settings("0.0.0.0", **changes), has_token=has_token)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_an_error(host: str) -> None:
    with pytest.raises(ConfigInvalid, match=host):
        listen_tcp(host, 0)


def test_the_socket_and_its_directory_are_for_this_user_alone(short_path: Path) -> None:
    path = short_path / "new" / "tq.sock"
    before = os.umask(0)
    try:
        sock = listen_unix(path)
    finally:
        os.umask(before)

    modes = [stat.S_IMODE(part.stat().st_mode) for part in (path, path.parent)]
    address = shown(sock)
    sock.close()

    assert modes == [0o600, 0o700]
    assert address == f"unix://{path}"


def test_the_socket_of_a_dead_broker_is_replaced(short_path: Path) -> None:
    path = short_path / "tq.sock"
    listen_unix(path).close()

    sock = listen_unix(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    sock.close()


def test_the_socket_of_a_living_broker_is_not_replaced(short_path: Path) -> None:
    path = short_path / "tq.sock"
    living = listen_unix(path)

    with pytest.raises(ConfigInvalid, match="a broker is listening"):
        listen_unix(path)
    living.close()


def test_a_file_in_the_place_of_the_socket_is_left_alone(short_path: Path) -> None:
    path = short_path / "tq.sock"
    path.write_text("precious")

    with pytest.raises(ConfigInvalid, match="not a socket"):
        listen_unix(path)

    assert path.read_text() == "precious"


def test_a_path_too_long_for_a_socket_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot listen on socket"):
        listen_unix(tmp_path / ("x" * 120))
