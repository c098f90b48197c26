"""Whom we trust at the other end of TLS."""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path

import httpx2

from scheduler_service.errors import ConfigurationError


def context_for(scheme: str) -> ssl.SSLContext:
    """Return what checks the other end of a connection by a URL of this scheme.

    To read all certificates takes longer than most requests: they are read once, and not at all where there is no TLS.
    Raises `ConfigurationError` as `authorities` does.
    """
    return authorities() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def authorities() -> ssl.SSLContext:
    """Trust the authorities of this machine, and those besides that SSL_CERT_FILE and SSL_CERT_DIR name.

    Raises `ConfigurationError` where what they name cannot be read.
    """
    context = httpx2.create_ssl_context(trust_env=False)
    for variable, kind in (("SSL_CERT_FILE", "cafile"), ("SSL_CERT_DIR", "capath")):
        if path := os.environ.get(variable):
            try:
                Path(path).stat()  # a directory that is not there is passed over in silence
                context.load_verify_locations(**{kind: path})
            except OSError as error:  # what ssl raises is one
                why = error.strerror or error
                raise ConfigurationError(f"{variable}: {path!r} holds no certificates: {why}; name PEM") from None
    return context
