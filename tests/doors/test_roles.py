"""Whichever door one comes through, the role that it gives holds for every action: the dashboard says why a key does
nothing, and the broker refuses what is asked all the same. The doors that run a dashboard of their own, `tq door` and
`tq web`, have their tests beside this one; what an action does to each kind of thing is in tests/tui/test_matrix.py."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import pytest

from tests.client.real import RealBroker
from tests.doors.sshd import Sshd
from tests.tui.live import dashboard
from tq.client.async_client import AsyncClient
from tq.model.errors import AccessDenied
from tq.model.identity import Role
from tq.model.operations import Action as Bulk
from tq.tui.actions import ACTIONS

pytestmark = pytest.mark.xdist_group("sshd")

ANY = "state:dead_letter"
CALLS: Mapping[str, Callable[[AsyncClient], Awaitable[object]]] = {
    "retry": lambda client: client.prepare(Bulk.RETRY, ANY),
    "resubmit": lambda client: client.prepare(Bulk.RESUBMIT, ANY),
    "purge": lambda client: client.prepare(Bulk.PURGE, ANY),
    "cancel": lambda client: client.prepare(Bulk.CANCEL, "queue:mail"),
    "hold": lambda client: client.pause_queue("mail", "test"),
    "drain": lambda client: client.drain_worker("nobody"),
    "undo": lambda client: client.undo("00" * 8, "test"),
}
"""What each action asks of the broker."""


class Door(NamedTuple):
    """Where a viewer comes in. `wants`: the role that they ask for; where it is more, the door gives them less."""

    address: str
    wants: Role = Role.ADMIN


@pytest.fixture(params=["socket", "token", "ssh"])
async def door(request: pytest.FixtureRequest, broker: RealBroker, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Each of those that lead to a dashboard in one's own process."""
    socket = f"{broker.data_dir}/tq.sock"
    match request.param:
        case "ssh":
            sshd: Sshd = request.getfixturevalue("sshd")
            sshd.allow(f'restrict,command="tq stdio --role viewer --socket {socket}"')
            return Door(f"{sshd.address}{socket}")
        case "token":
            async with AsyncClient(f"unix://{socket}") as admin:
                token = await admin.create_token("watcher", Role.VIEWER)
            monkeypatch.setenv("TQ_TOKEN", token.text)
            return Door(broker.address)
        case _:
            return Door(f"unix://{socket}", Role.VIEWER)


async def test_a_viewer_is_told_why_and_refused_by_the_broker_whatever_the_door(door: Door) -> None:
    async with dashboard(door.address, role=door.wants) as seat:
        assert seat.app.role is Role.VIEWER
        told = {action.id: seat.app.why_not(action, action.targets[0]) for action in ACTIONS}
    async with AsyncClient(door.address, role=door.wants) as client:
        for call in CALLS.values():
            with pytest.raises(AccessDenied):
                await call(client)

    assert told == dict.fromkeys(CALLS, "viewer: needs operator")
