"""How a process ended, and how much memory it had used."""

import os
import signal
import subprocess
import sys

import msgspec

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of getrusage(2)


class Ending(msgspec.Struct, frozen=True):
    """The end of a process: an exit code, or the signal that killed it, such as "SIGKILL"."""

    exit_code: int | None
    signal: str
    rss_max_bytes: int

    def __str__(self) -> str:
        how = f"was killed by {self.signal}" if self.signal else f"exited with code {self.exit_code}"
        return f"{how}, peak memory {self.rss_max_bytes >> 20} MiB"


def await_end(process: "subprocess.Popen[bytes]") -> Ending:
    """Block until a process ends. Its zombie is gone afterwards; to be called once, by one thread."""
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code  # Popen must not wait for it again
    name = ""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:  # a real-time signal
            name = f"signal {-code}"
    return Ending(code if code >= 0 else None, name, usage.ru_maxrss * _RSS_UNIT)
