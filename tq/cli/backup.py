"""`tq backup` and `tq restore`: a copy of a broker's data, and a broker's data from a copy."""

from pathlib import Path
from typing import Annotated

import typer

from tq.cli.options import ConfigFile, Url
from tq.cli.reach import reach
from tq.cli.terminal import say


def backup(
    directory: Annotated[
        str,
        typer.Argument(metavar="DIRECTORY", help="A new directory, on the machine of the broker; an absolute path."),
    ],
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Copy the data of a running broker.

    Into a new directory on its machine; it goes on serving meanwhile.

    \b
    tq backup /var/backups/tq/$(date +%F)
    """
    # The broker has its own idea of "here"; a path of this shell must not quietly mean another place.
    absolute = str(Path(directory).absolute())
    with reach(url, config) as client:
        client.backup(absolute)
    say(f"Backed up to {absolute}; put it back with: tq restore {absolute} DATA_DIR")


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="A directory that tq backup made.")],
    data_dir: Annotated[Path, typer.Argument(metavar="DATA_DIR", help="The new data directory; empty, or not there.")],
) -> None:
    """Make a data directory from a backup.

    Each file is checked. Serve it with: tq broker --data-dir DATA_DIR.
    """
    from tq.storage.backup import restore_backup

    manifest = restore_backup(source, data_dir)
    say(f"Restored {len(manifest.files)} files to {data_dir}; serve it with: tq broker --data-dir {data_dir}")
