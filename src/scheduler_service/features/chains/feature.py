"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base


class ChainsFeature(Feature):
    """Jobs that run after other jobs, and the chains of their runs."""

    name = "chains"
    description = "Runs that began after other runs."

    def services(self, base: Base) -> Sequence[object]:
        """Build the service that reads chains."""
        from scheduler_service.features.chains.service import ChainService  # noqa: PLC0415 (when asked for)

        return (ChainService(base.database),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the route of chains."""
        from scheduler_service.features.chains.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the loop that follows the ends of upstream runs."""
        from scheduler_service.features.chains.follower import start_loops  # noqa: PLC0415 (when asked for)

        start_loops(base)
