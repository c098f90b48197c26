"""Logs by lines: parts from both ends, and searches."""

from __future__ import annotations

import pytest
from testkit.callers import ADMIN, BOB
from testkit.databases import add_running

from scheduler_service.errors import NotFoundError
from scheduler_service.services import run_logs
from scheduler_service.services.run_logs import RunLogService
from scheduler_service.storage import logs
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease

LINES = [f"line {number} é" for number in range(1, 101)]


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "SLICE_BYTES", 64)
    monkeypatch.setattr(run_logs, "_MAX_LINE_BYTES", 32)


async def log_of(database: Database, text: str) -> int:
    run = await add_running(database)
    async with database.write() as connection:
        assert await logs.append(connection, Lease(run.id, 1, "w"), text.encode(), 0)
    return run.id


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(
    ("from_line", "count"), [(1, 3), (40, 20), (99, 5), (100, 1), (101, 1), (-1, 1), (-3, 9), (-500, 2)]
)
async def test_lines_are_those_of_the_log(database: Database, from_line: int, count: int, end: str) -> None:
    run_id = await log_of(database, "\n".join(LINES) + end)
    service = RunLogService(database)

    for _ in range(2):  # the second request starts at a kept position
        part = await service.lines(ADMIN, run_id, from_line, count)

        first = from_line if from_line > 0 else max(1, 100 + from_line + 1)
        assert part.data.decode().splitlines() == LINES[first - 1 :][:count]
        assert (part.first_line, part.total) == (first, None if from_line > 0 else 100)


@pytest.mark.usefixtures("small_slices")
async def test_lines_continue_at_the_next_line_and_offset(database: Database) -> None:
    run_id = await log_of(database, "\n".join(LINES) + "\n")
    service = RunLogService(database)
    line, read = 1, b""
    while line <= len(LINES):
        part = await service.lines(ADMIN, run_id, line, 7)
        read += part.data
        assert part.next_offset == len(read)
        line = part.next_line
    assert read.decode().splitlines() == LINES


async def test_lines_end_within_a_long_line(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "MAX_LINES_BYTES", 10)
    run_id = await log_of(database, "short\n" + "long" * 50 + "\nend\n")

    first = await RunLogService(database).lines(ADMIN, run_id, 1, 5)
    second = await RunLogService(database).lines(ADMIN, run_id, first.next_line, 5)

    assert (first.data, first.next_line) == (b"short\n", 2)
    assert (second.data, second.next_offset) == (b"longlonglo", 16)


@pytest.mark.usefixtures("small_slices")
async def test_search_finds_lines_ignoring_case(database: Database) -> None:
    run_id = await log_of(database, "\n".join(LINES))

    found = await RunLogService(database).search(ADMIN, run_id, "LINE 4", 1, 100)

    assert [match.line for match in found.matches] == [4, *range(40, 50)]
    assert [match.text for match in found.matches] == [LINES[match.line - 1] for match in found.matches]
    whole = "\n".join(LINES).encode()
    assert all(whole[match.offset :].decode().startswith(match.text) for match in found.matches)


async def test_search_continues_behind_its_limit(database: Database) -> None:
    run_id = await log_of(database, "\n".join(LINES))
    service = RunLogService(database)

    first = await service.search(ADMIN, run_id, "line 4", 1, 2)
    assert first.next_line is not None
    rest = await service.search(ADMIN, run_id, "line 4", first.next_line, 100)

    assert [match.line for match in (*first.matches, *rest.matches)] == [4, *range(40, 50)]
    assert rest.next_line is None


@pytest.mark.usefixtures("small_slices")
async def test_search_shows_a_part_of_a_long_line(database: Database) -> None:
    run_id = await log_of(database, "a\n" + "-" * 5000 + "needle" + "-" * 5000 + "\nneedle\n")

    found = await RunLogService(database).search(ADMIN, run_id, "Needle", 1, 100)

    assert [match.line for match in found.matches][-1] == 3
    assert all("needle" in match.text and len(match.text) <= 400 for match in found.matches)


async def test_log_of_another_owner_is_not_found(database: Database) -> None:
    run_id = await log_of(database, "secret")
    with pytest.raises(NotFoundError):
        await RunLogService(database).lines(BOB, run_id, 1, 1)
    with pytest.raises(NotFoundError):
        await RunLogService(database).search(BOB, run_id, "secret", 1, 1)
