"""What the routes need of whoever connects them to the broker."""

from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, runtime_checkable

from tq.client.async_client import AsyncClient


class Caller(NamedTuple):
    """Who asks. `token` is empty for none; `origin` is an address as the audit shows it."""

    token: str
    origin: str
    is_local: bool
    certificate_names: tuple[str, ...] = ()


@runtime_checkable
class Gateway(Protocol):
    """Connections to the broker, one for each caller."""

    own: AsyncClient

    def client(self, caller: Caller) -> AbstractAsyncContextManager[AsyncClient]:
        """A connection that is greeted as this caller, shared and kept. Raises AccessDenied when it is entered."""
        ...
