"""Whether a document is acceptable as a new job or as an edit of one, with everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
class JobDraft:
    """A document that was inspected as a job, and what is wrong with it apart from what the database knows.

    `definition` has the valid fields, with the owner; None if it cannot be built.
    """

    inspection: Inspection[JobDefinition]
    definition: JobDefinition | None
    problems: tuple[FieldProblem, ...]

    def accept(self, further: Iterable[FieldProblem] = ()) -> JobDefinition:
        """Return the definition. Raise `RejectedError` with all problems, and with `further` ones about sent fields."""
        self.inspection.accept([*self.problems, *self.inspection.about_sent(further)])
        assert self.definition is not None  # noqa: S101 (accepted)
        return self.definition

    def accept_edit(self, further: Iterable[FieldProblem] = ()) -> JobChange:
        """Return the change of a job. Raise what `accept` raises."""
        definition = self.accept(further)
        return JobChange(columns_of(definition), definition.enabled)


@dataclass(frozen=True, slots=True)
class JobAcceptance:
    """Inspects jobs within the limits of this server."""

    server_limits: ServerLimits
    clock: Clock

    def draft(self, caller: Caller, document: JsonDocument) -> JobDraft:
        """Inspect a document as a new job."""
        return self._draft(caller, inspect_job(document))

    def check(self, caller: Caller, definition: JobDefinition) -> JobDefinition:
        """Return a definition with its owner. Raise `RejectedError` if it is not acceptable."""
        document = definition.model_dump(mode="json")
        return self._draft(caller, Inspection(document, (), 0, definition, frozenset())).accept()

    def draft_edit(
        self, caller: Caller, job: Job, sent: JsonDocument, shown: Shown | None = None, merge: Merge = dict
    ) -> JobDraft:
        """Inspect the change that a document asks for.

        `shown` returns a job as the API shows it: its read-only fields may be sent back unchanged. By default, the
        document is the whole new definition.
        """
        changed: list[FieldProblem] = []
        if shown is not None:
            sent, changed = without_read_only(JobDefinition, sent, shown(job))
        sent, further = without_surplus(JobDefinition, sent)
        return self._draft(caller, inspect_job(merge(sent), further), changed, job)

    def _draft(
        self,
        caller: Caller,
        inspection: Inspection[JobDefinition],
        changed: Iterable[FieldProblem] = (),
        job: Job | None = None,
    ) -> JobDraft:
        definition = None if inspection.valid_part is None else owned_by(caller, inspection.valid_part)
        columns = {} if definition is None or job is None else columns_of(definition)
        has_new_schedule = job is None or is_rescheduled(job, columns)
        found = problems_of_job(inspection, self.server_limits, self.clock.now(), is_rescheduled=has_new_schedule)
        return JobDraft(inspection, definition, (*changed, *found, *owner_problems(inspection, caller)))
