"""TLS of the native port: the certificate that is shown, and the CAs whose client certificates count."""

import ssl
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from tq.config.pem import no_password, why_unusable
from tq.model.errors import ConfigInvalid
from tq.model.settings import BrokerSettings


class Tls:
    """The files of the settings as a context, renewed when the files are."""

    def __init__(self, broker: BrokerSettings) -> None:
        """
        Raises:
            ConfigInvalid: a file cannot be read, or is not what it should be.
        """
        self._cert, self._key = Path(broker.tls_cert), Path(broker.tls_key or broker.tls_cert)
        self.context = _new_context()
        self._changed_ns = self._last_change_ns()
        self._load(self.context)
        if broker.tls_client_ca:
            try:
                self.context.load_verify_locations(broker.tls_client_ca)
            except OSError as cause:  # an SSLError is one
                raise ConfigInvalid(f"broker.tls_client_ca {broker.tls_client_ca}: {why_unusable(cause)}") from None
            # Not required: who has no certificate may show a token.
            self.context.verify_mode = ssl.CERT_OPTIONAL

    def renew(self, log: FilteringBoundLogger) -> bool:
        """Show the new certificate to connections to come, if the files have changed; to be called now and then.

        Returns:
            whether there is a new one.
        """
        changed_ns = self._last_change_ns()
        if changed_ns in (self._changed_ns, 0):
            return False
        self._changed_ns = changed_ns
        try:
            self._load(_new_context())  # a certificate without its key would spoil the one in use
            self._load(self.context)
        except ConfigInvalid as error:
            log.warning("certificate_not_renewed", reason=error.message)
            return False
        log.info("certificate_renewed", file=str(self._cert))
        return True

    def _last_change_ns(self) -> int:
        """0 while a file is not there: it is being replaced."""
        try:
            return max(path.stat().st_mtime_ns for path in (self._cert, self._key))
        except OSError:
            return 0

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._cert, self._key, password=no_password)
        except OSError as cause:  # an SSLError is one
            raise ConfigInvalid(
                f"broker.tls_cert {self._cert} with tls_key {self._key}: {why_unusable(cause)}",
                hint="both are PEM files, and the key has no password",
            ) from None


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
