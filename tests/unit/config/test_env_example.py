""".env.example names every setting with its description, and works as it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.settings import Settings

EXAMPLE = Path(__file__).parents[3] / ".env.example"
ASSIGNMENT = re.compile(r"^(# )?([A-Z_]+)=(.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name in _variables() or name.endswith("_FILE")]:
        monkeypatch.delenv(name)


def test_example_names_every_setting_and_nothing_else() -> None:
    named = [name for _, name, _ in ASSIGNMENT.findall(EXAMPLE.read_text())]
    assert sorted(named) == sorted(_variables())


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_setting_follows_its_description(name: str) -> None:
    """The description of the field is the first line above the variable."""
    field = Settings.model_fields[name]
    assert re.search(
        rf"^# {re.escape(field.description or 'none')}\n(# .*\n)*?(# )?{_variable(name)}=",
        EXAMPLE.read_text(),
        re.MULTILINE,
    )


def test_example_is_accepted_as_it_is() -> None:
    settings = Settings(_env_file=EXAMPLE)
    assert settings.effective_database_url == ("postgresql+asyncpg://scheduler:scheduler@localhost:5432/scheduler_db")
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://localhost:6379/0"
    assert settings.api_key.get_secret_value() == DEVELOPMENT_API_KEY


def test_commented_values_are_the_defaults(tmp_path: Path) -> None:
    defaults = [f"{name}={value}" for commented, name, value in ASSIGNMENT.findall(EXAMPLE.read_text()) if commented]
    (tmp_path / "env").write_text("\n".join(defaults))
    assert Settings(_env_file=tmp_path / "env") == Settings(_env_file=None)


def _variables() -> set[str]:
    return {_variable(name) for name in Settings.model_fields}


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    assert isinstance(alias, AliasChoices)
    return str(alias.choices[0])
