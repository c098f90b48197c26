"""The first sentence of the start page, which speaks of the service and of the jobs that need somebody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from testkit.databases import NOON
from testkit.records import job_record

from scheduler_service.domain.outcomes import Outcome
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.web.views.home import Need, Summary, failing, skipping, summary
from scheduler_service.web.views.status import status_of_run


def _need(job_id: int, kind: str) -> Need:
    return Need(job_id, "a job", status_of_run(RunStatus(kind)), kind, 1, None)


@pytest.mark.parametrize(
    ("is_well", "needs", "expected"),
    [
        (True, [], Summary("well", None, 0, "good")),
        (False, [], Summary("service_not_well", None, 0, "bad")),
        (True, [_need(1, "failed")], Summary("service_well", "need", 1, "warn")),
        (False, [_need(1, "missed")], Summary("service_not_well", "need", 1, "bad")),
    ],
)
def test_summary_tells_health_and_needs_apart(is_well: bool, needs: list[Need], expected: Summary) -> None:
    assert summary(needs, 0, is_well=is_well, has_more_missed=False) == expected


def test_summary_counts_a_job_once_and_those_not_shown() -> None:
    needs = [_need(1, "failed"), _need(1, "missed"), _need(2, "missed")]
    told = summary(needs, 40, is_well=True, has_more_missed=True)
    assert (told.needs, told.jobs) == ("need_at_least", 41)


def _row(run_id: int, status: RunStatus, reason: Reason | None = None) -> Outcome:
    return Outcome(run_id, status, reason, Trigger.SCHEDULE, NOON - run_id * timedelta(minutes=1), None, None, None)


def test_failing_job_leads_to_its_failed_run_and_failed_once() -> None:
    job = replace(job_record(id=1), failures_in_a_row=0)
    (need,) = failing([job], {1: [_row(1, RunStatus.SKIPPED, Reason.OVERLAP), _row(2, RunStatus.FAILED)]})
    assert (need.count, need.run_id) == (1, 2)


def test_job_that_skips_most_of_its_instants_needs_somebody() -> None:
    busy = [_row(n, RunStatus.SKIPPED, Reason.OVERLAP) for n in range(11)]
    ran = [_row(n, RunStatus.SUCCESS) for n in range(11, 14)]
    closed = [_row(n, RunStatus.SKIPPED, Reason.CALENDAR) for n in range(11)]
    names = {1: "busy", 2: "closed", 3: "half", 4: "young"}
    newest = {1: busy + ran, 2: closed + ran, 3: busy[:3] + ran, 4: busy[:3]}
    (need,) = skipping(names, newest, NOON - timedelta(days=1))
    assert (need.job_name, need.count, need.total, need.reason) == ("busy", 11, 14, Reason.OVERLAP)
    assert skipping(names, newest, NOON + timedelta(days=1)) == []
