"""One stock sshd and one broker for all tests of the doors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.real import RealBroker, real_broker
from tests.doors.sshd import Sshd, missing, running_sshd


@pytest.fixture(scope="session")
def _sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if why := missing():
        pytest.skip(why)
    with running_sshd(tmp_path_factory.mktemp("sshd")) as (sshd, _):
        yield sshd


@pytest.fixture
def sshd(_sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Sshd:
    """A stock sshd that lets us in; TQ_SSH_COMMAND and HOME have the clients of this process use its configuration."""
    _sshd.allow()
    _sshd.know_host()
    monkeypatch.setenv("TQ_SSH_COMMAND", _sshd.command())
    monkeypatch.setenv("HOME", str(_sshd.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return _sshd


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    """A real broker with a socket."""
    with real_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def data_dir(broker: RealBroker) -> Path:
    """Of the broker; its socket is tq.sock in it."""
    return broker.data_dir
