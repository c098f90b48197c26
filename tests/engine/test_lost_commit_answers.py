"""Commits whose answers are lost: the service finds what was committed, and does nothing twice."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

from testkit.callers import ADMIN
from testkit.postgres_proxy import PostgresProxy
from testkit.waiting import eventually
from tests.engine.conftest import create, settings_for, until

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.errors import UnavailableError
from scheduler_service.services.runs import RunDetail

RUNS = 25
# CommandComplete; see the manual of PostgreSQL, section 54.7. Claims and ends of runs are single statements that commit
# without COMMIT, on connections of their own.
COMMITTED = re.compile(rb"C\0\0\0.COMMIT\0", re.DOTALL)
EXECUTED = re.compile(rb"C\0\0\0.SELECT [1-9][0-9]*\0", re.DOTALL)
DIRECT = (b"WITH candidates AS", b"WITH ended AS")


class AnswerDroppingProxy(PostgresProxy):
    """A proxy that closes the connection instead of passing on some answers to commits."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._random = random.Random(5)  # noqa: S311 (the same commits each time)
        self.share = 0.0
        self.swallowed = 0

    async def pass_on(
        self,
        asked: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        answered: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        answers = [COMMITTED]

        async def ask() -> None:
            while data := await asked.read(65536):
                if any(words in data for words in DIRECT):
                    answers[:] = [EXECUTED]
                to_server.write(data)
            to_server.close()

        async def answer() -> None:
            while data := await answered.read(65536):
                if answers[0].search(data) and self._random.random() < self.share:
                    self.swallowed += 1
                    break
                to_client.write(data)
            to_client.close()
            answered.feed_eof()

        async with asyncio.TaskGroup() as group:
            group.create_task(ask())
            group.create_task(answer())


async def test_no_attempt_is_lost_when_answers_to_commits_are_lost(migrated_postgres_url: str, tmp_path: Path) -> None:
    proxy = AnswerDroppingProxy(migrated_postgres_url)
    async with proxy.serve() as url, open_service(settings_for(url, tmp_path)) as service:
        script = {"type": "shell_script", "script": "echo one; echo two"}
        job = await create(service, script, overlap_policy="allow")
        proxy.share = 0.2
        run_ids = [await _queue(service, job.id, str(number)) for number in range(RUNS)]
        await _wait_for_an_end(service, run_ids)
        proxy.share = 0.0
        details = [await until(service, run_id, *TERMINAL) for run_id in run_ids]
        fenced = [sample for metric in await service.metrics.read() for sample in metric.samples]

    assert proxy.swallowed > RUNS / 4
    assert {_story(detail) for detail in details} == {(RunStatus.SUCCESS, 1, (RunStatus.SUCCESS,), 0, "one\ntwo\n")}
    assert [sample.value for sample in fenced if sample.name == "scheduler_fenced_writes_total"] == [0]


async def _queue(service: Service, job_id: int, key: str) -> int:
    async def run() -> int:
        try:
            return (await service.jobs.run(ADMIN, job_id, idempotency_key=key)).id
        except UnavailableError:
            return 0

    run_id: int = await eventually(run)
    return run_id


async def _wait_for_an_end(service: Service, run_ids: list[int]) -> None:
    async def look() -> bool:
        try:
            return all([(await service.runs.get(ADMIN, run_id)).view.run.status in TERMINAL for run_id in run_ids])
        except UnavailableError:
            return False

    await eventually(look)


def _story(detail: RunDetail) -> tuple[RunStatus, int, tuple[RunStatus, ...], int, str]:
    run = detail.view.run
    return run.status, run.attempt, tuple(each.status for each in detail.attempts), run.rescue_count, detail.view.logs
