"""The settings: read once at the start, from the environment, `.env` and `NAME_FILE`, then passed in."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from dotenv.parser import parse_stream
from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from scheduler_service.addresses import check_database_url, check_redis_url
from scheduler_service.config.values import AliveFile, LogLevel, PythonEnvs, Tags
from scheduler_service.errors import ConfigurationError

ENV_FILE = ".env"
DEVELOPMENT_API_KEY = "your-secret-api-key-here"
SHORTEST_KEY = 16
# RFC 9110, section 5.5: what a header's value may hold everywhere, less the space.
VISIBLE = re.compile(r"[!-~]+")
LEAST_HEARTBEATS = 2
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
SECRET_VARIABLES = (
    "API_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "SCHEDULER_HEARTBEAT_URL",
    "SCHEDULER_METRICS_KEY",
    "SCHEDULER_SMTP_URL",
)


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for the secret settings, as container secrets are mounted."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 (the base's shape)
        """Not used: `__call__` gives all values at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the content of each file that is named, less the newline at its end."""
        return {
            name.lower().removeprefix("scheduler_"): _read_secret(f"{name}_FILE", path)
            for name in SECRET_VARIABLES
            if (path := os.environ.get(f"{name}_FILE"))
        }


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{variable}: cannot read {path!r}: {error}") from None


def url_of(host: str, port: int) -> str:
    """Return the URL at which a service that listens there is found from this machine."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared with, not bound to)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _usual_log_format() -> Literal["json", "console"]:
    return "console" if sys.stderr.isatty() else "json"


def _scheduler(name: str) -> AliasChoices:
    return AliasChoices(f"SCHEDULER_{name.upper()}")


