"""TLS: the system is always verified; where it asks for a certificate of ours, it gets one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason


@dataclass(frozen=True)
class Tls:
    """Certificates of a connection.

    Attributes:
        ca_cert: file of the authority that vouches for the system; without it, the machine's own authorities do.
        client_cert: file of the certificate that we show (mutual TLS).
        client_key: file of its private key.
    """

    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""

    def context(self) -> ssl.SSLContext:
        """Return the context of a connection that verifies the system.

        Raises:
            ConfigError: a file is missing or is not what it should be.
        """
        for name in ("ca_cert", "client_cert", "client_key"):
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise ConfigError(f"{name}: there is no file {path}", code=Reason.CERTIFICATE_MISSING)
        if self.client_key and not self.client_cert:
            raise ConfigError("client_key is given without client_cert", code=Reason.CERTIFICATE_MISSING)
        try:
            context = ssl.create_default_context(cafile=self.ca_cert or None)
            if self.client_cert:
                context.load_cert_chain(self.client_cert, self.client_key or None, password=_no_password)
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            message = f"the certificates can't be used: {why}; check ca_cert, client_cert and client_key"
            raise ConfigError(message, code=Reason.CERTIFICATE_UNUSABLE) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _no_password() -> str:
    """Keep OpenSSL from asking a terminal that isn't there."""
    raise ValueError("the private key is encrypted")
