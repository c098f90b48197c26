"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base
    from scheduler_service.services.jobs import JobService


class ApplyFeature(Feature):
    """Jobs as files."""

    name = "apply"
    description = "Jobs as files: plans and applies sets of documents, and exports jobs."

    def job_services(self, base: Base, jobs: JobService) -> Sequence[object]:
        """Build the services that apply and export jobs."""
        from scheduler_service.features.apply.exporting import ExportService  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.apply.service import ApplyService  # noqa: PLC0415 (when asked for)

        return (ApplyService(base.database, base.clock, jobs), ExportService(base.database))

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes."""
        from scheduler_service.features.apply.router import router, schema_router  # noqa: PLC0415 (when asked for)

        return (router, schema_router)

    def add_commands(self, app: typer.Typer) -> None:
        """Add `scheduler apply`, `scheduler export` and `scheduler import`."""
        from scheduler_service.features.apply.commands import apply, export  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.apply.import_commands import app as importers  # noqa: PLC0415 (likewise)

        app.add_typer(importers, name="import")
        app.command("apply")(apply)
        app.command("export")(export)
