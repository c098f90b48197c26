"""Whether a document is acceptable as a new job or as an edit of one, with everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.domain.rescheduling import is_rescheduled
from scheduler_service.errors import FieldProblem
from scheduler_service.services.checks import ServerLimits, inspect_job, problems_of_job
from scheduler_service.services.inspection import Inspection, without_surplus
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import columns_of
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.ownership import owned_by, owner_problems
from scheduler_service.services.read_only import without_read_only
from scheduler_service.storage.clock import Clock

Shown = Callable[[Job], JsonDocument]
"""Returns a job as the API shows it."""
Merge = Callable[[JsonDocument], JsonDocument]
"""Returns the new definition of a job as a document, from what a client sent."""


@dataclass(frozen=True, slots=True)
class JobChange:
    """New columns of a job, and whether it is enabled."""

    columns: Mapping[str, Any]
    enabled: bool


@dataclass(frozen=True, slots=True)
class JobAcceptance:
    """Accepts jobs within the limits of this server. Every method raises `RejectedError` if it does not."""

    server_limits: ServerLimits
    clock: Clock

    def read(self, caller: Caller, document: JsonDocument) -> JobDefinition:
        """Return the definition that a document describes, with its owner."""
        return owned_by(caller, self._accept(caller, inspect_job(document)))

    def check(self, caller: Caller, definition: JobDefinition) -> JobDefinition:
        """Return a definition with its owner."""
        document = definition.model_dump(mode="json")
        return owned_by(caller, self._accept(caller, Inspection(document, (), 0, definition, frozenset())))

    def edit(self, caller: Caller, job: Job, sent: JsonDocument, shown: Shown | None, merge: Merge) -> JobChange:
        """Return the change that a document asks for.

        `shown` returns a job as the API shows it: its read-only fields may be sent back unchanged.
        """
        changed: list[FieldProblem] = []
        if shown is not None:
            sent, changed = without_read_only(JobDefinition, sent, shown(job))
        sent, further = without_surplus(JobDefinition, sent)
        inspection = inspect_job(merge(sent), further)
        columns = {} if inspection.valid_part is None else columns_of(owned_by(caller, inspection.valid_part))
        found = problems_of_job(
            inspection, self.server_limits, self.clock.now(), is_rescheduled=is_rescheduled(job, columns)
        )
        definition = inspection.accept([*changed, *found, *owner_problems(inspection, caller)])
        return JobChange(columns, definition.enabled)

    def _accept(self, caller: Caller, inspection: Inspection[JobDefinition]) -> JobDefinition:
        problems = problems_of_job(inspection, self.server_limits, self.clock.now())
        return inspection.accept([*problems, *owner_problems(inspection, caller)])
