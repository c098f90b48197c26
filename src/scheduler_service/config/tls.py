"""The certificate authorities that the service trusts for TLS connections."""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path

import httpx2

from scheduler_service.errors import ConfigurationError


def context_for(scheme: str) -> ssl.SSLContext:
    """Return the TLS context for connections to URLs of this scheme.

    Reading all certificates takes longer than most requests. They are read once, and only for schemes with TLS. Raise
    `ConfigurationError` as `authorities` does.
    """
    return authorities() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def authorities() -> ssl.SSLContext:
    """Return a context that trusts this machine's authorities and those in SSL_CERT_FILE and SSL_CERT_DIR.

    Raise `ConfigurationError` if these variables name something unreadable.
    """
    context = httpx2.create_ssl_context(trust_env=False)
    for variable, kind in (("SSL_CERT_FILE", "cafile"), ("SSL_CERT_DIR", "capath")):
        if path := os.environ.get(variable):
            try:
                Path(path).stat()  # ssl ignores a missing directory
                context.load_verify_locations(**{kind: path})
            except OSError as error:  # ssl.SSLError is an OSError
                why = error.strerror or error
                raise ConfigurationError(f"{variable}: {path!r} holds no certificates: {why}; name PEM") from None
    return context
