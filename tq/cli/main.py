"""`tq`: from argv to a verb, and from whatever comes back to an exit code."""

import os
import sys

from tq import __version__
from tq.model.errors import TqError


def main() -> None:
    """The `tq` executable. Ends the process; its exit codes are those of tq/cli/exits.py."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Before anything is imported: scripts ask for the version often.
        sys.stdout.write(f"tq {__version__}\n")
        return
    from tq.cli.exits import Exit, of_kind
    from tq.cli.terminal import say_error
    from tq.cli.verbs import app

    try:
        try:
            app(prog_name="tq")
        finally:
            # At the interpreter's end a reader that went away would look like a defect.
            sys.stdout.flush()
    except TqError as error:
        say_error(error)
        sys.exit(of_kind(error.kind))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough, such as `head`. What is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILED)


if __name__ == "__main__":
    main()
