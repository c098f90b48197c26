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


class EnvironmentsFeature(Feature):
    """The packages that jobs ask for."""

    name = "environments"
    description = "Packages that jobs ask for, as locked and built."

    def load_tables(self) -> None:
        """Import the table of environments."""
        import scheduler_service.features.environments.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service that locks packages and shows environments."""
        from scheduler_service.features.environments.choices import index_of, rules_of  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.environments.resolver import Resolver  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.environments.service import EnvironmentService  # noqa: PLC0415 (as above)

        resolver = Resolver(index_of(base.settings))
        return (EnvironmentService(base.database, base.clock, resolver, rules_of(base.settings)),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of environments."""
        from scheduler_service.features.environments.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands that show environments."""
        from scheduler_service.features.environments.commands import app  # noqa: PLC0415 (when asked for)

        return app

    def prunes(self) -> Sequence[Prune]:
        """Return what deletes environments that no job has any more."""
        from scheduler_service.features.environments import store  # noqa: PLC0415 (when asked for)

        return (store.prune,)
