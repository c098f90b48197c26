"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class KeysFeature(Feature):
    """API keys with owners and scopes."""

    name = "keys"
    description = "Who may do what: API keys with owners and scopes."

    def load_tables(self) -> None:
        """Import the table of keys."""
        import scheduler_service.features.keys.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of keys."""
        from scheduler_service.features.keys.service import KeyService  # noqa: PLC0415 (when asked for)

        return (KeyService(base.database, base.clock),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of keys."""
        from scheduler_service.features.keys.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of keys."""
        from scheduler_service.features.keys.commands import app  # noqa: PLC0415 (when asked for)

        return app
