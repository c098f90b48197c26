"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class AuditFeature(Feature):
    """The audit trail."""

    name = "audit"
    description = "Who changed what, and which attempts were refused."

    def load_tables(self) -> None:
        """Import the table of entries."""
        import scheduler_service.storage.audit  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service that reads the trail."""
        from scheduler_service.features.audit.service import AuditService  # noqa: PLC0415 (when asked for)

        return (AuditService(base.database, base.clock),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the route of the trail."""
        from scheduler_service.features.audit.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the command that shows the trail."""
        from scheduler_service.features.audit.commands import app  # noqa: PLC0415 (when asked for)

        return app

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the loop that deletes old entries."""
        from scheduler_service.features.audit.loops import start_loops  # noqa: PLC0415 (when asked for)

        start_loops(base)
