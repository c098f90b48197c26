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
    """What became of every instant, and the check that every owed instant has a row."""

    name = "ledger"
    description = "What became of every instant, and the check that every owed instant has exactly one row."

    def load_tables(self) -> None:
        """Import the table of schedule spans."""
        import scheduler_service.features.ledger.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the services of the check and of the cells."""
        from scheduler_service.features.ledger.service import LedgerService  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.windows import LedgerWindowService  # noqa: PLC0415 (when asked for)

        kept = base.settings.retention_days
        return (
            LedgerService(base.database, base.clock, retention_days=kept),
            LedgerWindowService(base.database, base.clock, retention_days=kept),
        )

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of the ledger."""
        from scheduler_service.features.ledger import router, window_router  # noqa: PLC0415 (when asked for)

        return (router.router, window_router.router)

    def prunes(self) -> Sequence[Prune]:
        """Return the deletion of old schedule spans and of the figures of old hours."""
        from scheduler_service.features.ledger.store import prune  # noqa: PLC0415 (when asked for)
        from scheduler_service.storage import hour_totals  # noqa: PLC0415 (when asked for)

        return (prune, hour_totals.prune)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of the ledger."""
        from scheduler_service.features.ledger.commands import app  # noqa: PLC0415 (when asked for)

        return app
