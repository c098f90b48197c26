"""Commands and variables that the documentation names."""

from __future__ import annotations

import shlex
from pathlib import Path

from scheduler_service.config.settings import Settings

ROOT = Path(__file__).parents[3]
ROLES = ("api", "beat", "worker", "flower", "migrate")
DOCUMENTED = (
    "uvicorn src.app.main:app",
    "celery -A src.app.celery_app worker",
    "celery -A src.app.celery_app beat",
    "celery -A src.app.celery_app flower",
    "alembic upgrade head",
)


def documented(command: list[str]) -> bool:
    """Return whether a command is a documented one, possibly with more options."""
    words = [word for word in command if word != "--quiet"]
    return any(words[: len(shlex.split(line))] == shlex.split(line) for line in DOCUMENTED)


def known_variables() -> set[str]:
    known = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        known |= {name.upper()} if alias is None else {str(choice) for choice in getattr(alias, "choices", [alias])}
    return known
