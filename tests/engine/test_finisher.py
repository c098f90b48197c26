"""Which ends are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from testkit.databases import NOON
from testkit.records import job_record, run_record

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.engine.finisher import Finisher
from scheduler_service.errors import UnavailableError
from scheduler_service.storage import finishing
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.finishing import Ending
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.transitions import AttemptEnd

PLAIN = AttemptEnd(status=RunStatus.SUCCESS, exit_code=0)
FAILED = AttemptEnd(status=RunStatus.FAILED, exit_code=1)


def ending(run_id: int, job_id: int, end: AttemptEnd = PLAIN) -> Ending:
    return Ending(Claimed(run_record(id=run_id), job_record(id=job_id)), end, NOON, LogPiece())


class Writes:
    """Records the batches, and fails for the runs in `failing`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[int]] = []
        self.failing: dict[int, Exception] = {}
        monkeypatch.setattr(finishing, "finish_all", self.finish_all)

    async def finish_all(self, _connection: object, ends: Sequence[Ending]) -> set[int]:
        ids = [each.claimed.run.id for each in ends]
        self.batches.append(ids)
        for run_id in ids:
            if run_id in self.failing:
                raise self.failing[run_id]
        return {run_id for run_id in ids if run_id % 2}


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    return Writes(monkeypatch)


async def test_ends_that_wait_together_are_written_together(database: Database, writes: Writes) -> None:
    finisher = Finisher(database)
    won = await asyncio.gather(*(finisher.finish(ending(number, 1)) for number in range(1, 4)))
    assert (won, writes.batches) == ([True, False, True], [[1, 2, 3]])


async def test_second_end_of_a_job_waits_unless_both_are_plain(database: Database, writes: Writes) -> None:
    finisher = Finisher(database)
    ends = [ending(1, 1), ending(2, 2), ending(3, 1, FAILED), ending(4, 2), ending(5, 1, FAILED)]
    await asyncio.gather(*map(finisher.finish, ends))
    assert writes.batches == [[1, 2, 4], [3], [5]]


async def test_end_that_cannot_be_stored_does_not_fail_the_others(database: Database, writes: Writes) -> None:
    writes.failing[3] = ValueError("of this run")
    finisher = Finisher(database)
    won = await asyncio.gather(*(finisher.finish(ending(n, n)) for n in (1, 3, 5)), return_exceptions=True)
    assert [repr(each) for each in won] == ["True", "ValueError('of this run')", "True"]


async def test_all_ends_are_told_when_the_database_is_unavailable(database: Database, writes: Writes) -> None:
    writes.failing[3] = UnavailableError("away")
    finisher = Finisher(database)
    won = await asyncio.gather(*(finisher.finish(ending(n, n)) for n in (1, 3)), return_exceptions=True)
    assert [type(each) for each in won] == [UnavailableError, UnavailableError]
    assert len(writes.batches) == 1
