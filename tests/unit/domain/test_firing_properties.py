"""Decisions account for every instant exactly once, with any outages, policies and ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.firing import Decision, Fire, FiringRules, Miss, Skip, decide, first_run_at
from scheduler_service.domain.run_state import Reason
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Schedule, parse

BOUNDED = settings(deadline=None, max_examples=200)
START = datetime(2026, 3, 28, 20, tzinfo=UTC)  # five hours before Berlin's clock jumps
MICROSECOND = timedelta(microseconds=1)

schedules = st.sampled_from(
    [
        parse(expr, timezone="Europe/Berlin", dst=DstPolicy(), anchor_at=START + timedelta(milliseconds=250))
        for expr in (
            "*/5 * * * *",
            "30 * * * *",
            "30 2 * * *",
            "*/20 * * * * *",
            "90s",
            "17m",
            "7h",
            "2026-03-29T02:30",
        )
    ]
)
firing_rules = st.builds(
    FiringRules,
    misfire_policy=st.sampled_from(["fire_once", "fire_all", "skip"]),
    misfire_grace_seconds=st.sampled_from([0, 1, 30, 60, 600, 86_400]),
    catchup_limit=st.sampled_from([0, 1, 3, 100, 1000]),
    overlap_policy=st.sampled_from(["skip", "queue", "allow", "cancel_running"]),
    max_concurrency=st.integers(1, 3),
    start_deadline_seconds=st.sampled_from([None, 1, 90, 7200]),
)
outages = st.one_of(st.timedeltas(timedelta(0), timedelta(minutes=3)), st.timedeltas(timedelta(0), timedelta(hours=20)))


def instants_of(entry: Fire | Skip | Miss, schedule: Schedule) -> list[datetime]:
    if not isinstance(entry, Miss):
        return [entry.scheduled_for]
    found = list(schedule.between(entry.first - MICROSECOND, entry.last))
    assert (found[0], found[-1], len(found)) == (entry.first, entry.last, entry.count)
    return found


@BOUNDED
@given(data=st.data(), schedule=schedules, rules=firing_rules, waits=st.lists(outages, min_size=1, max_size=6))
def test_every_instant_is_accounted_for_once(
    data: st.DataObject, schedule: Schedule, rules: FiringRules, waits: list[timedelta]
) -> None:
    end_at = data.draw(st.one_of(st.none(), outages.map(lambda span: START + span)))
    next_run_at, now, ledger = first_run_at(schedule, now=START, start_at=None, end_at=end_at), START, []
    for wait in waits:
        now += wait
        while next_run_at is not None and next_run_at <= now:
            decision = decide(
                schedule, rules, next_run_at=next_run_at, now=now, active=data.draw(st.integers(0, 4)), end_at=end_at
            )
            ledger += [instant for entry in decision.entries for instant in instants_of(entry, schedule)]
            next_run_at = decision.next_run_at
    until = now if end_at is None else min(now, end_at)
    assert ledger == list(schedule.between(START, until))
    assert next_run_at == first_run_at(schedule, now=until, start_at=None, end_at=end_at)


def decide_by_listing(
    schedule: Schedule, rules: FiringRules, next_run_at: datetime, now: datetime, active: int
) -> Decision:
    """Decide by listing every instant: the rules as the documentation words them, one after the other."""
    due = list(schedule.between(next_run_at - MICROSECOND, now))
    late = [instant for instant in due if now - instant > timedelta(seconds=rules.misfire_grace_seconds)]
    fresh = due[len(late) :]
    caught_up: list[datetime] = []
    if rules.misfire_policy == "fire_all":
        caught_up = late[max(0, len(late) - rules.catchup_limit) :]
    elif rules.misfire_policy == "fire_once" and not fresh:
        caught_up = late[-1:]
    given_up = late[: len(late) - len(caught_up)]
    reason = Reason.CATCHUP_LIMIT if rules.misfire_policy == "fire_all" else Reason.MISFIRE
    entries: list[Fire | Skip | Miss] = []
    if given_up:
        entries.append(Miss(given_up[0], given_up[-1], len(given_up), reason))
    fires = [*caught_up, *fresh]
    if rules.start_deadline_seconds is not None:
        deadline = timedelta(seconds=rules.start_deadline_seconds)
        too_late = [instant for instant in fires if now - instant > deadline]
        fires = fires[len(too_late) :]
        if too_late:
            entries.append(Miss(too_late[0], too_late[-1], len(too_late), Reason.START_DEADLINE))
    crowded = active + len(fires) > rules.max_concurrency
    for instant in fires:
        busy = active >= rules.max_concurrency
        if rules.overlap_policy == "skip" and busy:
            entries.append(Skip(instant))
        elif rules.overlap_policy == "cancel_running" and crowded:
            entries.append(Fire(instant, cancels_others=busy) if instant == fires[-1] else Skip(instant))
        else:
            entries.append(Fire(instant))
            active += 1
    return Decision(tuple(entries), schedule.next_after(now))


@BOUNDED
@given(schedule=schedules, rules=firing_rules, outage=outages, active=st.integers(0, 4))
def test_decision_agrees_with_listing_every_instant(
    schedule: Schedule, rules: FiringRules, outage: timedelta, active: int
) -> None:
    next_run_at = schedule.next_after(START)
    assert next_run_at is not None
    now = next_run_at + min(outage, timedelta(hours=2))  # short of what one decision takes at most
    decision = decide(schedule, rules, next_run_at=next_run_at, now=now, active=active, end_at=None)
    assert decision == decide_by_listing(schedule, rules, next_run_at, now, active)


@BOUNDED
@given(schedule=schedules, rules=firing_rules, outage=outages, active=st.integers(0, 4))
def test_entries_ascend_and_are_bounded(schedule: Schedule, rules: FiringRules, outage: timedelta, active: int) -> None:
    next_run_at = schedule.next_after(START)
    assert next_run_at is not None
    decision = decide(schedule, rules, next_run_at=next_run_at, now=START + outage, active=active, end_at=None)
    starts = [entry.first if isinstance(entry, Miss) else entry.scheduled_for for entry in decision.entries]
    assert all(earlier < later for earlier, later in pairwise(starts))
    assert len(starts) <= 502
