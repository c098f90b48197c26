"""Validates the documents of an apply, all of them, and plans each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from pydantic_core import ErrorDetails

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError
from scheduler_service.features.apply import rules
from scheduler_service.features.apply.matching import Matches, completed
from scheduler_service.features.apply.records import Identity, Step
from scheduler_service.features.apply.upstreams import Upstreams
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.job_acceptance import JobAcceptance

Document = Mapping[str, JsonValue]
DOCUMENTS = "documents"


@dataclass(slots=True)
class Problems:
    """Collects what is wrong with any document."""

    items: list[ErrorDetails] = field(default_factory=list)
    of_services: list[FieldProblem] = field(default_factory=list)
    further: int = 0

    def add(self, document: int, *problems: FieldProblem) -> None:
        """Add problems of one document."""
        prefix = f"{DOCUMENTS}.{document}."
        self.of_services += [FieldProblem(prefix + each.field, each.message, each.value) for each in problems]

    def add_rejection(self, document: int, error: InvalidInputError) -> None:
        """Add what a rejection of one document names."""
        if not isinstance(error, RejectedError):
            self.add(document, *error.problems)
            return
        self.items += [_moved(item, document) for item in error.items]
        self.further += error.further
        self.add(document, *error.service_problems)

    def check(self) -> None:
        """Raise `RejectedError` with all problems if there are any."""
        if self.items or self.of_services or self.further:
            raise RejectedError(self.items, self.of_services, self.further)


@dataclass(frozen=True, slots=True)
class Drafting:
    """Plans the step of each document. `now` is the instant for which the schedules count."""

    acceptance: JobAcceptance
    caller: Caller
    now: datetime
    upstreams: Upstreams

    def steps(
        self, documents: Sequence[Document], identities: Sequence[Identity], matches: Matches, problems: Problems
    ) -> list[Step]:
        """Return the steps of all valid documents, and add what is wrong with the others to `problems`."""
        for index, problem in matches.problems.items():
            problems.add(index, problem)
        return list(self._steps(documents, identities, matches.jobs, problems))

    def _steps(
        self,
        documents: Sequence[Document],
        identities: Sequence[Identity],
        jobs: Sequence[Job | None],
        problems: Problems,
    ) -> Iterator[Step]:
        for index, (document, identity, job) in enumerate(zip(documents, identities, jobs, strict=True)):
            whole = completed(document, identity, job)
            problems.add(index, *self.upstreams.resolve(whole, identity))
            try:
                yield self.upstreams.shown(self._step(index, whole, identity, job))
            except InvalidInputError as error:
                problems.add_rejection(index, error)
            except ConflictError as error:
                problems.add(index, FieldProblem("enabled", str(error), document.get("enabled")))

    def _step(self, index: int, document: dict[str, Any], identity: Identity, job: Job | None) -> Step:
        if job is None:
            return rules.creation(index, identity, self.acceptance.draft(self.caller, document).accept(), self.now)
        change = self.acceptance.draft_edit(self.caller, job, document).accept_edit()
        return rules.edit(index, identity, job, change, self.now)


def _moved(item: ErrorDetails, document: int) -> ErrorDetails:
    """Return an error of a document as one of the request."""
    moved = item.copy()
    moved["loc"] = (DOCUMENTS, document, *item["loc"])
    return moved
