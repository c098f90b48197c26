"""Loads the settings for each kind of process. An error is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import ValidationError

from scheduler_service.config.api_key import MIN_LENGTH
from scheduler_service.config.secret_files import SECRET_VARIABLES
from scheduler_service.config.settings import ENV_FILE, Settings
from scheduler_service.errors import ConfigurationError


def load_settings(**overrides: Any) -> Settings:
    """Return the settings. Raise `ConfigurationError` with one line that names the variable, never a secret value."""
    try:
        _check_env_file(overrides.get("_env_file", ENV_FILE))
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_describe(problem) for problem in error.errors())) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f".env: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f".env: cannot be read: {error.strerror}; make it readable or remove it") from None


def load_settings_without_key(**overrides: Any) -> Settings:
    """Return the settings of a process that serves no clients and needs no API key. Raise as `load_settings` does."""
    without_clients = {"host": "127.0.0.1", "published_host": None, "api_key": "-" * MIN_LENGTH}
    return load_settings(**without_clients, **overrides)


def load_distributed_settings() -> Settings:
    """Return the settings of one of several processes. Raise as `load_settings` does, and if REDIS_URL is not set."""
    settings = load_settings()
    if not settings.is_distributed:
        raise ConfigurationError(
            "REDIS_URL: not set, and several processes need Redis; set it (redis://localhost:6379/0), "
            "or run `scheduler up`, which needs only one process"
        )
    return settings


def _check_env_file(path: str | Path | None) -> None:
    """Raise `ConfigurationError` for a line that is not a setting, because dotenv silently skips it."""
    if path is None or not Path(path).is_file():
        return
    with Path(path).open(encoding="utf-8") as file:
        for binding in parse_stream(file):
            if binding.error or (binding.key is not None and binding.value is None):
                raise ConfigurationError(
                    f".env: line {binding.original.line} is not a setting; write NAME=value and close every quote"
                )


def _describe(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    variable, *path = map(str, problem["loc"])
    variable = variable.upper()
    place = f"{'.'.join(path)}: " if path else ""
    shown = "" if variable in SECRET_VARIABLES else f" (got {problem['input']!r})"
    return f"{variable}: {place}{message}{shown}"
