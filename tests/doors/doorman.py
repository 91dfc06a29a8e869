"""A door that shows tests/doors/board.py: doorman.py KEYS HOST_KEY SESSIONS_MAX IDLE_SECONDS."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tq.doors.door import Door, DoorOptions
from tq.model.settings import LogSettings
from tq.server.logging import make_logger

BOARD = str(Path(__file__).with_name("board.py"))


async def main() -> None:
    keys, host_key, sessions, idle = sys.argv[1:]
    options = DoorOptions(
        port=0,
        keys=Path(keys),
        host_key=Path(host_key),
        sessions_max=int(sessions),
        idle_seconds=float(idle),
        login_seconds=2,
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    door = Door(
        options,
        lambda visitor: [sys.executable, BOARD, visitor.role, visitor.name],
        os.environ,
        make_logger(LogSettings(format="json")),
    )
    await door.start()
    await stopping.wait()
    await door.close()


if __name__ == "__main__":
    asyncio.run(main())