class Settings(BaseSettings):
    """Every setting of the service; `.env.example` explains each to its user."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        allow_inf_nan=False,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    api_key: SecretStr = SecretStr(DEVELOPMENT_API_KEY)
    environment: Literal["development", "production"] = "development"
    log_level: LogLevel = "INFO"
    log_format: Annotated[Literal["json", "console"], Field(default_factory=_usual_log_format)]

    data_dir: Annotated[Path, Field(validation_alias=_scheduler("data_dir"))] = Path("data")
    run_dir: Annotated[Path | None, Field(validation_alias=_scheduler("run_dir"))] = None
    host: Annotated[str, Field(validation_alias=_scheduler("host"))] = "127.0.0.1"
    # Where the service is reached from outside, if that is not `host`: a container listens on every address of its own,
    # and its engine publishes that on one of the machine.
    published_host: Annotated[str | None, Field(validation_alias=_scheduler("published_host"))] = None
    port: Annotated[int, Field(validation_alias=_scheduler("port"), ge=0, le=65535)] = 8000
    # Where people reach the service, for links in alerts: behind a proxy, neither host nor port tell.
    public_url: Annotated[str | None, Field(validation_alias=_scheduler("public_url"))] = None
    slots: Annotated[int, Field(validation_alias=_scheduler("slots"), ge=1, le=256)] = 4
    worker_tags: Annotated[Tags, Field(validation_alias=_scheduler("worker_tags"))] = ()
    reserved_tags: Annotated[Tags, Field(validation_alias=_scheduler("reserved_tags"))] = ()
    sandbox: Annotated[Literal["auto", "strict", "standard", "none"], Field(validation_alias=_scheduler("sandbox"))] = (
        "auto"
    )
    sandbox_required: Annotated[
        Literal["strict", "standard", "none"], Field(validation_alias=_scheduler("sandbox_required"))
    ] = "standard"
    python_envs: Annotated[PythonEnvs, Field(validation_alias=_scheduler("python_envs"))] = {}
    max_timeout_seconds: Annotated[float | None, Field(validation_alias=_scheduler("max_timeout_seconds"), gt=0)] = None
    max_memory_mb: Annotated[int | None, Field(validation_alias=_scheduler("max_memory_mb"), ge=16)] = None
    max_cpu_seconds: Annotated[int | None, Field(validation_alias=_scheduler("max_cpu_seconds"), ge=1)] = None
    max_processes: Annotated[int | None, Field(validation_alias=_scheduler("max_processes"), ge=1)] = None
    max_disk_mb: Annotated[int | None, Field(validation_alias=_scheduler("max_disk_mb"), ge=1)] = None
    max_output_kb: Annotated[int | None, Field(validation_alias=_scheduler("max_output_kb"), ge=1)] = None
    allow_network: Annotated[bool, Field(validation_alias=_scheduler("allow_network"))] = True
    drain_seconds: Annotated[float, Field(validation_alias=_scheduler("drain_seconds"), ge=0, le=86400)] = 10.0
    alive_file: Annotated[AliveFile | None, Field(validation_alias=_scheduler("alive_file"))] = None
    tick_seconds: Annotated[float, Field(validation_alias=_scheduler("tick_seconds"), ge=0.01, le=60)] = 0.2
    heartbeat_seconds: Annotated[float, Field(validation_alias=_scheduler("heartbeat_seconds"), ge=0.1, le=60)] = 1.0
    worker_dead_seconds: Annotated[
        float, Field(validation_alias=_scheduler("worker_dead_seconds"), ge=0.5, le=86400)
    ] = 10.0
    retention_days: Annotated[int, Field(validation_alias=_scheduler("retention_days"), ge=1, le=36500)] = 30
    event_retention_hours: Annotated[
        float, Field(validation_alias=_scheduler("event_retention_hours"), ge=0.1, le=876000)
    ] = 72.0
    # Where alerts may go. Unset: in production to public addresses, in development also to this machine.
    alert_reach: Annotated[
        Literal["public", "loopback", "private"] | None, Field(validation_alias=_scheduler("alert_reach"))
    ] = None
    smtp_url: Annotated[SecretStr | None, Field(validation_alias=_scheduler("smtp_url"))] = None
    mail_from: Annotated[str, Field(validation_alias=_scheduler("mail_from"), pattern=r"^[^@\s]+@[^@\s]+$")] = (
        "scheduler@localhost"
    )
    heartbeat_url: Annotated[SecretStr | None, Field(validation_alias=_scheduler("heartbeat_url"))] = None
    heartbeat_url_seconds: Annotated[
        float, Field(validation_alias=_scheduler("heartbeat_url_seconds"), ge=1, le=86400)
    ] = 60.0
    metrics_key: Annotated[SecretStr | None, Field(validation_alias=_scheduler("metrics_key"))] = None
    max_body_kb: Annotated[int, Field(validation_alias=_scheduler("max_body_kb"), ge=16, le=65536)] = 1024

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
    def _can_be_connected_to(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None:
            check = check_redis_url if info.field_name == "redis_url" else check_database_url
            check(url.get_secret_value())
        return url

    @field_validator("heartbeat_url")
    @classmethod
    def _is_web_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
                raise ValueError("write an address such as https://example.org/ping/…")
        return url

    @field_validator("public_url")
    @classmethod
    def _is_base_of_links(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://unset")
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.port == 0
            or parts.query
            or parts.fragment
        ):
            raise ValueError("write an address such as https://scheduler.example.org")
        return url

    @model_validator(mode="after")
    def _hold_the_key_rule(self) -> Self:
        key = self.api_key.get_secret_value()
        if not VISIBLE.fullmatch(key):
            raise ValueError(
                "API_KEY: a key is of ASCII characters that print, without spaces; others no header carries"
            )
        if key != DEVELOPMENT_API_KEY:
            if self.environment == "production" and len(key) < SHORTEST_KEY:
                raise ValueError(
                    f"API_KEY: production needs {SHORTEST_KEY} characters or more; try `openssl rand -hex 32`"
                )
            return self
        if self.environment == "production":
            raise ValueError("API_KEY: production needs a key of its own; set API_KEY or API_KEY_FILE")
        if (reached_at := self.published_host or self.host) not in LOOPBACK_HOSTS:
            variable = "SCHEDULER_PUBLISHED_HOST" if self.published_host else "SCHEDULER_HOST"
            raise ValueError(
                f"{variable}: {reached_at!r} is not loopback, and the development API_KEY is public; "
                "set an API_KEY of your own"
            )
        return self

    @model_validator(mode="after")
    def _hold_the_rule_of_heartbeats(self) -> Self:
        if self.worker_dead_seconds < (least := LEAST_HEARTBEATS * self.heartbeat_seconds):
            raise ValueError(
                f"SCHEDULER_WORKER_DEAD_SECONDS: {self.worker_dead_seconds:g} s are less than {LEAST_HEARTBEATS} "
                f"heartbeats, and workers would be taken for dead while they live; set {least:g} or more, "
                "or a smaller SCHEDULER_HEARTBEAT_SECONDS"
            )
        return self

    @model_validator(mode="after")
    def _hold_the_rule_of_one_process(self) -> Self:
        if self.is_distributed and self.uses_sqlite:
            raise ValueError(
                "REDIS_URL: SQLite serves one process, and Redis is for several; set DATABASE_URL to a PostgreSQL "
                "(postgresql+asyncpg://…), or take REDIS_URL away"
            )
        return self

    @property
    def effective_database_url(self) -> str:
        """The database to use: the one that is named, else a SQLite file in the data directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{quote(str(self.data_dir / 'scheduler.db'))}"

    @property
    def uses_sqlite(self) -> bool:
        """Whether the database is a file that only one process may write."""
        return self.effective_database_url.startswith("sqlite")

    @property
    def effective_run_dir(self) -> Path:
        """The directory that workers make the runs' directories in."""
        return self.run_dir or self.data_dir / "runs"

    def prepare_data_dir(self) -> None:
        """Create the data directory if it is missing. Raises `ConfigurationError` if that is not possible."""
        try:
            make_own_directory(self.data_dir)
        except OSError as error:
            raise ConfigurationError(f"SCHEDULER_DATA_DIR: cannot make {str(self.data_dir)!r}: {error}") from None

    @property
    def effective_alert_reach(self) -> Literal["public", "loopback", "private"]:
        """Which addresses alerts may go to."""
        return self.alert_reach or ("public" if self.environment == "production" else "loopback")

    @property
    def effective_public_url(self) -> str:
        """The URL that links to this service begin with, without a slash at its end."""
        return (self.public_url or url_of(self.published_host or self.host, self.port)).rstrip("/")

    @property
    def is_distributed(self) -> bool:
        """Whether work goes through Redis and Celery."""
        return self.redis_url is not None


