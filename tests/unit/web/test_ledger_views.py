"""The drawings of the ledger: heat map, lanes and simulated tracks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from testkit.databases import NOON

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.domain.simulation import SimulatedRow, Simulation
from scheduler_service.web.views.cells import Counts
from scheduler_service.web.views.day_map import day_map
from scheduler_service.web.views.grid import Line
from scheduler_service.web.views.heat import heat_map
from scheduler_service.web.views.instant_map import MAX_IN_LINE, DrawnInstant, instant_map
from scheduler_service.web.views.ledger_span import choose, midnight, span_of
from scheduler_service.web.views.retry_line import retry_line
from scheduler_service.web.views.simulated import MAX_CELLS, WIDTH, tracks

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
HOUR = timedelta(hours=1)


def day_of(year: int, month: int, day: int) -> Line:
    """Return the only day of a map of one day in Berlin."""
    begin = datetime(year, month, day, tzinfo=BERLIN).astimezone(UTC)
    end = (datetime(year, month, day, tzinfo=BERLIN) + timedelta(days=1)).astimezone(UTC)
    (found,) = heat_map(begin, end, BERLIN, {}, NOON).lines
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
    drawn = heat_map(NOON, NOON + 3 * HOUR, UTC_ZONE, served, NOON + HOUR, lambda at, _until: at >= NOON + 2 * HOUR)
    (day,) = drawn.lines
    assert [cell.family for cell in day.cells] == ["good", "hatched", "none"]
    assert drawn.newest_x == day.cells[1].x + day.cells[1].width, "a narrow screen shows the present first"


def test_days_stand_in_weeks_and_odd_ones_tell_their_hours() -> None:
    begin, end = midnight(date(2027, 3, 26), BERLIN), midnight(date(2027, 4, 6), BERLIN)
    served = {midnight(date(2027, 3, 28), BERLIN): Counts({RunStatus.MISSED: 3})}
    grid = day_map(begin, end, BERLIN, served, NOON, lambda at, until: at < end <= until)
    assert [(line.label, len(line.cells)) for line in grid.lines] == [("22 Mar", 3), ("29 Mar", 7), ("05 Apr", 1)]
    friday, _, sunday = grid.lines[0].cells
    assert [friday.hours, sunday.hours, sunday.counts.not_served] == [None, 23, 3]
    assert sunday.until is not None
    assert sunday.until - sunday.at == 23 * HOUR
    assert friday.x > grid.lines[1].cells[0].x == grid.lines[2].cells[0].x == 0


def instants(step: timedelta, count: int) -> list[DrawnInstant]:
    """Return successful instants from noon on."""
    return [DrawnInstant(NOON + number * step, RunStatus.SUCCESS) for number in range(count)]


@pytest.mark.parametrize(
    ("step", "count", "label", "longest"),
    [
        (timedelta(seconds=5), 60, "Thu 12:02", 24),
        (timedelta(minutes=1), 90, "Thu 12:30", 30),
        (HOUR, 60, "Fri 16 Jan", 24),
        (timedelta(days=1), 60, "Feb 2026", 28),
    ],
)
def test_line_of_instants_covers_a_unit_of_time(step: timedelta, count: int, label: str, longest: int) -> None:
    grid = instant_map(instants(step, count), UTC_ZONE, NOON, MAX_CELLS)
    assert grid.lines[1].label == label
    assert max(len(line.cells) for line in grid.lines[:2]) <= longest <= MAX_IN_LINE
    assert sum(len(line.cells) for line in grid.lines) == count


def test_newest_instants_are_drawn_and_gaps_keep_their_place() -> None:
    gap = DrawnInstant(NOON + 90 * HOUR, gap_until=NOON + 95 * HOUR)
    planned = DrawnInstant(NOON + 100 * HOUR)
    grid = instant_map([planned, gap, *instants(HOUR, 90)], UTC_ZONE, NOON + 99 * HOUR, 50)
    cells = [cell for line in grid.lines for cell in line.cells]
    assert [cell.family for cell in cells] == ["good"] * 48 + ["hatched", "planned"]
    assert cells[0].at == NOON + 42 * HOUR


def test_single_instant_needs_no_number() -> None:
    missed = [DrawnInstant(NOON, RunStatus.MISSED), DrawnInstant(NOON + HOUR, RunStatus.MISSED, 4)]
    grid = instant_map(missed, UTC_ZONE, NOON, 50)
    assert [cell.number for line in grid.lines for cell in line.cells] == ["", "4"]


def test_window_has_whole_days_or_ends_with_this_hour() -> None:
    now = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    begin, end = span_of("7d", None, now, BERLIN)
    assert (begin.astimezone(BERLIN).isoformat(), end - begin) == ("2026-01-09T00:00:00+01:00", timedelta(days=8))
    assert end.astimezone(BERLIN).date() == date(2026, 1, 17)
    assert span_of("7d", end, now, BERLIN) == (begin, end), "the link of a window leads to it"
    assert span_of("1h", None, now, BERLIN) == (now - timedelta(minutes=90), now + timedelta(minutes=30))
    india = span_of("7d", None, now, ZoneInfo("Asia/Kolkata"))
    assert {each.minute for each in india} == {0}


@pytest.mark.parametrize(
    ("wanted", "hours", "count", "of_job", "expected"),
    [
        (None, 192, 8, True, "instants"),
        (None, 192, 5000, True, "hours"),
        (None, 192, 0, True, "hours"),
        (None, 192, 8, False, "hours"),
        (None, 2, 5000, False, "instants"),
        (None, 744, 5000, True, "days"),
        ("days", 192, 8, True, "days"),
        ("instants", 744, 5000, True, "instants"),
        ("instants", 192, 8, False, "hours"),
        ("hours", 744, 5000, False, "days"),
        ("days", 7, 5000, False, "hours"),
        ("minutes", 192, 5000, True, "hours"),
    ],
)
def test_density_fits_the_window(wanted: str | None, hours: int, count: int, of_job: bool, expected: str) -> None:
    chosen = choose(wanted, hours, count, of_job=of_job)
    assert chosen.by == expected
    assert chosen.is_refused == (wanted not in (None, "minutes", expected))


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
