"""The conditions of a job's next run: each is met, or has a sentence and a remedy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from testkit.databases import NOON
from testkit.records import job_record, run_record

from scheduler_service.domain.blockers import Blocker, Code, Situation, blockers
from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.day_sets import Weekdays
from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_sentences import sentence_of
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, WorkerState

WEEKENDS = JobCalendar(ZoneInfo("UTC"), (Weekdays(are_weekend=True),), ())


def worker(**changes: Any) -> Worker:
    known: dict[str, Any] = {
        "id": "w",
        "host": "h",
        "pid": 1,
        "state": WorkerState.ALIVE,
        "slots": 1,
        "busy": 0,
        "beats": 1,
    }
    known |= {"started_at": NOON, "seen_at": NOON, "sandbox_level": "strict", "unfit_reason": None, "grants": []}
    known |= {"tags": [], "drain_requested_at": None}
    return Worker(**(known | changes))


def situation(job: dict[str, Any] | None = None, **changes: Any) -> Situation:
    known: dict[str, Any] = {"active": 0, "of_key": 0, "ready": [worker()], "unfit": []}
    known |= {"environment": None, "calendar": None, "awaited": [], "last_reason": None}
    return Situation(job=job_record(**(job or {})), **(known | changes))


def test_nothing_holds_back_a_job_whose_conditions_are_met() -> None:
    found = blockers(situation())
    assert {blocker.code for blocker in found} >= {Code.PAUSED, Code.SCHEDULE, Code.OVERLAP, Code.WORKERS, Code.SANDBOX}
    assert all(blocker.met and blocker.remedy is None for blocker in found)


PAUSED = {"status": JobStatus.PAUSED, "next_run_at": None, "pause_reason": "stocktaking"}
FINISHED = {"status": JobStatus.FINISHED, "next_run_at": None}
CASES: dict[str, tuple[Situation, Code, str]] = {
    "paused": (situation(PAUSED), Code.PAUSED, "The job is paused: stocktaking."),
    "paused until": (
        situation({**PAUSED, "paused_until": NOON}),
        Code.PAUSED,
        "The job is paused: stocktaking. It resumes at 2026-01-15T12:00:00Z.",
    ),
    "finished": (situation(FINISHED), Code.SCHEDULE, "The schedule has no further instant."),
    "all runs": (
        situation({**FINISHED, "max_runs": 3, "scheduled_runs": 3}),
        Code.SCHEDULE,
        "The job has had its 3 runs.",
    ),
    "on demand": (
        situation({"schedule_expr": None, "next_run_at": None}),
        Code.SCHEDULE,
        "The job has no schedule: it runs when it is asked to.",
    ),
    "calendar": (
        situation(calendar=WEEKENDS),
        Code.CALENDAR,
        "A calendar excludes the day of the next instant: it would be skipped.",
    ),
    "overlap": (
        situation({"overlap_policy": "skip"}, active=1),
        Code.OVERLAP,
        "1 run is active, and 1 may run at once: the next instant would be skipped if it still ran.",
    ),
    "key": (
        situation({"concurrency_key": "warehouse"}, of_key=1),
        Code.CONCURRENCY_KEY,
        "1 run with the key warehouse executes, and 1 may run at once.",
    ),
    "no worker": (situation(ready=[]), Code.WORKERS, "No worker is alive: runs stay queued."),
    "unfit": (
        situation(ready=[], unfit=[worker(unfit_reason="no user namespaces")]),
        Code.SANDBOX,
        "The sandbox of every live worker fails: no user namespaces",
    ),
    "grants": (
        situation({"grants": ["backup"]}, ready=[worker(grants=["mail"])]),
        Code.GRANTS,
        "No live worker holds the grants backup.",
    ),
    "building": (
        situation(environment=EnvironmentState.BUILDING),
        Code.ENVIRONMENT,
        "The packages of the job are installed by its next run, which takes longer.",
    ),
    "broken": (
        situation(environment=EnvironmentState.FAILED),
        Code.ENVIRONMENT,
        "The packages cannot be installed.",
    ),
    "deadline": (
        situation({"start_deadline_seconds": 30.0}, last_reason=Reason.START_DEADLINE),
        Code.START_DEADLINE,
        "A run must start within 30 s. The last run did not.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_unmet_condition_has_a_sentence_and_a_remedy(name: str) -> None:
    given, code, sentence = CASES[name]
    (unmet,) = [blocker for blocker in blockers(given) if not blocker.met]
    assert unmet == Blocker(code, met=False, sentence=sentence, remedy=unmet.remedy)
    assert unmet.remedy


def test_sentence_names_the_instant_and_the_reason() -> None:
    skipped = run_record(status=RunStatus.SKIPPED, reason=Reason.CALENDAR)
    assert sentence_of(skipped) == "The run of 2026-01-15T12:00:00Z was skipped: a calendar excludes its day."


def test_sentence_of_a_missed_range_counts_its_instants() -> None:
    missed = run_record(
        status=RunStatus.MISSED, reason=Reason.MISFIRE, missed_count=3, missed_until=NOON + timedelta(minutes=2)
    )
    assert sentence_of(missed) == (
        "Each of 3 instants from 2026-01-15T12:00:00Z to 2026-01-15T12:02:00Z was missed: "
        "no dispatcher fired it in time."
    )


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    assert ": " in sentence_of(run_record(status=RunStatus.FAILED, reason=reason))
