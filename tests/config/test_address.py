import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tq.client.addresses import parse_address
from tq.config.address import default_addresses, settings_addresses, socket_path
from tq.config.loading import load_settings
from tq.model.settings import BrokerSettings, PersistenceSettings, Settings


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield


def addresses(tmp_path: Path, **environment: str) -> tuple[str, ...]:
    return default_addresses({"TQ_PERSISTENCE_DATA_DIR": str(tmp_path), **environment})


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_with_nothing_said_and_nothing_there_it_is_the_default_port(tmp_path: Path) -> None:
    assert addresses(tmp_path) == ("tcp://127.0.0.1:6379",)


def test_the_socket_of_the_local_broker_comes_first_while_it_is_there(tmp_path: Path) -> None:
    with listening(tmp_path / "tq.sock"):
        assert addresses(tmp_path) == (f"unix://{tmp_path}/tq.sock", "tcp://127.0.0.1:6379")


def test_a_file_in_its_place_is_no_socket(tmp_path: Path) -> None:
    (tmp_path / "tq.sock").write_text("")

    assert addresses(tmp_path) == ("tcp://127.0.0.1:6379",)


def test_tq_url_beats_everything_and_may_name_several(tmp_path: Path) -> None:
    with listening(tmp_path / "tq.sock"):
        assert addresses(tmp_path, TQ_URL=" a:1, tcp://b:2 ,", TQ_BROKER_PORT="3") == ("a:1", "tcp://b:2")


def test_tq_url_is_taken_without_a_look_at_the_settings(tmp_path: Path) -> None:
    assert addresses(tmp_path, TQ_URL="a:1", TQ_CONFIG="/none") == ("a:1",)


def test_a_host_or_port_that_was_set_comes_before_the_socket(tmp_path: Path) -> None:
    with listening(tmp_path / "tq.sock"):
        assert addresses(tmp_path, TQ_BROKER_PORT="7000") == ("tcp://127.0.0.1:7000", f"unix://{tmp_path}/tq.sock")
        assert addresses(tmp_path, TQ_BROKER_HOST="broker")[0] == "tcp://broker:6379"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "tcp://127.0.0.1:6379"),
        ("::", "tcp://[::1]:6379"),
        ("", "tcp://127.0.0.1:6379"),
        ("fd00::7", "tcp://[fd00::7]:6379"),
    ],
)
def test_an_address_to_listen_on_becomes_one_to_connect_to(tmp_path: Path, host: str, address: str) -> None:
    assert addresses(tmp_path, TQ_BROKER_HOST=host) == (address,)


def test_a_broker_on_a_free_port_is_found_by_its_socket(tmp_path: Path) -> None:
    assert addresses(tmp_path, TQ_BROKER_PORT="0") == (f"unix://{tmp_path}/tq.sock",)
    assert addresses(tmp_path, TQ_BROKER_PORT="0", TQ_BROKER_SOCKET="none") == ("tcp://127.0.0.1:0",)


def test_a_socket_elsewhere_is_looked_for_there(tmp_path: Path) -> None:
    with listening(tmp_path / "other.sock"):
        assert addresses(tmp_path, TQ_BROKER_SOCKET=str(tmp_path / "other.sock"))[0] == f"unix://{tmp_path}/other.sock"


def test_the_path_of_the_socket_is_absolute(tmp_path: Path) -> None:
    assert socket_path(Settings()) == tmp_path / "data" / "tq.sock"
    assert socket_path(Settings(persistence=PersistenceSettings(data_dir="/var/lib/tq"))) == Path("/var/lib/tq/tq.sock")
    assert socket_path(Settings(broker=BrokerSettings(socket="run/x.sock"))) == tmp_path / "run" / "x.sock"
    assert socket_path(Settings(broker=BrokerSettings(socket="none"))) is None


def test_all_that_it_says_can_be_parsed(tmp_path: Path) -> None:
    with listening(tmp_path / "tq.sock"):
        for host in ("localhost", "::", "fd00::7"):
            loaded = load_settings(
                environment={"TQ_BROKER_HOST": host, "TQ_PERSISTENCE_DATA_DIR": str(tmp_path)}, search=[]
            )
            assert [str(parse_address(text)) for text in settings_addresses(loaded)] == list(settings_addresses(loaded))