def make_own_directory(path: Path) -> None:
    """Create a directory that only this user can list, with its parents, if it is missing. Raises OSError.

    If this user is root, others may pass: jobs have users of their own, and run below. Each file inside is private by
    its own mode.
    """
    if path.is_dir():
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o711)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raises `ConfigurationError` with one line that names the variable, never its secret value."""
    try:
        _check_env_file(overrides.get("_env_file", ENV_FILE))
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_describe(problem) for problem in error.errors())) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f".env: this is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f".env: cannot be read: {error.strerror}") from None


def load_settings_without_key(**overrides: Any) -> Settings:
    """Read the settings of a process that serves nobody, and so needs no key of its own; raises as `load_settings`."""
    nobody = {"host": "127.0.0.1", "published_host": None, "api_key": "-" * SHORTEST_KEY}
    return load_settings(**nobody, **overrides)


def _check_env_file(path: str | Path | None) -> None:
    """Raise `ConfigurationError` for a line that is no setting: it would be passed over, perhaps with the next ones."""
    if path is None or not Path(path).is_file():
        return
    with Path(path).open(encoding="utf-8") as file:
        for binding in parse_stream(file):
            if binding.error:
                raise ConfigurationError(
                    f".env: line {binding.original.line} is no setting; write NAME=value, and end what is quoted"
                )


def load_distributed_settings() -> Settings:
    """Read the settings of one process among several; raises as `load_settings` does, and where there is no Redis."""
    settings = load_settings()
    if not settings.is_distributed:
        raise ConfigurationError(
            "REDIS_URL: several processes need a Redis; set it (redis://localhost:6379/0), "
            "or run `scheduler up`, one process that does everything without any"
        )
    return settings


def _describe(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    variable, *path = map(str, problem["loc"])
    variable = variable.upper()
    place = f"{'.'.join(path)}: " if path else ""
    shown = "" if variable in SECRET_VARIABLES else f" (got {problem['input']!r})"
    return f"{variable}: {place}{message}{shown}"
