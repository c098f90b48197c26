"""Checks DATABASE_URL and REDIS_URL without connecting, and converts the options in their query strings.

Every message names the problem and the remedy. No message contains a URL, because it can contain a password.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

POSTGRESQL_SCHEMES = frozenset(
    {"postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"}
)
SQLITE_SCHEMES = frozenset({"sqlite", "sqlite+aiosqlite"})
REDIS_SCHEMES = frozenset({"redis", "rediss"})
# PostgreSQL manual, section 32.18.1.
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
HIGHEST_PORT = 65535

_REDIS_FORM = "write redis://host:6379/0, or rediss://host:6379/0 for TLS"
_DATABASE_FORM = "write postgresql+asyncpg://user:password@host:5432/name"
# Options that asyncpg reads from a connection string in the same way as libpq.
_LIBPQ_OPTIONS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "target_session_attrs"})
_FILES = ("sslrootcert", "sslcert", "sslkey", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
# Options that SQLAlchemy reads from the URL.
_SQLALCHEMY_OPTIONS = frozenset({"host", "port", "prepared_statement_cache_size"})
_NUMBERS: Mapping[str, type[int | float]] = MappingProxyType(
    {"connect_timeout": float, "statement_cache_size": int, "prepared_statement_cache_size": int}
)
_POSTGRESQL_OPTIONS = _LIBPQ_OPTIONS | _SQLALCHEMY_OPTIONS | {"ssl", *_NUMBERS}
_REDIS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"})


def check_redis_url(url: str) -> None:
    """Raise ValueError if the service cannot use this Redis URL."""
    parts = _split(url, REDIS_SCHEMES, _REDIS_FORM)
    if not parts.hostname:
        raise ValueError(f"the URL names no host; {_REDIS_FORM}")
    if not re.fullmatch(r"/?\d*", parts.path, re.ASCII):
        raise ValueError(f"what follows the host is not the number of a database; {_REDIS_FORM}")
    options = _options(parts, _REDIS_OPTIONS if parts.scheme == "rediss" else frozenset())
    if options.get("ssl_cert_reqs", "required").removeprefix("CERT_").lower() != "required":
        raise ValueError(
            "ssl_cert_reqs: certificates are always verified here; remove it, and name the authority that issued the "
            "certificate with ssl_ca_certs=/path/to/ca.pem or SSL_CERT_FILE"
        )


def redis_tls(url: str) -> dict[str, Any] | None:
    """Return the redis-py options that verify the server of a `rediss://` URL, or None for `redis://`."""
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return None
    given = {name: value for name, value in parse_qsl(parts.query) if name in _FILES}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **given}


def without_query(url: str) -> str:
    """Return a URL without its query string."""
    return urlsplit(url)._replace(query="").geturl()


def check_database_url(url: str) -> None:
    """Raise ValueError if the service cannot use this database URL."""
    scheme = url.partition(":")[0]
    if scheme in SQLITE_SCHEMES:
        return
    parts = _split(url, POSTGRESQL_SCHEMES, f"{_DATABASE_FORM} or sqlite+aiosqlite:///path/of.db")
    options = _options(parts, _POSTGRESQL_OPTIONS)
    mode = options.get("sslmode", options.get("ssl", "prefer"))
    if mode not in SSL_MODES:
        raise ValueError(f"sslmode: {mode!r} is no mode; write one of {', '.join(SSL_MODES)}")
    for name, kind in _NUMBERS.items():
        _check_number(name, options.get(name, "0"), kind)


def connect_arguments(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return asyncpg arguments for the URL options that SQLAlchemy does not read.

    Options of libpq are passed in a separate connection string, where asyncpg reads them as libpq does.
    """
    of_libpq = {name: value for name, value in query.items() if name in _LIBPQ_OPTIONS}
    if "ssl" in query:
        of_libpq.setdefault("sslmode", query["ssl"])
    arguments: dict[str, Any] = {"dsn": f"postgresql://?{urlencode(of_libpq)}"} if of_libpq else {}
    if "connect_timeout" in query:
        arguments["timeout"] = float(query["connect_timeout"])
    if "statement_cache_size" in query:
        arguments["statement_cache_size"] = int(query["statement_cache_size"])
    return arguments


def read_by_sqlalchemy(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the URL options that SQLAlchemy reads."""
    return {name: value for name, value in query.items() if name in _SQLALCHEMY_OPTIONS}


def _split(url: str, schemes: Collection[str], form: str) -> SplitResult:
    if "://" not in url:
        raise ValueError(f"this is not a URL; {form}")
    # urlsplit() silently removes some of these characters.
    if not url.isprintable() or " " in url:
        raise ValueError(f"the URL holds a space or a control character; {form}")
    scheme = url.partition("://")[0]
    if scheme not in schemes:
        raise ValueError(f"{scheme!r} is not supported; {form}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"the URL has no valid host or port; {form}") from None
    if port == 0:
        raise ValueError(f"the port lies between 1 and {HIGHEST_PORT}; {form}")
    return parts


def _options(parts: SplitResult, known: frozenset[str]) -> dict[str, str]:
    """Return the options of a query. Raise ValueError for an unknown option or an unreadable file."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options.keys() - known:
        supported = f"supported: {', '.join(sorted(known))}" if known else f"{parts.scheme}:// takes none"
        raise ValueError(f"the option {name!r} is not supported; remove it ({supported})")
    for name in _FILES:
        if (path := options.get(name)) is not None and not Path(path).is_file():
            raise ValueError(f"{name}: there is no file {path!r}; name a PEM file")
    return options


def _check_number(name: str, text: str, kind: type[int | float]) -> None:
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name}: {text!r} is not a number of 0 or more")
