"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class SecretsFeature(Feature):
    """Secrets of owners, which their jobs use."""

    name = "secrets"
    description = "Passwords and keys for jobs: encrypted, and never shown again."

    def load_tables(self) -> None:
        """Import the table of secrets."""
        import scheduler_service.features.secrets.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of secrets."""
        from scheduler_service.features.secrets.keyring import keyring_of  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.secrets.service import SecretService  # noqa: PLC0415 (when asked for)

        return (SecretService(base.database, base.clock, keyring_of(base.settings)),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of secrets."""
        from scheduler_service.features.secrets.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of secrets."""
        from scheduler_service.features.secrets.commands import app  # noqa: PLC0415 (when asked for)

        return app
