"""A worker's parent as a process: `python -m tests.worker.launch APP ADDRESS WORKER_SETTINGS_AS_JSON`."""

import sys

import msgspec

from tq.model.errors import TqError
from tq.model.settings import LogSettings, Settings, WorkerSettings
from tq.worker.parent import run_worker


def main() -> int:
    worker = msgspec.json.decode(sys.argv[3], type=WorkerSettings)
    try:
        return run_worker(
            Settings(worker=worker, log=LogSettings(level="debug", format="json")), sys.argv[1], sys.argv[2]
        )
    except TqError as error:
        print(f"error: {error.code}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
