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
    from scheduler_service.services.metrics import ReadMetrics


class LedgerFeature(Feature):
    """What became of every instant, and the check that every owed instant has a row."""

    name = "ledger"
    description = "What became of every instant, and the check that every owed instant has exactly one row."

    def load_tables(self) -> None:
        """Import the tables of schedule spans and of regular checks."""
        import scheduler_service.features.ledger.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the services of the check, of cells and lanes, of what comes and of the last regular check."""
        from scheduler_service.features.ledger.lanes import LaneService  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.reports import LedgerReportService  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.service import LedgerService  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.upcoming import UpcomingService  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.windows import LedgerWindowService  # noqa: PLC0415 (when asked for)

        kept = base.settings.retention_days
        return (
            LedgerService(base.database, base.clock, retention_days=kept),
            LedgerWindowService(base.database, base.clock, retention_days=kept),
            LedgerReportService(base.database),
            UpcomingService(base.database),
            LaneService(base.database),
        )

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of the ledger."""
        from scheduler_service.features.ledger import router, window_router  # noqa: PLC0415 (when asked for)

        return (router.router, window_router.router)

    def prunes(self) -> Sequence[Prune]:
        """Return the deletion of old schedule spans, regular checks, and figures of hours."""
        from scheduler_service.features.ledger import check_store  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.store import prune  # noqa: PLC0415 (when asked for)
        from scheduler_service.storage import hour_totals  # noqa: PLC0415 (when asked for)

        return (prune, check_store.prune, hour_totals.prune)

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the regular check, unless it is switched off."""
        if not base.settings.ledger_check_seconds:
            return
        from scheduler_service.engine.loop import start_loop  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.ledger.checker import LedgerChecker  # noqa: PLC0415 (when asked for)

        checker = LedgerChecker(
            base.database,
            base.clock,
            interval_seconds=base.settings.ledger_check_seconds,
            retention_days=base.settings.retention_days,
        )
        start_loop(base.stack, "ledger_check", checker.step)

    def metrics(self) -> Sequence[ReadMetrics]:
        """Return what reads the metrics of the last regular check."""
        from scheduler_service.features.ledger import reports  # noqa: PLC0415 (when asked for)

        return (reports.metrics,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of the ledger."""
        from scheduler_service.features.ledger.commands import app  # noqa: PLC0415 (when asked for)

        return app
