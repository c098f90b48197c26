"""The settings, for commands that do one thing and end."""

from __future__ import annotations

from scheduler_service.cli import render
from scheduler_service.config import Settings, load_settings
from scheduler_service.unknown_settings import unknown_settings


def read_settings() -> Settings:
    """Read the settings, and say on standard error which of those that were made nobody reads."""
    settings = load_settings()
    if unknown := unknown_settings():
        render.note(f"warning: unknown settings are ignored: {unknown}")
    return settings
