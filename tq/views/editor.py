"""The editor of whoever sits at the terminal, on a file that nobody else can read."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tq.model.errors import InvalidArgument

DEFAULTS = ("vi", "nano")


class EditedFile:
    """A text in a file of mode 0600, in a directory of mode 0700, until `remove`.

    Raises:
        InvalidArgument: there is no editor.
    """

    def __init__(self, suffix: str) -> None:
        self._command = _editor()
        self._folder = Path(tempfile.mkdtemp(prefix="tq-"))  # 0700
        self.path = self._folder / f"payload{suffix}"

    def edit(self, text: str) -> str:
        """What the text is when the editor has ended.

        Raises:
            InvalidArgument: the editor cannot be started or failed, or the file is gone or no UTF-8.
        """
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
        try:
            # Its screen goes to stderr where stdout is a pipe: `id=$(tq dead resubmit ID --edit)`.
            stdout = None if sys.stdout.isatty() else sys.stderr
            code = subprocess.run([*self._command, str(self.path)], stdout=stdout, check=False).returncode  # noqa: S603
        except OSError as cause:
            self.remove()
            raise InvalidArgument(f"{self._command[0]} cannot be started: {cause.strerror}", hint=_HINT) from None
        try:
            written = self.path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as cause:
            raise InvalidArgument(f"{self.path} cannot be read: {cause}") from None
        if code and written == text:
            self.remove()
            raise InvalidArgument(f"{self._command[0]} ended with code {code}: nothing was done")
        if code:
            raise InvalidArgument(f"{self._command[0]} ended with code {code}", hint=f"what you wrote: {self.path}")
        return written

    def remove(self) -> None:
        """Delete the file and whatever the editor left beside it."""
        shutil.rmtree(self._folder, ignore_errors=True)


_HINT = "set EDITOR to yours, such as EDITOR=nano"


def _editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        if chosen := os.environ.get(name, "").strip():
            try:
                return shlex.split(chosen)
            except ValueError as cause:
                raise InvalidArgument(f"{name} {chosen!r} is no command: {cause}", hint=_HINT) from None
    found = next((name for name in DEFAULTS if shutil.which(name)), None)
    if found is None:
        raise InvalidArgument("there is no editor", hint=_HINT)
    return [found]
