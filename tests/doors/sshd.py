"""A stock OpenSSH server on a loopback port, with keys, users' files and settings of its own."""

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.processes import Daemon, daemon, environment
from tests.client.scripted import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
ROOT = Path(__file__).parents[2]


def missing() -> str:
    """Why there can be no such server here; empty: there can."""
    if SSHD is None:
        return "sshd is missing: apt-get install openssh-server"
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        return "ssh is missing: apt-get install openssh-client"
    return ""


def make_key(path: Path, passphrase: str = "", comment: str = "tests") -> str:
    """A new key at `path`; its public half."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", comment, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path.with_suffix(".pub").read_text().strip()


class Sshd:
    """The files of a server and its clients. `key` is one that it accepts; `config` is for `ssh -F`."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.key = directory / "id_ed25519"
        self.public_key = make_key(self.key)
        self.host_key = directory / "host_key"
        self.host_public_key = make_key(self.host_key)
        self.authorized_keys = directory / "authorized_keys"
        self.known_hosts = directory / "known_hosts"
        self.home = directory / "home"
        self.config = self.home / ".ssh" / "config"  # where asyncssh looks, if HOME is `home`
        self._directory = directory

    @property
    def address(self) -> str:
        """Of the host, an alias in `config`."""
        return "ssh://broker-host"

    def command(self) -> str:
        """For TQ_SSH_COMMAND."""
        return f"ssh -F {self.config}"

    def allow(self, options: str = "") -> None:
        """Let the key in, with the options of an authorized_keys line."""
        self.authorized_keys.write_text(f"{options} {self.public_key}\n")

    def know_host(self, public_key: str | None = None) -> None:
        """What clients know the host by."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public_key or self.host_public_key}\n")

    def write(self) -> Path:
        """All files; the settings of the server."""
        tq = self._directory / "bin" / "tq"
        tq.parent.mkdir()
        tq.write_text(f'#!/bin/sh\nexec {sys.executable} -m tq.cli.main "$@"\n')
        tq.chmod(0o755)
        self.config.parent.mkdir(parents=True)
        self.config.write_text(
            f"Host broker-host\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.known_hosts}\n"
            f"Host behind-it\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  ProxyJump broker-host\n"
        )
        self.allow()
        self.know_host()
        settings = self._directory / "sshd_config"
        settings.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.host_key}\nAuthorizedKeysFile {self.authorized_keys}\n"
            "StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin prohibit-password\nPrintMotd no\nMaxStartups 100\n"
            f"SetEnv PATH={tq.parent}:/usr/bin:/bin PYTHONPATH={ROOT}\n"
        )
        return settings


@contextmanager
def running_sshd(directory: Path) -> Iterator[tuple[Sshd, Daemon]]:
    """A server that listens, and its process."""
    sshd = Sshd(directory)
    settings = sshd.write()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # of its unprivileged half
    assert SSHD is not None
    with daemon("-f", str(settings), "-D", "-e", program=[SSHD], env=environment()) as process:
        process.wait_for("Server listening")
        yield sshd, process
