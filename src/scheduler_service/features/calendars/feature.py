"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class CalendarsFeature(Feature):
    """Calendars of owners, which their jobs name."""

    name = "calendars"
    description = "Named sets of days on which jobs run or do not run."

    def load_tables(self) -> None:
        """Import the table of calendars."""
        import scheduler_service.storage.calendar_tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service of calendars."""
        from scheduler_service.features.calendars.service import CalendarService  # noqa: PLC0415 (when asked for)

        return (CalendarService(base.database, base.clock),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of calendars."""
        from scheduler_service.features.calendars.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands of calendars."""
        from scheduler_service.features.calendars.commands import app  # noqa: PLC0415 (when asked for)

        return app
