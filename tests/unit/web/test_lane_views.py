"""The drawing of lanes."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from testkit.databases import NOON

from scheduler_service.domain.lanes import LaneAttempt, LaneRun
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.views.lanes import MAX_LANES, MAX_PLACES, Stretch, lanes, ticks

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def a_run(
    run_id: int = 1,
    status: RunStatus = RunStatus.SUCCESS,
    *,
    job: int = 1,
    at: datetime = NOON,
    started: datetime | None = NOON,
    finished: datetime | None = None,
    attempts: tuple[LaneAttempt, ...] = (),
) -> LaneRun:
    return LaneRun(run_id, job, f"job {job:02}", status, at, started, finished, attempts)


def test_bar_shows_waiting_and_execution_in_the_window() -> None:
    run = a_run(started=NOON + 6 * MINUTE, finished=NOON + 30 * MINUTE)
    ((bar,),) = [lane.bars for lane in lanes([run], NOON, NOON + HOUR)]
    assert (bar.whole, bar.executing) == (Stretch(0, 50), (Stretch(10, 40),))
    assert bar.seconds == 24 * 60


def test_run_that_began_before_the_window_begins_at_its_edge() -> None:
    run = a_run(at=NOON - HOUR, started=NOON - HOUR, finished=NOON + 15 * MINUTE)
    ((bar,),) = [lane.bars for lane in lanes([run], NOON, NOON + HOUR)]
    assert bar.executing == (Stretch(0, 25),)


def test_running_bar_ends_now_and_skipped_row_is_no_run() -> None:
    running = a_run(1, RunStatus.RUNNING)
    skipped = a_run(2, RunStatus.SKIPPED, started=None, finished=NOON)
    (lane,) = lanes([running, skipped], NOON - HOUR, NOON + HOUR)
    assert [(bar.is_run, bar.executing) for bar in lane.bars] == [(True, (Stretch(50, 50),)), (False, ())]


def test_attempts_execute_apart() -> None:
    attempts = (
        LaneAttempt(NOON - HOUR, NOON - HOUR / 2),
        LaneAttempt(NOON, NOON + 6 * MINUTE),
        LaneAttempt(NOON + 12 * MINUTE, None),
    )
    run = a_run(status=RunStatus.RUNNING, attempts=attempts)
    ((bar,),) = [lane.bars for lane in lanes([run], NOON, NOON + HOUR)]
    assert bar.executing == (Stretch(0, 10), Stretch(20, 80)), "one was over before the window"


def test_runs_at_once_stand_in_places_of_their_own() -> None:
    runs = [a_run(1, finished=NOON + 9 * MINUTE), a_run(2, started=NOON + MINUTE, finished=NOON + 5 * MINUTE)]
    runs += [a_run(3, started=NOON + 5 * MINUTE, finished=NOON + 7 * MINUTE), a_run(4, started=None)]
    drawn = lanes(runs, NOON, NOON + HOUR)
    assert [(lane.place, [bar.run_id for bar in lane.bars]) for lane in drawn] == [(1, [1, 4]), (2, [2, 3])]
    many = lanes([a_run(number) for number in range(20)], NOON, NOON + HOUR)
    assert [len(lane.bars) for lane in many] == [1] * (MAX_PLACES - 1) + [13]


def test_busiest_jobs_get_lanes_in_the_order_of_their_names() -> None:
    runs = [a_run(number, job=number, finished=NOON) for number in range(1, 40)]
    drawn = lanes([*runs, a_run(100, job=39, finished=NOON)], NOON, NOON + HOUR)
    assert len(drawn) == MAX_LANES
    assert [lane.name for lane in drawn] == sorted(lane.name for lane in drawn)
    assert drawn[-1].job_id == 39


def test_ticks_are_full_hours_of_the_zone() -> None:
    begin = NOON + 20 * MINUTE
    assert [tick.clock for tick in ticks(begin, begin + 6 * HOUR, 6, ZoneInfo("Asia/Kolkata"))] == [
        "18:00", "19:00", "20:00", "21:00", "22:00", "23:00"
    ]  # fmt: skip
    assert ticks(NOON, NOON + HOUR, 1, ZoneInfo("UTC"))[0].x == 16.67
