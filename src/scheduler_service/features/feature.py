"""The interface of a feature.

Each part is a method that imports it when a process needs it. A command must not wait for SQLAlchemy, and a migration
must not load FastAPI. A feature overrides the methods of the parts that it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

    from scheduler_service.engine.base import Base
    from scheduler_service.engine.retention import Prune
    from scheduler_service.http.synonyms import Synonyms
    from scheduler_service.services.jobs import JobService
    from scheduler_service.services.metrics import ReadMetrics
    from scheduler_service.storage.stored_bytes import ByteCount


class Feature:
    """A kind of object, such as alerts, that the core can do without."""

    # The plural of the object; it names the tag in the API's documentation and the command group.
    name: ClassVar[str]
    # One sentence for the API's documentation.
    description: ClassVar[str]

    def load_tables(self) -> None:
        """Import the tables, which adds them to the metadata against which migrations are checked."""

    def services(self, base: Base) -> Sequence[object]:  # noqa: ARG002 (for features that have services)
        """Return the services that the routes of this feature call."""
        return ()

    def job_services(self, base: Base, jobs: JobService) -> Sequence[object]:  # noqa: ARG002 (likewise)
        """Return the services that write jobs, which share the steps of the service of jobs."""
        return ()

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes."""
        return ()

    def synonyms(self) -> Sequence[Synonyms]:
        """Return the names that others use in this feature's documents, for the suggestions in errors."""
        return ()

    def command_group(self) -> typer.Typer | None:
        """Return the commands of `scheduler <name> …`, or None."""
        return None

    def add_commands(self, app: typer.Typer) -> None:
        """Add commands to `scheduler` itself, beside its groups."""

    def start_dispatcher_loops(self, base: Base) -> None:
        """Start the loops that run beside the dispatcher's ticks."""

    def prunes(self) -> Sequence[Prune]:
        """Return functions that delete rows older than the retention time."""
        return ()

    def metrics(self) -> Sequence[ReadMetrics]:
        """Return functions that read metrics of this feature from the snapshot of a scrape."""
        return ()

    def byte_counts(self) -> Sequence[ByteCount]:
        """Return functions that count what the feature stores for runs, by owner."""
        return ()
