"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class GrantsFeature(Feature):
    """The operator's grants, and the loop that ends runs whose grants were taken away."""

    name = "grants"
    description = "What the operator opens to jobs: paths, hosts and sockets."

    def services(self, base: Base) -> Sequence[object]:
        """Build the service that shows grants."""
        from scheduler_service.features.grants.file import read_grants  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.grants.service import GrantService  # noqa: PLC0415 (when asked for)

        grants = read_grants(base.settings.grants_file)
        return (GrantService(base.database, base.clock, grants, heartbeat_seconds=base.settings.heartbeat_seconds),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of grants."""
        from scheduler_service.features.grants.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def command_group(self) -> typer.Typer | None:
        """Return the commands that show grants."""
        from scheduler_service.features.grants.commands import app  # noqa: PLC0415 (when asked for)

        return app

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the loop that ends runs whose grants were taken away."""
        from scheduler_service.features.grants.file import read_grants, rules_of  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.grants.loops import start_loops  # noqa: PLC0415 (when asked for)

        start_loops(base, rules_of(read_grants(base.settings.grants_file)))
