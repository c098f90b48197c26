"""Finds unknown variables that look like settings of the service, usually typing errors."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import AliasChoices
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from scheduler_service.config.secret_files import SECRET_VARIABLES
from scheduler_service.config.settings import Settings

PREFIX = "SCHEDULER_"
# Other variables with the prefix: of the command, and of jobs, which may call the command.
_OTHERS = frozenset(
    f"{PREFIX}{name}" for name in ("URL", "JOB_ID", "RUN_ID", "SCHEDULED_FOR", "ATTEMPT", "ARGS", "CORRELATION_ID")
)


def unknown_settings() -> str | None:
    """Return a message that names unknown variables in the environment and `.env` with suggestions, or None.

    Unknown variables do not stop the start, because another program may use the prefix. Raise as reading the settings
    does.
    """
    settings = frozenset(_settings())
    present = {
        name.upper() for source in (EnvSettingsSource, DotEnvSettingsSource) for name in source(Settings).env_vars
    }
    unknown = sorted(name for name in present - settings - _OTHERS if name.startswith(PREFIX))
    return ", ".join(f"{name}{_remedy(name, settings)}" for name in unknown) or None


def _settings() -> Iterator[str]:
    for field in Settings.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            yield str(field.validation_alias.choices[0])
    yield from (f"{name}_FILE" for name in SECRET_VARIABLES)


def _remedy(name: str, settings: frozenset[str]) -> str:
    plain = name.removeprefix(PREFIX)
    meant = [plain] if plain in settings else get_close_matches(name, sorted(settings), n=1, cutoff=0.8)
    return f" (did you mean {meant[0]}?)" if meant else ""
