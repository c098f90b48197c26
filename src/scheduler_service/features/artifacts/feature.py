"""The parts of the feature, each imported when a process asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scheduler_service.features.feature import Feature

if TYPE_CHECKING:
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base
    from scheduler_service.storage.stored_bytes import ByteCount


class ArtifactsFeature(Feature):
    """Files that runs leave, and the loop that deletes those of deleted runs."""

    name = "artifacts"
    description = "Files that runs leave, kept with them."

    def load_tables(self) -> None:
        """Import the table of artifacts."""
        import scheduler_service.features.artifacts.tables  # noqa: F401, PLC0415 (when asked for)

    def services(self, base: Base) -> Sequence[object]:
        """Build the service that lists and reads artifacts."""
        from scheduler_service.features.artifacts.places import open_places  # noqa: PLC0415 (when asked for)
        from scheduler_service.features.artifacts.service import ArtifactService  # noqa: PLC0415 (when asked for)

        return (ArtifactService(base.database, open_places(base.settings)),)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of artifacts."""
        from scheduler_service.features.artifacts.router import router  # noqa: PLC0415 (when asked for)

        return (router,)

    def byte_counts(self) -> Sequence[ByteCount]:
        """Return the count of the bytes of artifacts."""
        from scheduler_service.features.artifacts.store import bytes_by_owner  # noqa: PLC0415 (when asked for)

        return (bytes_by_owner,)

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the sweeper."""
        from scheduler_service.features.artifacts.sweeper import start_loops  # noqa: PLC0415 (when asked for)

        start_loops(base)
