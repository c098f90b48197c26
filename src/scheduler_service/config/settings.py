"""The settings. Each process reads them once at its start and passes them to what it builds.

Sources, in order of precedence: environment variables, `.env`, and files named by `NAME_FILE` variables.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, AliasGenerator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from scheduler_service.addresses import check_database_url, check_redis_url
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY, check_api_key, check_reach_of_development_key
from scheduler_service.config.directories import make_own_directory
from scheduler_service.config.package_settings import PackageSettings
from scheduler_service.config.request_limits import RequestLimitSettings
from scheduler_service.config.secret_files import SecretFileSource
from scheduler_service.config.secrets_key import read_keys
from scheduler_service.config.values import AliveFile, LogLevel, PythonEnvironments, Tags
from scheduler_service.config.web_address import is_store_address, is_web_address, url_of
from scheduler_service.errors import ConfigurationError

ENV_FILE = ".env"
_LEAST_HEARTBEATS = 2
_UNPREFIXED = frozenset({"database_url", "redis_url", "api_key", "environment", "log_level", "log_format"})


def _variable(field_name: str) -> AliasChoices:
    prefix = "" if field_name in _UNPREFIXED else "SCHEDULER_"
    return AliasChoices(f"{prefix}{field_name.upper()}")


def _usual_log_format() -> Literal["json", "console"]:
    return "console" if sys.stderr.isatty() else "json"


class Settings(PackageSettings, RequestLimitSettings):
    """Every setting of the service. `.env.example` documents each one for users."""

    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=_variable),
        use_attribute_docstrings=True,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        allow_inf_nan=False,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = None
    """Connect to this PostgreSQL. Default: a SQLite file in SCHEDULER_DATA_DIR."""
    redis_url: SecretStr | None = None
    """Send notices to workers through this Redis. Default: workers run in the process of the API."""
    data_dir: Path = Path("data")
    """Keep the SQLite file and the runs' working directories here. Default: ./data."""
    run_dir: Path | None = None
    """Keep the runs' working directories here. Default: `runs` in SCHEDULER_DATA_DIR."""

    api_key: SecretStr = SecretStr(DEVELOPMENT_API_KEY)
    """Require this key in the header X-API-Key: printable ASCII without spaces."""
    environment: Literal["development", "production"] = "development"
    """Choose development or production. Default: development."""
    host: str = "127.0.0.1"
    """Listen on this address. Default: 127.0.0.1."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Listen on this port; 0 takes a free one. Default: 8000."""
    published_host: str | None = None
    """Name the address that clients use, if it is not SCHEDULER_HOST."""
    published_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Name the port that clients use, if it is not SCHEDULER_PORT."""
    public_url: str | None = None
    """Begin links in alerts with this URL, such as https://scheduler.example.org."""
    flower_url: str | None = None
    """Link to Flower at this URL in the web interface, such as https://flower.example.org. Default: no links."""
    metrics_key: SecretStr | None = None
    """Require this bearer token for /metrics. Default: none."""
    secrets_key: SecretStr | None = None
    """Encrypt secrets of jobs with this key: 32 bytes in base64. Further keys, after commas, only decrypt."""
    ui: Literal["on", "read_only", "off"] = "on"
    """Serve the web interface at /ui: on, read_only, or off. Default: on."""

    log_level: LogLevel = "INFO"
    """Log events of this level and above: DEBUG, INFO, WARNING, ERROR or CRITICAL. Default: INFO."""
    log_format: Annotated[Literal["json", "console"], Field(default_factory=_usual_log_format)]
    """Write the log as json or for a console. Default: console on a terminal, json elsewhere."""

    slots: Annotated[int, Field(ge=1, le=256)] = 4
    """Execute this many runs at once in each worker. Default: 4."""
    worker_tags: Tags = ()
    """Execute only runs with one of these tags, separated by commas. Default: all tags that are not reserved."""
    reserved_tags: Tags = ()
    """Send runs with these tags only to workers that name them, separated by commas. Default: none."""
    drain_seconds: Annotated[float, Field(ge=0, le=86400)] = 10.0
    """Wait this many seconds for runs to end at shutdown. Default: 10."""
    alive_file: AliveFile | None = None
    """Touch this file every 5 seconds while the process works. Default: none."""
    sandbox: Literal["auto", "strict", "standard", "none"] = "auto"
    """Contain runs at this level: strict, standard, none, or auto for the best that works here. Default: auto."""
    sandbox_required: Literal["strict", "standard", "none"] = "standard"
    """Run no code below this level in production; development only warns. Default: standard."""
    python_envs: PythonEnvironments = {}  # noqa: RUF012 (pydantic copies defaults)
    """Offer these Pythons to jobs, as a JSON object. Default: only the service's own Python."""
    max_timeout_seconds: Annotated[float | None, Field(gt=0)] = None
    """Allow jobs at most this timeout, in seconds. Default: the limit of the API."""
    max_memory_mb: Annotated[int | None, Field(ge=16)] = None
    """Allow jobs at most this much memory, in MiB. Default: the limit of the API."""
    max_cpu_seconds: Annotated[int | None, Field(ge=1)] = None
    """Allow jobs at most this much processor time, in seconds. Default: the limit of the API."""
    max_processes: Annotated[int | None, Field(ge=1)] = None
    """Allow jobs at most this many processes and threads. Default: the limit of the API."""
    max_disk_mb: Annotated[int | None, Field(ge=1)] = None
    """Allow jobs at most this much disk space, in MiB. Default: the limit of the API."""
    max_output_kb: Annotated[int | None, Field(ge=1)] = None
    """Allow jobs at most this much output, in KiB. Default: the limit of the API."""
    max_artifacts_mb: Annotated[int | None, Field(ge=0)] = None
    """Allow jobs at most this size of artifacts in each run, in MiB. Default: the limit of the API."""
    grants_file: Path | None = None
    """Read from this TOML file what jobs may be granted: paths, hosts and sockets. Default: nothing."""
    grants_user: str | None = None
    """Run jobs that write to granted paths as this user, as uid:gid or names. Default: a user of each run's own."""
    allow_network: bool = True
    """Allow jobs to use the network with `network: true`. Default: true."""

    tick_seconds: Annotated[float, Field(ge=0.01, le=60)] = 0.5
    """Look for due jobs at least every this many seconds. Default: 0.5."""
    heartbeat_seconds: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    """Record that a worker is alive every this many seconds. Default: 1."""
    worker_dead_seconds: Annotated[float, Field(ge=0.5, le=86400)] = 10.0
    """Requeue the runs of a worker after this many seconds without a heartbeat. Default: 10."""
    artifacts_url: str | None = None
    """Keep artifacts in this store: s3://bucket/prefix, gs://, az:// or file:///directory."""
    retention_days: Annotated[int, Field(ge=1, le=36500)] = 30
    """Keep ended runs and their logs for this many days. Default: 30."""
    event_retention_hours: Annotated[float, Field(ge=0.1, le=876000)] = 72.0
    """Keep events of jobs and runs for this many hours. Default: 72."""
    ledger_check_seconds: Annotated[float, Field(ge=0, le=604800)] = 3600.0
    """Check every this many seconds that each owed instant has a row; 0: never. Default: 3600."""

    audit_retention_days: Annotated[int, Field(ge=1, le=36500)] = 365
    """Keep the audit trail for this many days. Default: 365."""

    alert_reach: Literal["public", "loopback", "private"] | None = None
    """Send alerts to public, loopback or private addresses. Default: loopback; in production, public."""
    smtp_url: SecretStr | None = None
    """Send mail through this server: smtp://user:password@host:587 or smtps://host:465. Default: none."""
    mail_from: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = "scheduler@localhost"
    """Send mail from this address. Default: scheduler@localhost."""
    heartbeat_url: SecretStr | None = None
    """Request this URL regularly while the service is healthy, for an outside monitor. Default: none."""
    heartbeat_url_seconds: Annotated[float, Field(ge=1, le=86400)] = 60.0
    """Request SCHEDULER_HEARTBEAT_URL every this many seconds. Default: 60."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFileSource(settings_cls), dotenv_settings

    @field_validator("database_url", "redis_url")
    @classmethod
    def _check_connection_url(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None:
            check = check_redis_url if info.field_name == "redis_url" else check_database_url
            check(url.get_secret_value())
        return url

    @field_validator("secrets_key")
    @classmethod
    def _check_secrets_key(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            read_keys(keys.get_secret_value())
        return keys

    @field_validator("heartbeat_url")
    @classmethod
    def _check_heartbeat_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not is_web_address(url.get_secret_value()):
            raise ValueError("not an HTTP address; write one such as https://example.org/ping/…")
        return url

    @field_validator("artifacts_url")
    @classmethod
    def _check_artifacts_url(cls, url: str | None) -> str | None:
        if url is not None and not is_store_address(url):
            raise ValueError(
                "not the address of a store; write one such as s3://bucket/prefix, gs://bucket, az://container or "
                "file:///var/lib/artifacts"
            )
        return url

    @field_validator("public_url", "flower_url")
    @classmethod
    def _check_base_url(cls, url: str | None) -> str | None:
        if url is not None and (not is_web_address(url) or urlsplit(url).query or urlsplit(url).fragment):
            raise ValueError("not the base of a link; write an address such as https://scheduler.example.org")
        if url is not None and "@" in urlsplit(url).netloc:
            raise ValueError("a link must not carry a user or a password; remove them from the address")
        return url

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        key = self.api_key.get_secret_value()
        check_api_key(key, is_production=self.environment == "production")
        if key == DEVELOPMENT_API_KEY:
            variable = "SCHEDULER_PUBLISHED_HOST" if self.published_host else "SCHEDULER_HOST"
            check_reach_of_development_key(variable, self.published_host or self.host)
        return self

    @model_validator(mode="after")
    def _check_heartbeats(self) -> Self:
        if self.worker_dead_seconds < (least := _LEAST_HEARTBEATS * self.heartbeat_seconds):
            raise ValueError(
                f"SCHEDULER_WORKER_DEAD_SECONDS: {self.worker_dead_seconds:g} s is less than {_LEAST_HEARTBEATS} "
                f"heartbeats, so live workers would count as dead; set {least:g} or more, "
                "or a smaller SCHEDULER_HEARTBEAT_SECONDS"
            )
        return self

    @model_validator(mode="after")
    def _check_database_is_shared(self) -> Self:
        if self.is_distributed and self.uses_sqlite:
            raise ValueError(
                "REDIS_URL: SQLite supports only one process, and Redis connects several; set DATABASE_URL to a "
                "PostgreSQL (postgresql+asyncpg://…) or remove REDIS_URL"
            )
        return self

    @property
    def effective_database_url(self) -> str:
        """Return the configured database, or a SQLite file in the data directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{quote(str(self.data_dir / 'scheduler.db'))}"

    @property
    def uses_sqlite(self) -> bool:
        """Return whether the database is a SQLite file, which only one process may write."""
        return self.effective_database_url.startswith("sqlite")

    @property
    def effective_run_dir(self) -> Path:
        """Return the directory in which workers create the working directories of runs."""
        return self.run_dir or self.data_dir / "runs"

    def prepare_data_dir(self) -> None:
        """Create the data directory if it does not exist. Raise `ConfigurationError` on failure."""
        try:
            make_own_directory(self.data_dir)
        except OSError as error:
            raise ConfigurationError(
                f"SCHEDULER_DATA_DIR: cannot create {str(self.data_dir)!r}: {error.strerror}; name another directory"
            ) from None

    @property
    def effective_alert_reach(self) -> Literal["public", "loopback", "private"]:
        """Return which addresses alerts may be sent to."""
        return self.alert_reach or ("public" if self.environment == "production" else "loopback")

    @property
    def effective_public_url(self) -> str:
        """Return the base URL of links to this service, without a trailing slash."""
        published = url_of(self.published_host or self.host, self.published_port or self.port)
        return (self.public_url or published).rstrip("/")

    @property
    def is_distributed(self) -> bool:
        """Return whether runs are distributed through Redis and Celery."""
        return self.redis_url is not None
