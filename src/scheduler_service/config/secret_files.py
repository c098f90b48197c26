"""Secret settings from files: `API_KEY_FILE` names a file that contains API_KEY."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic_settings import PydanticBaseSettingsSource

from scheduler_service.errors import ConfigurationError

SECRET_VARIABLES = (
    "API_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "SCHEDULER_HEARTBEAT_URL",
    "SCHEDULER_METRICS_KEY",
    "SCHEDULER_PACKAGE_INDEX_URL",
    "SCHEDULER_SECRETS_KEY",
    "SCHEDULER_SMTP_URL",
)


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads secret settings from the file that `NAME_FILE` names, because containers mount secrets as files."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 (the base's shape)
        """Return nothing: `__call__` returns all values."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the content of each named file, without the newline at its end."""
        return {
            name.lower().removeprefix("scheduler_"): _read_secret(f"{name}_FILE", path)
            for name in SECRET_VARIABLES
            if (path := os.environ.get(f"{name}_FILE"))
        }


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except OSError as error:
        reason = str(error.strerror)
    raise ConfigurationError(f"{variable}: cannot read {path!r}: {reason}; name a readable UTF-8 file")
