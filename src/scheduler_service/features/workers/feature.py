"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class WorkersFeature(Feature):
    """The workers, and what they execute."""

    name = "workers"
    description = "The workers, what each executes, and draining."

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of workers."""
        from scheduler_service.features.workers.service import WorkerService  # noqa: PLC0415 (when asked for)

        return (WorkerService(base.database, base.clock, heartbeat_seconds=base.settings.heartbeat_seconds),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of workers."""
        from scheduler_service.features.workers.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of workers."""
        from scheduler_service.features.workers.commands import app  # noqa: PLC0415 (when asked for)

        return app
