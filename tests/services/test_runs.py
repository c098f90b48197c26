"""Operations on runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.callers import ADMIN, ANN
from testkit.claiming import claim_run
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker
from tests.storage.stored_runs import put

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.services import runs as run_service
from scheduler_service.services.run_listing import RunListing
from scheduler_service.services.runs import TAIL_BYTES, RunService
from scheduler_service.storage import logs, runs, transitions, workers
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.transitions import AttemptEnd


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def service(database: Database, clock: FakeClock, broker: RecordingBroker) -> RunService:
    return RunService(database, broker, clock)


async def queue(database: Database, job_id: int, **more: Any) -> Run:
    row = runs.queued_row(
        job_id=job_id, owner_id="", trigger=Trigger.MANUAL, scheduled_for=NOON, priority=5, correlation_id="c", now=NOON
    )
    async with database.write() as connection:
        return await runs.add(connection, {**row, **more})


async def claim(database: Database, run: Run) -> Claimed:
    async with database.write() as connection:
        await workers.register(connection, f"w{run.id}", host="h", pid=1, slots=1, now=NOON)
        claimed = await claim_run(connection, run.id, f"w{run.id}", NOON)
    assert claimed is not None
    return claimed


async def write(database: Database, lease: Lease, text: bytes) -> None:
    async with database.write() as connection:
        run = await runs.find(connection, lease.run_id)
        assert run is not None
        assert await logs.append(connection, lease, text, run.log_bytes)


async def finish(database: Database, claimed: Claimed, status: RunStatus) -> None:
    report = AttemptEnd(status=status, exit_code=0 if status is RunStatus.SUCCESS else 1)
    async with database.write() as connection:
        assert await transitions.finish(connection, claimed, report, NOON)


async def test_queued_run_is_cancelled_at_once(service: RunService, database: Database) -> None:
    run = await queue(database, (await add_job(database)).id)
    cancelled = await service.cancel(ADMIN, run.id)
    assert (cancelled.status, cancelled.reason) == (RunStatus.CANCELLED, Reason.USER)


async def test_running_run_gets_a_cancel_request(service: RunService, database: Database) -> None:
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    asked = await service.cancel(ADMIN, claimed.run.id)
    assert (asked.status, asked.cancel_requested_at) == (RunStatus.RUNNING, NOON)


async def test_finished_run_cannot_be_cancelled(service: RunService, database: Database) -> None:
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    await finish(database, claimed, RunStatus.SUCCESS)
    with pytest.raises(ConflictError, match="success"):
        await service.cancel(ADMIN, claimed.run.id)


async def test_failed_run_is_retried_as_a_new_run(
    service: RunService, database: Database, broker: RecordingBroker
) -> None:
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    await finish(database, claimed, RunStatus.FAILED)
    new = await service.retry(ADMIN, claimed.run.id)
    assert (new.trigger, new.retry_of, new.scheduled_for) == (Trigger.RETRY, claimed.run.id, NOON)
    assert [ring.run_id for ring in broker.notices] == [new.id]
    assert (await service.get(ADMIN, claimed.run.id)).view.run.status is RunStatus.FAILED


async def test_retry_keeps_the_arguments_and_variables_of_its_run(service: RunService, database: Database) -> None:
    run = await queue(database, (await add_job(database)).id, args={"day": 1}, env={"LEVEL": "3"})
    await finish(database, await claim(database, run), RunStatus.FAILED)
    new = await service.retry(ADMIN, run.id)
    assert (new.args, new.env) == ({"day": 1}, {"LEVEL": "3"})


async def test_successful_or_active_run_cannot_be_retried(service: RunService, database: Database) -> None:
    job = await add_job(database)
    waiting, claimed = await queue(database, job.id), await claim(database, await queue(database, job.id))
    await finish(database, claimed, RunStatus.SUCCESS)
    for run_id in (waiting.id, claimed.run.id):
        with pytest.raises(ConflictError):
            await service.retry(ADMIN, run_id)


async def test_unknown_run_is_not_found(service: RunService) -> None:
    for call in (service.get(ADMIN, 1), service.cancel(ADMIN, 1), service.retry(ADMIN, 1), service.read_log(ADMIN, 1)):
        with pytest.raises(NotFoundError):
            await call


async def test_runs_of_an_unknown_job_are_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError, match="no job 7"):
        await RunListing(database).check_job(ADMIN, 7)


async def test_list_has_the_tail_of_each_log(service: RunService, database: Database) -> None:
    job = await add_job(database)
    short, long = (
        await claim(database, await queue(database, job.id)),
        await claim(database, await queue(database, job.id)),
    )
    await write(database, short.lease, b"short")
    await write(database, long.lease, "é".encode() * TAIL_BYTES)
    await write(database, long.lease, b"end")
    views = (await service.page(ADMIN, RunFilter(), Page())).items
    assert [(view.run.id, view.is_tail) for view in views] == [(long.run.id, True), (short.run.id, False)]
    assert views[1].logs == "short"
    assert views[0].logs == "é" * ((TAIL_BYTES - 3) // 2) + "end"


async def test_single_run_has_its_whole_log(service: RunService, database: Database) -> None:
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    await write(database, claimed.lease, b"x" * 3 * TAIL_BYTES)
    detail = await service.get(ADMIN, claimed.run.id)
    assert (len(detail.view.logs), detail.view.is_tail, detail.is_whole) == (3 * TAIL_BYTES, False, True)


async def test_long_log_is_read_in_slices_of_whole_characters(
    service: RunService, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_service, "SLICE_BYTES", 6)
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    log = "aé€😀b😀" * 5
    await write(database, claimed.lease, log.encode())
    await finish(database, claimed, RunStatus.SUCCESS)
    run_id, end = claimed.run.id, len(log.encode())

    detail = await service.get(ADMIN, run_id)
    followed = [part async for part in service.follow_log(ADMIN, run_id, 0, asyncio.Event())]
    pieces = [piece async for piece in service.read_pieces(ADMIN, run_id, detail.next_offset, end)]

    assert detail.view.logs + b"".join(pieces).decode() == log
    assert not detail.is_whole
    assert "".join(part.data.decode() for part in followed) == log
    assert max(len(part.data) for part in followed) <= 6
    assert [part.is_last for part in followed] == [False] * (len(followed) - 1) + [True]


async def test_log_is_read_on_from_the_next_offset(service: RunService, database: Database) -> None:
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    await write(database, claimed.lease, b"one")
    first = await service.read_log(ADMIN, claimed.run.id)
    await write(database, claimed.lease, b"two")
    second = await service.read_log(ADMIN, claimed.run.id, first.next_offset)
    assert (first.data, second.data, second.next_offset, second.is_last) == (b"one", b"two", 6, False)


async def test_follower_gets_the_whole_log_and_ends_with_the_run(service: RunService, database: Database) -> None:
    claimed = await claim(database, await queue(database, (await add_job(database)).id))
    seen = b""
    async for part in service.follow_log(ADMIN, claimed.run.id, 0, asyncio.Event()):
        seen += part.data
        if seen == b"":
            await write(database, claimed.lease, b"begin ")
        elif seen == b"begin " and not part.is_last:
            await write(database, claimed.lease, b"end")
            await finish(database, claimed, RunStatus.SUCCESS)
    assert seen == b"begin end"


async def test_follower_ends_when_the_service_stops(service: RunService, database: Database) -> None:
    run = await queue(database, (await add_job(database)).id)
    stopping = asyncio.Event()
    async with asyncio.timeout(10):
        async for _ in service.follow_log(ADMIN, run.id, 0, stopping):
            stopping.set()


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.SUCCESS])
async def test_runs_are_filtered_by_status(service: RunService, database: Database, status: RunStatus) -> None:
    job = await add_job(database)
    await queue(database, job.id)
    await finish(database, await claim(database, await queue(database, job.id)), RunStatus.SUCCESS)
    views = (await service.page(ADMIN, RunFilter(statuses=(status,)), Page())).items
    assert [view.run.status for view in views] == [status]


async def test_runs_are_filtered_by_instant_and_owner(service: RunService, database: Database) -> None:
    mine, others = await add_job(database, owner_id="me"), await add_job(database, owner_id="them")
    run = await queue(database, mine.id)
    await queue(database, others.id)
    at, later = NOON, NOON.replace(hour=13)
    for filters, count in (
        (RunFilter(owner_id="me", since=at, until=later), 1),
        (RunFilter(since=later), 0),
        (RunFilter(until=at), 0),
        (RunFilter(since=at), 2),
    ):
        assert (await service.page(ADMIN, filters, Page())).total == count
    assert (await service.page(ADMIN, RunFilter(owner_id="me"), Page())).items[0].run.id == run.id


async def test_page_before_a_run_is_not_moved_by_newer_runs(service: RunService, database: Database) -> None:
    job = await add_job(database)
    made = [await queue(database, job.id) for _ in range(4)]
    first = await service.page(ADMIN, RunFilter(), Page(size=2))
    await queue(database, job.id)
    rest = await service.page(ADMIN, RunFilter(), Page(size=2, before_id=first.items[-1].run.id))
    assert [view.run.id for view in rest.items] == [made[1].id, made[0].id]


async def test_expected_duration_is_the_median_of_successes(service: RunService, database: Database) -> None:
    job = await add_job(database)
    for seconds, status in ((1, RunStatus.SUCCESS), (3, RunStatus.SUCCESS), (60, RunStatus.FAILED)):
        ended = {"started_at": NOON, "finished_at": NOON + timedelta(seconds=seconds), "exit_code": 0}
        await put(database, job, status, **ended)
    run = await queue(database, job.id)

    (listed, *ended_runs) = (await service.page(ADMIN, RunFilter(), Page())).items

    assert (await service.get(ADMIN, run.id)).view.expected_seconds == listed.expected_seconds == 2
    assert {view.expected_seconds for view in ended_runs} == {None}
    assert {view.job_name for view in (listed, *ended_runs)} == {job.name}


async def test_recent_outcomes_are_the_newest_of_each_job(service: RunService, database: Database) -> None:
    first, second, empty = [await add_job(database, owner_id=owner) for owner in ("ann", "ann", "ann")]
    foreign = await add_job(database, owner_id="bob")
    of_first = [(await put(database, first, RunStatus.SUCCESS)).id for _ in range(3)]
    of_second = [(await put(database, second, RunStatus.MISSED)).id]
    await put(database, foreign)

    found = await service.recent(ANN, [second.id, first.id, empty.id, foreign.id, 4711], 2)

    shown = {job_id: [outcome.run_id for outcome in outcomes] for job_id, outcomes in found.items()}
    assert shown == {first.id: of_first[:0:-1], second.id: of_second, empty.id: []}


async def test_run_names_the_key_that_requested_it(service: RunService, database: Database) -> None:
    run = await put(database, await add_job(database), RunStatus.FAILED)
    caller = replace(ADMIN, key_id="k1")

    assert (await service.retry(caller, run.id)).requested_by == "k1"


async def test_run_is_read_without_its_log(database: Database, service: RunService) -> None:
    run = await queue(database, (await add_job(database)).id)
    await write(database, (await claim(database, run)).lease, b"a line")
    assert (await service.get(ADMIN, run.id)).view.logs == "a line"
    detail = await service.get(ADMIN, run.id, has_log=False)
    assert (detail.view.logs, detail.view.run.log_bytes) == ("", 6)
