"""What a client shows to get in, and whom it trusts: from the environment, where the program does not say it."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from tq.config.pem import no_password, why_unusable
from tq.config.profiles import read_token
from tq.model.errors import ConfigInvalid

TOKEN, TOKEN_FILE = "TQ_TOKEN", "TQ_TOKEN_FILE"
TLS_CA, TLS_CERT, TLS_KEY = "TQ_TLS_CA", "TQ_TLS_CERT", "TQ_TLS_KEY"


def shown_token(token: str, environment: Mapping[str, str] | None = None) -> str:
    """The token for a greeting: this one, or that of TQ_TOKEN, or what the file that TQ_TOKEN_FILE names holds now, so
    that a token can be replaced while programs run. Empty: none.

    Raises:
        ConfigInvalid: the file cannot be read, is empty, or others can read it.
    """
    environment = os.environ if environment is None else environment
    if token or (token := environment.get(TOKEN, "").strip()):
        return token
    file = environment.get(TOKEN_FILE, "")
    if not file:
        return ""
    found = read_token(Path(file).expanduser())
    if not found:
        raise ConfigInvalid(f"{TOKEN_FILE}: {file} is empty", hint="put the token there, or unset the variable")
    return found


def client_context(environment: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """How a client speaks TLS: the broker must have a certificate for the name in its address, signed by a CA that the
    system trusts, or by one of the file that TQ_TLS_CA names. TQ_TLS_CERT and TQ_TLS_KEY (which may be in the same
    file) are PEM files of its own certificate.

    Raises:
        ConfigInvalid: a file cannot be read, or is not what it should be.
    """
    environment = os.environ if environment is None else environment
    ca, cert = environment.get(TLS_CA) or None, environment.get(TLS_CERT)
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as cause:  # an SSLError is one
        raise ConfigInvalid(f"{TLS_CA}: {ca}: {why_unusable(cause)}", hint="it is a PEM file of certificates") from None
    if cert:
        try:
            context.load_cert_chain(cert, environment.get(TLS_KEY) or None, password=no_password)
        except OSError as cause:
            raise ConfigInvalid(
                f"{TLS_CERT}: {cert}: {why_unusable(cause)}",
                hint=f"it and {TLS_KEY} are PEM files, and the key has no password",
            ) from None
    return context


def in_words(cause: ssl.SSLError) -> tuple[str, str]:
    """What went wrong with TLS, and what to do about it."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {cause.verify_message}",
            f"{TLS_CA} names the file of its CA; the name in the address must be one of the certificate",
        )
    if cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "it does not speak TLS", "try tcp:// instead of tls://"
    return f"TLS failed: {(cause.reason or str(cause)).lower().replace('_', ' ')}", "look at the certificates"
