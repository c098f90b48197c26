"""Variables that look like settings of the service and are none: most are slips, and none is read."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import AliasChoices
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from scheduler_service.config.settings import SECRET_VARIABLES, Settings

PREFIX = "SCHEDULER_"
# What else has the prefix: the command's own, what the tests take their servers from, and what jobs are told, which
# may call the command themselves.
_OTHERS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "URL", "TEST_POSTGRES_URL", "TEST_VALKEY_URL",
        "JOB_ID", "RUN_ID", "SCHEDULED_FOR", "ATTEMPT", "ARGS", "CORRELATION_ID",
    )
)  # fmt: skip


def unknown_settings() -> str | None:
    """Name the variables of the environment and of `.env` that nobody reads, and what may be meant; None: no such.

    That is no reason to stop, since another program may use the prefix as well. Raises as reading the settings does.
    """
    settings = frozenset(_settings())
    present = {
        name.upper() for source in (EnvSettingsSource, DotEnvSettingsSource) for name in source(Settings).env_vars
    }
    unknown = sorted(name for name in present - settings - _OTHERS if name.startswith(PREFIX))
    return ", ".join(f"{name}{_remedy(name, settings)}" for name in unknown) or None


def _settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        yield str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper()
    yield from (f"{name}_FILE" for name in SECRET_VARIABLES)


def _remedy(name: str, settings: frozenset[str]) -> str:
    plain = name.removeprefix(PREFIX)
    meant = [plain] if plain in settings else get_close_matches(name, sorted(settings), n=1, cutoff=0.8)
    return f" (did you mean {meant[0]}?)" if meant else ""
