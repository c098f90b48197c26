"""The first sentence of the start page, which speaks of the service and of the jobs that need somebody."""

from __future__ import annotations

import pytest

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.views.home import Need, Summary, summary
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
