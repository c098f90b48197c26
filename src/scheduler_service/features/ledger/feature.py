"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base
    from scheduler_service.engine.retention import Prune


class LedgerFeature(Feature):
    """The check that every owed instant has a row."""

    name = "ledger"
    description = "The check that every owed instant has exactly one row."

    def load_tables(self) -> None:
        """Import the table of schedule spans."""
        import scheduler_service.features.ledger.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of the check."""
        from scheduler_service.features.ledger.service import LedgerService  # noqa: PLC0415 (when asked for)

        return (LedgerService(base.database, base.clock, retention_days=base.settings.retention_days),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of the ledger."""
        from scheduler_service.features.ledger.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def prunes(self) -> Sequence[Prune]:
        """Return the deletion of old schedule spans."""
        from scheduler_service.features.ledger.store import prune  # noqa: PLC0415 (when asked for)

        return (prune,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of the ledger."""
        from scheduler_service.features.ledger.commands import app  # noqa: PLC0415 (when asked for)

        return app
