"""DATABASE_URL and REDIS_URL: which are accepted, and the error for others, without a connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.addresses import connect_arguments, redis_tls
from scheduler_service.config.loading import load_settings
from scheduler_service.errors import ConfigurationError
from scheduler_service.storage.database import Database, parse_url

PORT = r"the URL has no valid host or port; write "


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("edis://hush@localhost", r"'edis' is not supported; write redis://host:6379/0"),
        ("http://hush@localhost:6379", r"'http' is not supported"),
        ("redis+socket:///hush", r"'redis\+socket' is not supported"),
        ("localhost:6379", r"this is not a URL; write redis://"),
        ("hush", r"this is not a URL"),
        ("redis://", r"the URL names no host"),
        ("redis://:hush@/0", r"the URL names no host"),
        ("redis://:hush@localhost:99999/0", PORT),
        ("redis://:hush@localhost:port/0", PORT),
        ("redis://:hush@localhost:0/0", r"the port lies between 1 and 65535"),
        ("redis://[hush", PORT),
        ("redis://:hush@localhost/first", r"what follows the host is not the number of a database"),
        ("redis://a/0;redis://:hush@b/0", r"what follows the host is not the number of a database"),
        ("redis://:hu sh@localhost/0", r"the URL holds a space or a control character"),
        ("redis://:hush@localhost/0?retries=3", r"the option 'retries' is not supported; remove it \(redis:// takes"),
        ("rediss://:hush@localhost/0?ssl_cert_reqs=none", r"ssl_cert_reqs: certificates are always verified here"),
        ("rediss://:hush@localhost/0?ssl_ca_certs=/none", r"ssl_ca_certs: there is no file '/none'; name a PEM file"),
    ],
)
def test_error_for_a_wrong_redis_url_hides_its_secret(monkeypatch: pytest.MonkeyPatch, url: str, message: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)

    with pytest.raises(ConfigurationError, match=f"^REDIS_URL: {message}") as refused:
        load_settings(_env_file=None)
    assert "hush" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hush", r"this is not a URL; write postgresql\+asyncpg://"),
        ("mysql://hush@localhost/x", r"'mysql' is not supported"),
        ("postgresql://u:hush@localhost:99999/x", PORT),
        ("postgresql://u:hush@localhost:port/x", PORT),
        ("postgresql://u:hush@localhost/x?sslmode=on", r"sslmode: 'on' is no mode; write one of disable, allow,"),
        ("postgresql://u:hush@localhost/x?sslrootcert=/none", r"sslrootcert: there is no file '/none'"),
        ("postgresql://u:hush@localhost/x?channel_binding=require", r"the option 'channel_binding' is not supported;"),
        ("postgresql://u:hush@localhost/x?connect_timeout=soon", r"connect_timeout: 'soon' is not a number"),
        ("postgresql://u:hush@localhost/x?connect_timeout=inf", r"connect_timeout: 'inf' is not a number"),
    ],
)
def test_error_for_a_wrong_database_url_hides_its_secret(
    monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ConfigurationError, match=f"^DATABASE_URL: {message}") as refused:
        load_settings(_env_file=None)
    assert "hush" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"^DATABASE_URL: "):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0", "redis://localhost", "redis://:p%40ss@redis_1:6380", "rediss://u:p@[::1]:6379/15",
        "redis://user@10.0.0.1",
    ],
)  # fmt: skip
def test_valid_redis_url_is_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://localhost/x")
    monkeypatch.setenv("REDIS_URL", url)

    assert load_settings(_env_file=None).is_distributed


def test_certificates_of_redis_are_verified(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()

    assert redis_tls("redis://localhost") is None
    assert redis_tls(f"rediss://localhost?ssl_ca_certs={tmp_path}/ca.pem&ssl_cert_reqs=required") == {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_ca_certs": f"{tmp_path}/ca.pem",
    }


def test_libpq_options_are_passed_on_to_asyncpg() -> None:
    options = {"sslmode": "verify-full", "sslrootcert": "/a b", "connect_timeout": "2.5", "host": "x"}

    assert connect_arguments(options) == {
        "dsn": "postgresql://?sslmode=verify-full&sslrootcert=%2Fa+b",
        "timeout": 2.5,
    }
    assert connect_arguments({"ssl": "require"}) == {"dsn": "postgresql://?sslmode=require"}


async def test_sslmode_of_the_url_is_used(migrated_postgres_url: str) -> None:
    """The test server speaks no TLS: `prefer` falls back, `require` does not."""
    preferring, requiring = (Database(f"{migrated_postgres_url}?sslmode={mode}") for mode in ("prefer", "require"))

    await preferring.check()
    with pytest.raises(Exception, match="rejected SSL upgrade"):
        await requiring.check()
    await preferring.close()
    await requiring.close()
