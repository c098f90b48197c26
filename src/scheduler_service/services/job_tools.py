"""The parts of the service of jobs, for services that write many jobs in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scheduler_service.services.job_acceptance import JobAcceptance
from scheduler_service.services.job_editing import JobEditing
from scheduler_service.services.job_references import JobReferences
from scheduler_service.services.job_writer import JobWriter


@dataclass(frozen=True, slots=True)
class JobTools:
    """The parts of the service of jobs. `check_host` raises `ConflictError` if no job can run here."""

    acceptance: JobAcceptance
    references: JobReferences
    writer: JobWriter
    editing: JobEditing
    check_host: Callable[[], None]
