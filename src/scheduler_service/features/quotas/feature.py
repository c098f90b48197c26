"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class QuotasFeature(Feature):
    """Quotas of owners."""

    name = "quotas"
    description = "What each owner may use: jobs, runs, and its share of the slots."

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of quotas."""
        from scheduler_service.engine.quota_settings import quotas_of  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.quotas.service import QuotaService  # noqa: PLC0415 (when asked for)

        return (QuotaService(base.database, base.clock, quotas_of(base.settings)),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of quotas."""
        from scheduler_service.features.quotas.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of quotas."""
        from scheduler_service.features.quotas.commands import app  # noqa: PLC0415 (when asked for)

        return app
