"""The driver: submits one task for each file, waits for all, and prints what came of it.

    tq up stdlib_index.tasks:app        # in one terminal, in the directory examples/
    python -m stdlib_index              # in another

or both at once: `tq up --demo`.
"""

import asyncio
import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import tq
from stdlib_index.facts import FileFacts
from stdlib_index.report import Dead, print_report
from stdlib_index.sources import Source, find_sources, standard_library
from stdlib_index.tasks import app, index_file, summarise

DEFAULT_ADDRESS = "tcp://127.0.0.1:6379"
PATIENCE = "30m"


def main() -> int:
    """Run the whole index. Returns the exit code."""
    root = standard_library()
    sources = list(find_sources(root))
    if not sources:
        print(f"There is no Python source below {root}.", file=sys.stderr)
        return 1
    print(f"Indexing {len(sources):,} files of {root}", file=sys.stderr)
    try:
        asyncio.run(index(sources))
    except tq.TqError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def index(sources: list[Source]) -> None:
    """Submit, wait, merge, print."""
    started = time.monotonic()
    files: list[FileFacts] = []
    dead: list[Dead] = []
    errors = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with app:
        handles = await index_file.enqueue_many([(source.package, source.path) for source in sources])
        with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
            bar = progress.add_task("Indexing", total=len(handles))

            async def follow(handle: tq.TaskHandle[FileFacts], source: Source) -> None:
                try:
                    files.append(await handle.result(PATIENCE))
                except tq.TaskFailed:
                    history = (await handle.status()).history
                    error = f"{history[-1].error_type}: {history[-1].message}" if history else "unknown"
                    dead.append(Dead(handle.id, source.path.name, error))
                progress.advance(bar)

            async with asyncio.TaskGroup() as group:
                for handle, source in zip(handles, sources, strict=True):
                    group.create_task(follow(handle, source))
        packages = await (await summarise.enqueue(files)).result(PATIENCE)
    address = os.environ.get("TQ_URL", DEFAULT_ADDRESS)
    print_report(
        Console(highlight=False),
        packages,
        sorted(dead, key=lambda one: one.file),
        tasks=len(handles) + 1,
        seconds=time.monotonic() - started,
        address=None if address == DEFAULT_ADDRESS else address,
    )


if __name__ == "__main__":
    sys.exit(main())
