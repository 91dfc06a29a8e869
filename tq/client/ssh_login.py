"""Log in by ssh once, while somebody at the terminal can be asked, for all connections that come later.

The dashboard has several connections and makes lost ones again while it fills the screen: no place for a question about
a passphrase. So an ssh of its own stays logged in beside it, and the others go through that one.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tq.client.addresses import SshAddress, parse_address
from tq.client.ssh import (
    ASKING_SECONDS,
    ASYNCSSH,
    CONTROL,
    client_of,
    control_path,
    failure,
    has_terminal,
    ssh_command,
)
from tq.client.ssh_process import options_of, place_of

_POLL_SECONDS: Final = 0.02
# Once nobody holds the other end of its stdin any more, however we ended, the login ends too. Ctrl-C is for us.
_SCRIPT: Final = """
trap "" INT
exec 3<&0
"$@" < /dev/null & ssh=$!
{ read -r _ <&3; kill $ssh; } 2> /dev/null & reader=$!
wait $ssh; code=$?
kill $reader 2> /dev/null
exit $code
"""


@contextlib.contextmanager
def logged_in(addresses: Sequence[str], *, seconds: float) -> Iterator[None]:
    """Stay logged in to those hosts of `addresses` that ssh reaches, for the length of the block.

    Without a terminal to ask on, or without OpenSSH, this does nothing, and each connection logs in by itself.

    Args:
        seconds: for a host to answer at all.

    Raises:
        ConnectFailed: none of `addresses` is left, for ssh is needed for all and did not get in anywhere.
        InvalidArgument: one is no address.
    """
    targets = [parse_address(address) for address in addresses]
    hosts = [target for target in targets if isinstance(target, SshAddress)]
    if not hosts or not has_terminal() or client_of(os.environ) == ASYNCSSH:
        yield
        return
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="tq-ssh-"))  # 0700
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        failures = []
        for host in hosts:
            process = _start(host, directory, seconds)
            stack.callback(_end, process)
            if why := _wait(process, control_path(directory, host)):
                failures.append(failure(host, "", why))
        if len(failures) == len(targets):
            raise failures[0]
        os.environ[CONTROL] = str(directory)
        stack.callback(os.environ.pop, CONTROL, None)
        yield


def _start(address: SshAddress, directory: Path, seconds: float) -> "subprocess.Popen[bytes]":
    control = ["-M", "-N", "-S", str(control_path(directory, address)), "-oControlPersist=no"]
    command = [*ssh_command(os.environ), *options_of(can_ask=True, seconds=seconds), *control, *place_of(address)]
    return subprocess.Popen(["/bin/sh", "-c", _SCRIPT, "sh", *command], stdin=subprocess.PIPE)  # noqa: S603 - names were checked by the address


def _wait(process: "subprocess.Popen[bytes]", path: Path) -> str:
    """Until the login is there; else why it will not be. What ssh had to say stands on the terminal."""
    deadline = time.monotonic() + ASKING_SECONDS
    while not path.is_socket():
        if process.poll() is not None:
            return "ssh did not get in, see above"
        if time.monotonic() > deadline:
            return f"nobody was logged in within {ASKING_SECONDS:g} s"
        time.sleep(_POLL_SECONDS)
    return ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
