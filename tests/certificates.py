"""Certificates for the tests of TLS, made anew by the openssl program."""

import shutil
import subprocess
from pathlib import Path

import pytest


class Certificates:
    """A CA in a directory, and what it has signed. Files of `name`: name.pem, name.key."""

    def __init__(self, directory: Path, ca: str = "ca") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl program")
        self.directory = directory
        self._ca = ca
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}"),
        )

    def path(self, file: str) -> str:
        """One of the files."""
        return str(self.directory / file)

    def sign(self, name: str, *alternatives: str) -> None:
        """A certificate for these subject alternative names, such as DNS:localhost."""
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(alternatives)}\n")
        self._openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=not-a-name-that-counts"),
        )
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self._ca}.pem", "-CAkey", f"{self._ca}.key"),
            *("-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", extensions.name),
        )

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True, timeout=60)


def broker_certificates(directory: Path) -> Certificates:
    """What a broker on this machine needs, and a client with a name that counts: "server" and "ops"."""
    directory.mkdir(exist_ok=True)
    made = Certificates(directory)
    made.sign("server", "DNS:localhost", "IP:127.0.0.1")
    made.sign("ops", "DNS:ops.example.org", "URI:spiffe://example.org/ops")
    return made
