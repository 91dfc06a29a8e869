"""PEM files, which both ends of TLS are given."""

import ssl


def no_password() -> str:
    """Instead of OpenSSL's question at the terminal."""
    return ""


def why_unusable(cause: OSError) -> str:
    """What is wrong with a file that could not be loaded, in a few words."""
    if isinstance(cause, ssl.SSLError):
        return f"not a PEM file of the kind that is needed ({cause.reason or cause})"
    return cause.strerror or str(cause)
