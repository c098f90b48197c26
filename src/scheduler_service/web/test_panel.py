"""A test run beside the editor: the definition as it is written, run once, with its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scheduler_service.domain.records import Run
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.features.artifacts.records import StoredArtifact
from scheduler_service.features.artifacts.service import ArtifactService
from scheduler_service.web.editing import Draft
from scheduler_service.web.faults import problems_in
from scheduler_service.web.views.editor_form import Problem
from scheduler_service.web.views.log import LogLine, log_lines
from scheduler_service.web.views.run import RunPage, run_page
from scheduler_service.web.visit import Visit

SHOWN_LINES = 200


@dataclass(frozen=True, slots=True)
class TestPanel:
    """A test run with the end of its log."""

    record: Run
    run: RunPage
    lines: tuple[LogLine, ...]
    earlier: int
    artifacts: tuple[StoredArtifact, ...]


async def queue_test(visit: Visit, draft: Draft) -> tuple[int | None, Draft]:
    """Queue a test run of a draft. Return its id, or None and the draft with what keeps it from running."""
    if draft.problems:
        return None, draft
    # A test needs neither a schedule nor a name.
    given: Mapping[str, Any] = draft.document
    document = {**given, "schedule_expr": given.get("schedule_expr") or None, "name": given.get("name") or "test"}
    try:
        return (await visit.service.jobs.test(visit.caller, document)).id, draft
    except InvalidInputError as error:
        return None, draft.with_problems(problems_in(error, document))
    except ConflictError as error:
        return None, draft.with_problems([Problem("", str(error))])


async def test_panel(visit: Visit, run_id: int) -> TestPanel:
    """Return a test run as it is shown now."""
    detail = await visit.service.runs.get(visit.caller, run_id, has_log=False)
    part = await visit.service.logs.lines(visit.caller, run_id, -SHOWN_LINES, SHOWN_LINES)
    lines = log_lines(part.data, part.first_line, part.next_offset - len(part.data), ())
    run = run_page(detail.view.run, detail.attempts, datetime.now(UTC))
    artifacts = await visit.feature(ArtifactService).of_run(visit.caller, run_id)
    return TestPanel(detail.view.run, run, tuple(lines), part.first_line - 1, tuple(artifacts))
