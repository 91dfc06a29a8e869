"""Checksums of a directory tree, computed by workers: a plain, synchronous script.

    tq up checksums:app                       # in one terminal, in this directory
    python checksums.py /usr/share > SUMS     # in another
    sha256sum --check --quiet SUMS

The worker reads the files itself, so it must see the same directory: the same machine, or a shared disk.
"""

import hashlib
import sys
from pathlib import Path

import tq

app = tq.App("checksums")


@app.task(queue="checksums", timeout="10m", max_retries=2, retry=tq.retry(never=(FileNotFoundError, PermissionError)))
def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex. A file that is gone or forbidden is not tried again; a failing disk is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    """Print the sums in the form of sha256sum. Returns 1 if a file could not be read."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").absolute()
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    failed = 0
    with app:
        # One request for up to a thousand tasks: they are all on the broker's disk when this returns.
        tasks = sha256.enqueue_many_sync([(path,) for path in paths])
        for path, task in zip(paths, tasks, strict=True):
            try:
                print(f"{task.result_sync('10m')}  {path}")
            except tq.TaskFailed as error:
                failed += 1
                print(f"{path}: {error.message}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
