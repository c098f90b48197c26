"""Simulated ledgers: they account for every instant, and obey the policies of the job."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.databases import NOON
from testkit.records import job_record

from scheduler_service.domain.records import DueJob, schedule_of
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.domain.simulation import MAX_ROWS, Scenario, SimulatedRow, Window, simulate

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta.resolution
SCENARIO = ("outages", "pauses", "run_seconds", "runs_per_minute")
HOUR = Window(NOON, NOON + 60 * MINUTE)


def due_job(**changes: Any) -> DueJob:
    job = job_record(**{"schedule_expr": "*/10 * * * *", "overlap_policy": "skip", **changes})
    return DueJob(**{field.name: getattr(job, field.name) for field in fields(DueJob)})


def minutes(begin: float, end: float) -> Window:
    return Window(NOON + begin * MINUTE, NOON + end * MINUTE)


def shown(rows: tuple[SimulatedRow, ...]) -> list[tuple[float, str, int]]:
    """Return the minute, the status and the number of instants of each row."""
    return [((row.scheduled_for - NOON) / MINUTE, str(row.status), row.missed_count or 1) for row in rows]


def rows_of(window: Window = HOUR, /, **changes: Any) -> tuple[SimulatedRow, ...]:
    scenario = {name: changes.pop(name) for name in SCENARIO if name in changes}
    return simulate(due_job(**changes), Scenario(window=window, **scenario)).rows


def test_every_instant_runs_when_nothing_happens() -> None:
    assert shown(rows_of()) == [(number, "success", 1) for number in (0, 10, 20, 30, 40, 50)]


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        ("fire_once", [(0, "success", 1), (10, "missed", 3), (40, "success", 1), (50, "success", 1)]),
        ("skip", [(0, "success", 1), (10, "missed", 4), (50, "success", 1)]),
    ],
)
def test_outage_is_followed_by_the_misfire_policy(policy: str, rows: list[tuple[float, str, int]]) -> None:
    assert shown(rows_of(misfire_policy=policy, outages=[minutes(5, 45)])) == rows


def test_backlog_runs_one_after_the_other_with_queue() -> None:
    rows = rows_of(misfire_policy="fire_all", overlap_policy="queue", outages=[minutes(5, 45)], run_seconds=120)
    starts = [(row.starts_at - NOON) / MINUTE for row in rows if row.starts_at is not None]
    assert starts == [0, 45, 47, 49, 51, 53]


def test_instants_during_a_pause_are_not_owed() -> None:
    assert [minute for minute, *_ in shown(rows_of(pauses=[minutes(15, 35)]))] == [0, 10, 40, 50]


def test_runs_above_the_quota_of_a_minute_are_skipped() -> None:
    rows = rows_of(minutes(0, 2), schedule_expr="20s", anchor_at=NOON, overlap_policy="allow", runs_per_minute=2)
    skipped = [row for row in rows if row.status is RunStatus.SKIPPED]
    assert [(row.scheduled_for - NOON) / MINUTE for row in skipped] == pytest.approx([5 / 3])
    assert {row.reason for row in skipped} == {Reason.QUOTA}


def test_long_run_lets_instants_be_skipped() -> None:
    rows = rows_of(run_seconds=15 * 60)
    assert [status for _, status, _ in shown(rows)] == ["success", "skipped"] * 3
    assert rows[1].reason is Reason.OVERLAP


def test_run_is_cancelled_for_the_next_one() -> None:
    rows = rows_of(minutes(0, 20), overlap_policy="cancel_running", run_seconds=900)
    assert shown(rows) == [(0, "cancelled", 1), (10, "success", 1)]
    assert rows[0].ends_at == NOON + 10 * MINUTE


def test_run_that_waits_too_long_is_missed() -> None:
    rows = rows_of(minutes(0, 20), overlap_policy="queue", start_deadline_seconds=120.0, run_seconds=900)
    assert [(row.status, row.reason) for row in rows] == [
        (RunStatus.SUCCESS, None),
        (RunStatus.MISSED, Reason.START_DEADLINE),
    ]


def test_simulation_ends_with_the_last_run() -> None:
    assert len(rows_of(max_runs=2)) == 2


def test_simulation_is_cut_when_it_has_too_many_rows() -> None:
    simulation = simulate(due_job(schedule_expr="1s", overlap_policy="allow"), Scenario(window=HOUR))
    assert (len(simulation.rows), simulation.is_cut) == (MAX_ROWS, True)
    assert simulation.simulated_until == simulation.rows[-1].scheduled_for
    assert simulate(due_job(), Scenario(window=HOUR)).simulated_until is None


begins, lengths = st.integers(0, 300), st.integers(1, 120)
spans = st.lists(st.builds(lambda begin, length: minutes(begin, begin + length), begins, lengths), max_size=3)


@settings(deadline=None, max_examples=150)
@given(
    misfire=st.sampled_from(["fire_once", "fire_all", "skip"]),
    overlap=st.sampled_from(["skip", "queue", "allow", "cancel_running"]),
    outages=spans,
    pauses=spans,
    run_seconds=st.sampled_from([0, 30, 200, 4000]),
)
def test_simulation_accounts_for_every_owed_instant_once(
    misfire: str, overlap: str, outages: list[Window], pauses: list[Window], run_seconds: float
) -> None:
    job = due_job(schedule_expr="7m", misfire_policy=misfire, overlap_policy=overlap)
    window = minutes(0, 300)
    scenario = Scenario(window=window, outages=outages, pauses=pauses, run_seconds=run_seconds)
    schedule = schedule_of(job)
    accounted: list[datetime] = []
    for row in simulate(job, scenario).rows:
        last = row.missed_until or row.scheduled_for
        found = list(schedule.between(row.scheduled_for - MICROSECOND, last))
        assert len(found) == (row.missed_count or 1)
        accounted += found
    named = schedule.between(window.begin - MICROSECOND, window.end - MICROSECOND)
    assert accounted == [instant for instant in named if not any(instant in pause for pause in pauses)]
