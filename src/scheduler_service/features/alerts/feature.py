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
    from scheduler_service.http.synonyms import Synonyms


class AlertsFeature(Feature):
    """Alert rules, their deliveries and the loops that find and send alerts."""

    name = "alerts"
    description = "Rules that send alerts about runs and workers, and their deliveries."

    def load_tables(self) -> None:
        """Import the tables of rules and deliveries."""
        import scheduler_service.features.alerts.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of rules."""
        from scheduler_service.features.alerts.service import AlertService  # noqa: PLC0415 (when asked for)

        settings = base.settings
        service = AlertService(
            base.database,
            base.clock,
            settings.effective_public_url,
            reach=settings.effective_alert_reach,
            has_mail=settings.smtp_url is not None,
        )
        return (service,)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of rules and deliveries."""
        from scheduler_service.features.alerts.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def synonyms(self) -> Sequence[Synonyms]:
        """Return what others call kinds of alert and channels."""
        from scheduler_service.features.alerts.synonyms import SYNONYMS  # noqa: PLC0415 (when asked for)

        return (SYNONYMS,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of rules and deliveries."""
        from scheduler_service.features.alerts.commands import app  # noqa: PLC0415 (when asked for)

        return app

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the detector and the sender."""
        from scheduler_service.features.alerts.loops import start_loops  # noqa: PLC0415 (when asked for)

        start_loops(base)

    def prunes(self) -> Sequence[Prune]:
        """Return what deletes old deliveries."""
        from scheduler_service.features.alerts import deliveries  # noqa: PLC0415 (when asked for)

        return (deliveries.prune,)
