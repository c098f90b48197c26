"""The decision for each due instant: fire, skip or miss, when it is late or the job is busy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler_service.domain.firing import (
    MAX_ENTRIES,
    Decision,
    Fire,
    FiringRules,
    Miss,
    Skip,
    decide,
    first_run_at,
)
from scheduler_service.domain.run_state import Reason
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.interval import Interval
from scheduler_service.domain.schedules.schedule import parse

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTELY = Interval(timedelta(minutes=1), START)
SECOND = timedelta(seconds=1)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def decided(rules: FiringRules, *, due: float, now: float, active: int = 0, end_at: datetime | None = None) -> Decision:
    """Decide for a job that runs each minute, is due since minute `due`, in minute `now`."""
    return decide(MINUTELY, rules, next_run_at=minute(due), now=minute(now), active=active, end_at=end_at)


def rules(**changes: Any) -> FiringRules:
    return FiringRules(**{"misfire_grace_seconds": 30, "overlap_policy": "allow", **changes})


def test_due_instant_fires_and_the_next_one_is_set() -> None:
    assert decided(rules(), due=1, now=1) == Decision((Fire(minute(1)),), minute(2))


def test_instant_in_the_future_does_not_fire() -> None:
    assert decided(rules(), due=2, now=1.5) == Decision((), minute(2))


@pytest.mark.parametrize("policy", ["fire_once", "fire_all", "skip"])
def test_instant_within_its_grace_fires_under_every_policy(policy: str) -> None:
    assert decided(rules(misfire_policy=policy), due=1, now=1.5).entries == (Fire(minute(1)),)


def test_skip_marks_all_misfired_instants_as_one_missed_range() -> None:
    missed = Miss(minute(1), minute(9), 9, Reason.MISFIRE)
    assert decided(rules(misfire_policy="skip"), due=1, now=9.9) == Decision((missed,), minute(10))


def test_skip_fires_an_instant_within_its_grace() -> None:
    decision = decided(rules(misfire_policy="skip"), due=1, now=9.2)
    assert decision.entries == (Miss(minute(1), minute(8), 8), Fire(minute(9)))


def test_fire_once_fires_the_latest_misfired_instant() -> None:
    decision = decided(rules(misfire_policy="fire_once"), due=1, now=9.9)
    assert decision == Decision((Miss(minute(1), minute(8), 8), Fire(minute(9))), minute(10))


def test_fire_once_fires_the_instant_within_its_grace() -> None:
    decision = decided(rules(misfire_policy="fire_once"), due=1, now=9.2)
    assert decision.entries == (Miss(minute(1), minute(8), 8), Fire(minute(9)))


def test_fire_once_misses_nothing_when_one_instant_is_late() -> None:
    assert decided(rules(misfire_policy="fire_once"), due=1, now=1.9).entries == (Fire(minute(1)),)


def test_fire_all_fires_every_instant_up_to_its_limit() -> None:
    decision = decided(rules(misfire_policy="fire_all"), due=1, now=5.9)
    assert decision.entries == tuple(Fire(minute(number)) for number in range(1, 6))


def test_fire_all_misses_the_oldest_beyond_its_limit() -> None:
    decision = decided(rules(misfire_policy="fire_all", catchup_limit=2), due=1, now=5.9)
    given_up = Miss(minute(1), minute(3), 3, Reason.CATCHUP_LIMIT)
    assert decision.entries == (given_up, Fire(minute(4)), Fire(minute(5)))


def test_fire_all_limit_ignores_instants_within_their_grace() -> None:
    decision = decided(rules(misfire_policy="fire_all", catchup_limit=1), due=1, now=5.2)
    given_up = Miss(minute(1), minute(3), 3, Reason.CATCHUP_LIMIT)
    assert decision.entries == (given_up, Fire(minute(4)), Fire(minute(5)))


@pytest.mark.parametrize(("now", "fires"), [(5.9, ()), (5.2, (Fire(minute(5)),))])
def test_fire_all_misses_every_misfire_when_its_limit_is_zero(now: float, fires: tuple[Fire, ...]) -> None:
    decision = decided(rules(misfire_policy="fire_all", catchup_limit=0), due=1, now=now)
    count = 5 - len(fires)
    assert decision.entries == (Miss(minute(1), minute(count), count, Reason.CATCHUP_LIMIT), *fires)


def test_overlap_skip_skips_an_instant_of_a_busy_job() -> None:
    decision = decided(rules(overlap_policy="skip"), due=1, now=1, active=1)
    assert decision.entries == (Skip(minute(1), Reason.OVERLAP),)


def test_overlap_skip_counts_runs_of_the_same_decision() -> None:
    busy = rules(overlap_policy="skip", misfire_policy="fire_all", max_concurrency=3)
    assert decided(busy, due=1, now=4, active=1).entries == (
        Fire(minute(1)),
        Fire(minute(2)),
        Skip(minute(3)),
        Skip(minute(4)),
    )


@pytest.mark.parametrize("policy", ["queue", "allow"])
def test_overlap_queue_and_allow_fire_for_a_busy_job(policy: str) -> None:
    assert decided(rules(overlap_policy=policy), due=1, now=1, active=9).entries == (Fire(minute(1)),)


def test_cancel_running_cancels_others_of_a_busy_job_only() -> None:
    replacing = rules(overlap_policy="cancel_running")
    assert decided(replacing, due=1, now=1, active=1).entries == (Fire(minute(1), cancels_others=True),)
    assert decided(replacing, due=1, now=1, active=0).entries == (Fire(minute(1)),)


@pytest.mark.parametrize("active", [0, 1])
def test_cancel_running_starts_only_the_last_of_several(active: int) -> None:
    replacing = rules(overlap_policy="cancel_running", misfire_policy="fire_all")
    decision = decided(replacing, due=1, now=3, active=active)
    assert decision.entries == (Skip(minute(1)), Skip(minute(2)), Fire(minute(3), cancels_others=active == 1))


def test_cancel_running_starts_all_within_max_concurrency() -> None:
    roomy = rules(overlap_policy="cancel_running", misfire_policy="fire_all", max_concurrency=3)
    assert decided(roomy, due=1, now=2, active=1).entries == (Fire(minute(1)), Fire(minute(2)))


def test_missed_instants_do_not_make_a_job_busy() -> None:
    decision = decided(rules(overlap_policy="skip"), due=1, now=9.9, active=0)
    assert decision.entries == (Miss(minute(1), minute(8), 8), Fire(minute(9)))


def test_instants_after_the_end_do_not_fire() -> None:
    decision = decided(rules(misfire_policy="fire_all"), due=1, now=9, end_at=minute(2.5))
    assert decision == Decision((Fire(minute(1)), Fire(minute(2))), None)


def test_instant_at_the_end_fires() -> None:
    assert decided(rules(), due=2, now=2, end_at=minute(2)) == Decision((Fire(minute(2)),), None)


def test_job_is_finished_when_its_end_was_moved_to_the_past() -> None:
    assert decided(rules(), due=5, now=5, end_at=minute(2)) == Decision((), None)


@pytest.mark.parametrize("policy", ["fire_once", "skip"])
def test_misfires_before_the_end_are_recorded_after_it(policy: str) -> None:
    decision = decided(rules(misfire_policy=policy), due=1, now=9, end_at=minute(3))
    fires = (Fire(minute(3)),) if policy == "fire_once" else ()
    count = 3 - len(fires)
    assert decision == Decision((Miss(minute(1), minute(count), count), *fires), None)


def test_instants_after_the_end_do_not_count_for_the_limit() -> None:
    decision = decided(rules(misfire_policy="fire_all", catchup_limit=2), due=1, now=9.9, end_at=minute(5.5))
    given_up = Miss(minute(1), minute(3), 3, Reason.CATCHUP_LIMIT)
    assert decision.entries == (given_up, Fire(minute(4)), Fire(minute(5)))


def test_one_time_job_is_finished_when_it_has_fired() -> None:
    once = parse("2026-01-01T00:01:00Z", timezone="UTC", dst=DstPolicy(), anchor_at=START)
    decision = decide(once, rules(), next_run_at=minute(1), now=minute(60), active=0, end_at=None)
    assert decision == Decision((Fire(minute(1)),), None)


def test_long_backlog_is_decided_in_pieces() -> None:
    everything = rules(misfire_policy="fire_all", catchup_limit=10_000)
    decision = decided(everything, due=1, now=2_000)
    assert len(decision.entries) == MAX_ENTRIES
    assert decision.next_run_at == minute(MAX_ENTRIES + 1)


def test_ten_years_of_seconds_are_missed_in_one_decision() -> None:
    secondly = parse("* * * * * *", timezone="Europe/Berlin", dst=DstPolicy(), anchor_at=START)
    now = START + timedelta(days=3650)
    kept = rules(misfire_policy="fire_all", catchup_limit=100)
    decision = decide(secondly, kept, next_run_at=START, now=now, active=0, end_at=None)
    late = 3650 * 86_400 - 30  # the last 31, the one of this very second among them, are within their grace
    given_up = Miss(START, now - 131 * SECOND, late - 100, Reason.CATCHUP_LIMIT)
    assert decision.entries == (given_up, *(Fire(now - number * SECOND) for number in range(130, -1, -1)))


def test_new_job_waits_for_its_first_instant() -> None:
    assert first_run_at(MINUTELY, now=minute(3), start_at=None, end_at=None) == minute(4)


@pytest.mark.parametrize(("start", "first"), [(1, 4), (9, 9), (8.5, 9)])
def test_first_instant_is_at_or_after_start_at(start: float, first: int) -> None:
    assert first_run_at(MINUTELY, now=minute(3), start_at=minute(start), end_at=None) == minute(first)


@pytest.mark.parametrize(("end", "first"), [(4, minute(4)), (3.9, None)])
def test_job_without_an_instant_before_its_end_never_fires(end: float, first: datetime | None) -> None:
    assert first_run_at(MINUTELY, now=minute(3), start_at=None, end_at=minute(end)) == first


def test_instants_past_their_start_deadline_are_missed() -> None:
    late = Miss(minute(1), minute(3), 3, Reason.START_DEADLINE)
    decision = decided(rules(misfire_policy="fire_all", start_deadline_seconds=90), due=1, now=5.5)
    assert decision == Decision((late, Fire(minute(4)), Fire(minute(5))), minute(6))


def test_newest_misfire_is_missed_when_past_the_deadline() -> None:
    nightly = parse("0 3 * * *", timezone="UTC", dst=DstPolicy(), anchor_at=START)
    due, now = START + timedelta(hours=3), START + timedelta(hours=30)
    decision = decide(nightly, rules(start_deadline_seconds=3600), next_run_at=due, now=now, active=0, end_at=None)
    newest = due + timedelta(days=1)
    assert decision.entries == (
        Miss(due, due, 1, Reason.MISFIRE),
        Miss(newest, newest, 1, Reason.START_DEADLINE),
    )


@pytest.mark.parametrize(("runs_left", "fired"), [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_job_is_finished_by_its_last_run(runs_left: int, fired: int) -> None:
    decision = decided(rules(misfire_policy="fire_all", runs_left=runs_left), due=1, now=3)
    assert decision.entries == tuple(Fire(minute(number)) for number in range(1, fired + 1))
    assert decision.next_run_at == (None if runs_left <= 3 else minute(4))
