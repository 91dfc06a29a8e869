"""A broker in a process of its own: `python -m tests.server.serve SETTINGS_AS_JSON [die]`."""

import asyncio
import sys

import msgspec
import uvloop

from tq.model.errors import StorageFailed
from tq.model.settings import ApiSettings, Settings
from tq.server.broker import Broker, run_broker


def fail_soon(broker: Broker) -> None:
    """As if the disk had failed."""
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: 1 // 0)  # a defect that nobody waits for
    loop.call_soon(broker.died.set_exception, StorageFailed("input/output error"))


def main() -> None:
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    settings = msgspec.structs.replace(settings, api=ApiSettings(rest_enabled=False, grpc_enabled=False))
    try:
        uvloop.run(run_broker(settings, on_started=fail_soon if "die" in sys.argv else None))
    except StorageFailed as error:
        sys.exit(f"{error.code}: {error}")


if __name__ == "__main__":
    main()
