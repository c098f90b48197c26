"""The drawings of the ledger: heat map, lanes and simulated tracks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from testkit.databases import NOON
from testkit.records import run_record

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.domain.simulation import SimulatedRow, Simulation
from scheduler_service.web.views.cells import Counts
from scheduler_service.web.views.heat import HeatDay, heat_map
from scheduler_service.web.views.lanes import MAX_LANES, WIDTH, lanes
from scheduler_service.web.views.retry_line import retry_line
from scheduler_service.web.views.simulated import MAX_CELLS, tracks

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def day_of(year: int, month: int, day: int) -> HeatDay:
    """Return the only day of a map of one day in Berlin."""
    begin = datetime(year, month, day, tzinfo=BERLIN).astimezone(UTC)
    end = (datetime(year, month, day, tzinfo=BERLIN) + timedelta(days=1)).astimezone(UTC)
    (found,) = heat_map(begin, end, BERLIN, {}).days
    return found


def test_ordinary_day_has_a_cell_for_each_hour() -> None:
    day = day_of(2026, 1, 15)
    assert (len(day.cells), day.crosses) == (24, ())
    assert len({cell.x for cell in day.cells}) == 24


def test_repeated_hour_has_two_cells_side_by_side() -> None:
    day = day_of(2027, 10, 31)
    assert (len(day.cells), day.crosses) == (25, ())
    first, second = (cell for cell in day.cells if ", 02:00" in cell.clock)
    assert second.at - first.at == HOUR
    assert first.x < first.x + first.width < second.x


def test_missing_hour_is_a_cross() -> None:
    day = day_of(2027, 3, 28)
    assert len(day.cells) == 23
    (cross,) = day.crosses
    assert cross not in {cell.x for cell in day.cells}


def test_cell_has_the_worst_family_and_counts_unserved_instants() -> None:
    counts = Counts({RunStatus.SUCCESS: 9, RunStatus.SKIPPED: 2, RunStatus.MISSED: 1})
    assert (counts.family, counts.owed, counts.not_served) == ("bad", 12, 3)
    assert counts.words == (("missed", 1), ("skipped", 2), ("success", 9))
    assert Counts({}, planned=3).family == "planned"
    assert Counts({}).family == "none"


def test_hours_in_which_nothing_is_owed_are_hatched() -> None:
    served = {NOON: Counts({RunStatus.SUCCESS: 1})}
    (day,) = heat_map(NOON, NOON + 3 * HOUR, ZoneInfo("UTC"), served, lambda at: at >= NOON + 2 * HOUR).days
    assert [cell.family for cell in day.cells] == ["good", "hatched", "none"]


def test_bar_shows_waiting_and_execution_in_the_window() -> None:
    run = run_record(
        status=RunStatus.SUCCESS,
        scheduled_for=NOON,
        started_at=NOON + timedelta(minutes=6),
        finished_at=NOON + timedelta(minutes=30),
    )
    (lane,) = lanes([(run, "a job")], NOON, NOON + HOUR, NOON + HOUR)
    (bar,) = lane.bars
    assert (bar.x, bar.started_x, bar.end_x) == (0.0, WIDTH / 10, WIDTH / 2)


def test_running_bar_ends_now_and_skipped_row_is_no_run() -> None:
    running = run_record(status=RunStatus.RUNNING, started_at=NOON)
    skipped = run_record(id=2, status=RunStatus.SKIPPED, finished_at=NOON)
    (lane,) = lanes([(running, "a"), (skipped, "a")], NOON, NOON + HOUR, NOON + HOUR / 2)
    assert [(bar.is_run, bar.end_x) for bar in lane.bars] == [(True, WIDTH / 2), (False, 0.0)]


def test_busiest_jobs_get_lanes_in_the_order_of_their_names() -> None:
    runs = [(run_record(id=n, job_id=n), f"job {n:02}") for n in range(1, 40)]
    runs += [(run_record(id=100, job_id=39), "job 39")]
    drawn = lanes(runs, NOON, NOON + HOUR, NOON)
    assert len(drawn) == MAX_LANES
    assert [lane.name for lane in drawn] == sorted(lane.name for lane in drawn)
    assert drawn[-1].job_id == 39


def test_instants_that_differ_between_two_ledgers_are_marked() -> None:
    as_is = [SimulatedRow(NOON, RunStatus.SUCCESS), SimulatedRow(NOON + HOUR, RunStatus.SUCCESS)]
    what_if = [as_is[0], SimulatedRow(NOON + HOUR, RunStatus.SKIPPED, Reason.OVERLAP)]
    ledgers = [Simulation(tuple(rows), is_cut=False) for rows in (as_is, what_if)]
    first, second = tracks(NOON, NOON + 2 * HOUR, *ledgers)
    assert [mark.differs for mark in second.marks] == [False, True]
    assert [mark.x for mark in first.marks] == [0.0, 500.0]
    assert [(each.status.word, each.reason, each.count) for each in second.counts] == [
        ("success", None, 1),
        ("skipped", Reason.OVERLAP, 1),
    ]


def test_missed_range_counts_its_instants() -> None:
    missed = SimulatedRow(NOON, RunStatus.MISSED, Reason.MISFIRE, NOON + HOUR, 7)
    (track,) = tracks(NOON, NOON + 2 * HOUR, Simulation((missed,), is_cut=False), None)
    assert track.counts[0].count == 7
    assert not track.marks[0].differs


def test_runs_that_start_late_are_counted_apart() -> None:
    starts = [NOON, NOON + HOUR, NOON + 3 * HOUR]
    rows = tuple(
        SimulatedRow(NOON + minutes * timedelta(minutes=1), RunStatus.SUCCESS, starts_at=at)
        for minutes, at in enumerate(starts)
    )
    (track,) = tracks(NOON, NOON + HOUR, Simulation(rows, is_cut=True), None)
    late, on_time = track.counts
    assert (late.count, late.latest_seconds) == (2, 3 * 3600 - 120)
    assert (on_time.count, on_time.latest_seconds) == (1, None)
    assert track.until == rows[-1].scheduled_for


def test_drawing_of_many_rows_reaches_the_end() -> None:
    rows = [SimulatedRow(NOON + n * timedelta(seconds=1), RunStatus.SUCCESS) for n in range(2000)]
    rows[777] = SimulatedRow(rows[777].scheduled_for, RunStatus.SKIPPED, Reason.OVERLAP)
    (track,) = tracks(NOON, NOON + timedelta(seconds=2000), Simulation(tuple(rows), is_cut=False), None)
    assert (len(track.drawn), len(track.marks), track.left_out) == (MAX_CELLS, MAX_CELLS, 1600)
    assert track.drawn[-1].x > WIDTH - 5
    assert [mark.status.word for mark in track.drawn].count("skipped") == 1


def test_retries_stand_to_scale_with_the_band_of_their_jitter() -> None:
    line = retry_line({"max_retries": 2, "retry_delay": 60, "backoff_factor": 2, "max_delay": 3600, "jitter": 0.1})
    assert line is not None
    assert [each.after_seconds for each in line.attempts] == [60, 180]
    assert line.total_seconds == 180
    last = line.attempts[-1]
    assert last.band_x < last.x < last.band_x + last.band_width == 1000
    assert retry_line({"max_retries": 0}) is None
