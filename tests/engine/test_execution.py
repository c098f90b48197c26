"""Executing runs: real code in real child processes, on each database."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from testkit.callers import ADMIN
from testkit.soon import create_soon
from testkit.waiting import eventually
from tests.database_fixtures import ON_SQLITE, SHARED_ON_SQLITE
from tests.engine.conftest import SHARED, create, run_to_its_end, until
from tests.unit.payloads.http_server import serve

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.settings import Settings
from scheduler_service.config.values import PythonEnvironment
from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.errors import ConfigurationError, InvalidInputError, UnavailableError
from scheduler_service.services.runs import RunDetail
from scheduler_service.storage import logs

pytestmark = SHARED


def python(code: str) -> dict[str, Any]:
    return {"type": "python_code", "code": code}


def shell(script: str) -> dict[str, Any]:
    return {"type": "shell_script", "script": script}


async def log_holds(service: Service, run_id: int, text: str) -> None:
    """Wait until the log of a running run holds a text."""

    async def look() -> bool:
        return text in (await service.runs.get(ADMIN, run_id)).view.logs

    await eventually(look)


def outcome(detail: RunDetail) -> tuple[RunStatus, Reason | None]:
    return detail.view.run.status, detail.view.run.reason


class TestEachKindOfPayload:
    @SHARED_ON_SQLITE
    async def test_python_code_is_run(self, service: Service) -> None:
        detail = await run_to_its_end(service, python("print('hi from', 6 * 7)"))
        assert outcome(detail) == (RunStatus.SUCCESS, None)
        assert detail.view.logs == "hi from 42\n"
        assert detail.view.run.exit_code == 0

    @SHARED_ON_SQLITE
    async def test_shell_script_is_run(self, service: Service) -> None:
        detail = await run_to_its_end(service, shell('for i in 1 2; do echo "line $i"; done; exit 4'))
        assert outcome(detail) == (RunStatus.FAILED, Reason.EXIT_CODE)
        assert (detail.view.logs, detail.view.run.exit_code) == ("line 1\nline 2\n", 4)

    @SHARED_ON_SQLITE
    async def test_program_is_run_with_its_stdin(self, service: Service) -> None:
        detail = await run_to_its_end(service, {"type": "program", "argv": ["tr", "a-z", "A-Z"], "stdin": "shout"})
        assert (detail.view.logs, detail.view.run.status) == ("SHOUT", RunStatus.SUCCESS)

    async def test_number_crunching_has_a_result(self, service: Service) -> None:
        detail = await run_to_its_end(
            service, {"type": "number_crunching", "operation": "prime_numbers", "limit": 1_000_000}
        )
        assert detail.view.run.status is RunStatus.SUCCESS
        assert detail.view.run.result["count"] == 78_498

    async def test_http_request_has_a_result(self, service: Service) -> None:
        with serve() as port:
            detail = await run_to_its_end(service, {"type": "http_request", "url": f"http://127.0.0.1:{port}/binary"})
        assert detail.view.run.status is RunStatus.SUCCESS
        assert detail.view.run.result["body_bytes"] == 3

    @SHARED_ON_SQLITE
    async def test_http_request_says_why_it_failed(self, service: Service) -> None:
        with serve() as port:
            url = f"http://127.0.0.1:{port}/status/503"
            detail = await run_to_its_end(service, {"type": "http_request", "url": url})
        assert outcome(detail) == (RunStatus.FAILED, Reason.EXIT_CODE)
        assert detail.view.run.message == f"{url} answered 503 Service Unavailable, expected 2xx"


@SHARED_ON_SQLITE
class TestWhatTheCodeSees:
    async def test_code_sees_the_documented_and_its_own_variables(self, service: Service) -> None:
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        detail = await run_to_its_end(service, python(code), env={"MINE": "1"}, args={"n": [1, 2]})
        seen, run = json.loads(detail.view.logs), detail.view.run
        assert seen["MINE"] == "1"
        assert json.loads(seen["SCHEDULER_ARGS"]) == {"n": [1, 2]}
        assert seen["SCHEDULER_RUN_ID"] == str(run.id)
        assert seen["SCHEDULER_JOB_ID"] == str(run.job_id)
        assert seen["SCHEDULER_ATTEMPT"] == "1"
        assert seen["SCHEDULER_SCHEDULED_FOR"].endswith("Z")
        assert seen["SCHEDULER_CORRELATION_ID"] == run.correlation_id

    async def test_code_does_not_see_the_environment_of_the_service(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("API_KEY", "canary-1f9a")
        detail = await run_to_its_end(service, shell("env; cat /proc/self/environ"))
        assert "canary-1f9a" not in detail.view.logs

    async def test_standard_input_is_empty(self, service: Service) -> None:
        detail = await run_to_its_end(service, python("import sys; print(repr(sys.stdin.read()))"))
        assert detail.view.logs == "''\n"


class TestOutput:
    async def test_output_is_readable_while_the_code_runs(self, service: Service) -> None:
        job = await create(service, shell("echo begun; sleep 60"))
        run = await service.jobs.run(ADMIN, job.id)
        await log_holds(service, run.id, "begun")
        assert (await service.runs.get(ADMIN, run.id)).view.run.status is RunStatus.RUNNING
        await service.runs.cancel(ADMIN, run.id)

    async def test_nul_is_kept_and_invalid_utf8_is_replaced(self, service: Service) -> None:
        detail = await run_to_its_end(service, shell(r"printf 'a\0b\377c\xc3\xa9'"))
        assert detail.view.logs == "a\0b\ufffdcé"

    async def test_long_output_is_cut_in_the_middle_with_a_message(self, service: Service) -> None:
        detail = await run_to_its_end(service, shell("seq 100000; echo why; exit 3"), limits={"output_kb": 64})
        run, log = detail.view.run, detail.view.logs
        assert (run.status, run.logs_truncated) == (RunStatus.FAILED, True)
        assert 63 * 1024 < len(log) < 65 * 1024
        assert log.startswith("1\n2\n")
        assert "left out" in log
        assert log.endswith("100000\nwhy\n")
        assert "output_kb" in (run.message or "")

    async def test_output_of_attempts_is_separated_by_a_line(self, service: Service) -> None:
        detail = await run_to_its_end(
            service,
            shell('echo "this is $SCHEDULER_ATTEMPT"; [ "$SCHEDULER_ATTEMPT" = 1 ] || printf unfinished; exit 1'),
            retry_policy={"max_retries": 2, "retry_delay": 0},
        )
        assert detail.view.logs == (
            "this is 1\n--- attempt 2 ---\nthis is 2\nunfinished\n--- attempt 3 ---\nthis is 3\nunfinished"
        )

    async def test_retry_survives_a_short_loss_of_the_database(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tails, failures = logs.tails, [UnavailableError("away for a moment")]

        async def fail_once(*arguments: Any) -> dict[int, bytes]:
            if failures:
                raise failures.pop()
            return await tails(*arguments)

        monkeypatch.setattr(logs, "tails", fail_once)
        script = shell('[ "$SCHEDULER_ATTEMPT" = 2 ]')
        detail = await run_to_its_end(service, script, retry_policy={"max_retries": 1, "retry_delay": 0})
        assert not failures
        assert [attempt.reason for attempt in detail.attempts] == [Reason.EXIT_CODE, None]


class TestOutcomes:
    @SHARED_ON_SQLITE
    async def test_timeout_kills_the_run(self, service: Service) -> None:
        detail = await run_to_its_end(service, shell("trap '' TERM; echo begun; sleep 60"), timeout_seconds=0.5)
        assert outcome(detail) == (RunStatus.FAILED, Reason.TIMEOUT)
        assert detail.view.logs == "begun\n"

    @SHARED_ON_SQLITE
    async def test_run_that_a_signal_ended_has_reason_signal(self, service: Service) -> None:
        detail = await run_to_its_end(service, shell("kill -USR1 $$"))
        assert outcome(detail) == (RunStatus.FAILED, Reason.SIGNAL)
        assert detail.view.run.signal == 10

    @SHARED_ON_SQLITE
    async def test_missing_program_is_rejected_and_not_retried(self, service: Service) -> None:
        detail = await run_to_its_end(
            service, {"type": "program", "argv": ["no-such-program"]}, retry_policy={"max_retries": 3, "retry_delay": 0}
        )
        assert outcome(detail) == (RunStatus.FAILED, Reason.REJECTED)
        assert detail.view.run.retry_count == 0
        assert "no-such-program" in (detail.view.run.message or "")

    async def test_usage_and_isolation_are_recorded(self, service: Service) -> None:
        detail = await run_to_its_end(service, python("sum(range(3_000_000))"))
        run = detail.view.run
        assert run.usage is not None
        assert run.usage["cpu_seconds"] > 0
        assert run.usage["max_rss_kb"] > 1000
        assert run.isolation is not None
        assert run.isolation["level"] == "none"


class TestRetries:
    async def test_retries_end_with_the_first_success(self, service: Service) -> None:
        detail = await run_to_its_end(
            service, shell('[ "$SCHEDULER_ATTEMPT" = 3 ]'), retry_policy={"max_retries": 5, "retry_delay": 0}
        )
        assert detail.view.run.status is RunStatus.SUCCESS
        assert detail.view.run.retry_count == 2
        assert [attempt.status for attempt in detail.attempts] == [
            RunStatus.FAILED,
            RunStatus.FAILED,
            RunStatus.SUCCESS,
        ]

    @SHARED_ON_SQLITE
    async def test_failed_attempt_is_logged_as_a_warning_with_its_cause(self, service: Service) -> None:
        with capture_logs() as logged:
            detail = await run_to_its_end(service, shell("exit 9"), retry_policy={"max_retries": 1, "retry_delay": 0})

        of_run = [line for line in logged if line.get("run_id") == detail.view.run.id]
        first, last = (line for line in of_run if line["event"] == "attempt_failed")
        assert (first["log_level"], first["attempt"], first["reason"], first["exit_code"]) == (
            "warning", 1, "exit_code", 9,
        )  # fmt: skip
        assert first["retry_at"].endswith("Z")
        assert "retry_at" not in last

    async def test_run_fails_after_its_last_retry(self, service: Service) -> None:
        detail = await run_to_its_end(service, shell("exit 9"), retry_policy={"max_retries": 2, "retry_delay": 0})
        assert outcome(detail) == (RunStatus.FAILED, Reason.EXIT_CODE)
        assert len(detail.attempts) == 3

    async def test_retry_waits_for_its_delay(self, service: Service) -> None:
        job = await create(service, shell("exit 1"), retry_policy={"max_retries": 1, "retry_delay": 3600, "jitter": 0})
        run = await service.jobs.run(ADMIN, job.id)
        waiting = (await until(service, run.id, RunStatus.RETRYING)).view.run
        ended_at = (await service.runs.get(ADMIN, run.id)).attempts[0].finished_at
        assert ended_at is not None
        assert (waiting.available_at - ended_at).total_seconds() == 3600


class TestCancel:
    async def test_cancel_kills_a_running_run(self, service: Service) -> None:
        job = await create(service, shell("trap '' TERM; echo begun; sleep 60"))
        run = await service.jobs.run(ADMIN, job.id)
        await log_holds(service, run.id, "begun")
        await service.runs.cancel(ADMIN, run.id)
        assert outcome(await until(service, run.id, RunStatus.CANCELLED)) == (RunStatus.CANCELLED, Reason.USER)

    async def test_cancel_ends_a_run_that_waits_for_its_retry(self, service: Service) -> None:
        job = await create(service, shell("exit 1"), retry_policy={"max_retries": 1, "retry_delay": 3600})
        run = await service.jobs.run(ADMIN, job.id)
        await until(service, run.id, RunStatus.RETRYING)
        assert (await service.runs.cancel(ADMIN, run.id)).status is RunStatus.CANCELLED

    async def test_deleting_a_job_cancels_its_run(self, service: Service) -> None:
        job = await create(service, shell("echo begun; sleep 60"))
        run = await service.jobs.run(ADMIN, job.id)
        await log_holds(service, run.id, "begun")
        await service.jobs.delete(ADMIN, job.id)
        detail = await until(service, run.id, RunStatus.CANCELLED)
        assert detail.view.run.reason is Reason.JOB_DELETED


class TestConcurrency:
    async def test_queued_runs_of_a_job_run_one_after_another(self, service: Service) -> None:
        job = await create(service, shell("date +%s.%N; sleep 0.2; date +%s.%N"), overlap_policy="queue")
        queued = [await service.jobs.run(ADMIN, job.id) for _ in range(3)]
        logs = [(await until(service, run.id, RunStatus.SUCCESS)).view.logs for run in queued]
        spans = sorted([float(line) for line in log.split()] for log in logs)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))

    async def test_more_runs_than_slots_all_succeed(self, service: Service) -> None:
        job = await create(service, shell("echo done"), overlap_policy="allow")
        queued = [await service.jobs.run(ADMIN, job.id) for _ in range(20)]
        for run in queued:
            assert (await until(service, run.id, RunStatus.SUCCESS)).view.logs == "done\n"


class TestSchedules:
    async def test_one_time_job_fires_once_and_is_finished(self, service: Service) -> None:
        job, at = await create_soon(
            lambda instant: create(service, shell("echo once"), schedule_expr=instant), InvalidInputError
        )

        async def finished() -> bool:
            return (await service.jobs.get(ADMIN, job.id)).status == "finished"

        await eventually(finished)
        listing = await service.runs.page(ADMIN, RunFilter(job_id=job.id), Page())
        (view,) = listing.items
        detail = await until(service, view.run.id, RunStatus.SUCCESS)
        assert detail.view.run.scheduled_for == at
        assert detail.view.run.lateness_seconds is not None

    async def test_interval_fires_at_its_anchored_instants(self, service: Service) -> None:
        job = await create(service, shell("true"), schedule_expr="1s", overlap_policy="allow")

        async def three() -> bool:
            return len((await service.runs.page(ADMIN, RunFilter(job_id=job.id), Page())).items) >= 3

        await eventually(three)
        runs = [view.run for view in (await service.runs.page(ADMIN, RunFilter(job_id=job.id), Page())).items]
        seconds = sorted((run.scheduled_for - job.anchor_at).total_seconds() for run in runs)
        await service.jobs.delete(ADMIN, job.id)
        assert seconds[:3] == [1.0, 2.0, 3.0]


@ON_SQLITE
class TestServerSettings:
    async def test_server_limit_applies_to_a_job_that_asks_for_more(self, settings: Settings) -> None:
        async with open_service(settings) as service:
            job = await create(service, shell("sleep 60"), timeout_seconds=60)
        async with open_service(settings.model_copy(update={"max_timeout_seconds": 0.3})) as service:
            run = await service.jobs.run(ADMIN, job.id)
            assert (await until(service, run.id, RunStatus.FAILED)).view.run.reason is Reason.TIMEOUT

    async def test_job_runs_in_the_environment_it_names(self, settings: Settings) -> None:
        other = PythonEnvironment(python=Path(sys.executable), preload=())
        payload = {**python("print('from the other')"), "environment": "other"}
        async with open_service(settings.model_copy(update={"python_envs": {"other": other}})) as service:
            assert (await run_to_its_end(service, payload)).view.logs == "from the other\n"

    async def test_run_is_rejected_when_its_environment_was_removed(self, settings: Settings) -> None:
        other = PythonEnvironment(python=Path(sys.executable), preload=())
        async with open_service(settings.model_copy(update={"python_envs": {"other": other}})) as service:
            job = await create(service, {**python("print(1)"), "environment": "other"})
        async with open_service(settings) as service:
            run = await service.jobs.run(ADMIN, job.id)
            detail = await until(service, run.id, RunStatus.FAILED)
        assert outcome(detail) == (RunStatus.FAILED, Reason.REJECTED)
        assert "'other'" in (detail.view.run.message or "")

    async def test_production_does_not_start_below_the_required_level(self, settings: Settings) -> None:
        strict = settings.model_copy(update={"environment": "production", "sandbox_required": "standard"})
        with pytest.raises(ConfigurationError, match="SCHEDULER_SANDBOX: none is below SCHEDULER_SANDBOX_REQUIRED"):
            await _open_and_close(strict)

    async def test_production_starts_at_the_required_level(self, settings: Settings) -> None:
        await _open_and_close(settings.model_copy(update={"environment": "production", "sandbox_required": "none"}))


async def _open_and_close(settings: Settings) -> None:
    async with open_service(settings):
        pass


class TestShutdown:
    async def test_run_longer_than_the_drain_is_requeued_and_run_again(self, settings: Settings) -> None:
        async with open_service(settings) as service:
            job = await create(service, shell('[ "$SCHEDULER_ATTEMPT" = 2 ] || { echo begun; sleep 60; }'))
            run = await service.jobs.run(ADMIN, job.id)
            await log_holds(service, run.id, "begun")
        async with open_service(settings) as service:
            detail = await until(service, run.id, RunStatus.SUCCESS)
        assert [attempt.reason for attempt in detail.attempts] == [Reason.WORKER_LOST, None]
        assert detail.view.run.retry_count == 0

    async def test_run_that_ends_within_the_drain_succeeds(self, settings: Settings) -> None:
        async with open_service(settings.model_copy(update={"drain_seconds": 20.0})) as service:
            job = await create(service, shell("echo begun; sleep 0.5; echo ended"))
            run = await service.jobs.run(ADMIN, job.id)
            await log_holds(service, run.id, "begun")
        async with open_service(settings) as service:
            detail = await service.runs.get(ADMIN, run.id)
        assert (detail.view.run.status, len(detail.attempts)) == (RunStatus.SUCCESS, 1)

    async def test_stopping_service_starts_no_run(self, settings: Settings) -> None:
        async with open_service(settings) as service:
            job = await create(service, shell("true"))
            service.stopping.set()
            run = await service.jobs.run(ADMIN, job.id)
        closed_at = datetime.now(UTC)
        async with open_service(settings) as service:
            detail = await until(service, run.id, RunStatus.SUCCESS)
        assert detail.view.run.started_at is not None
        assert detail.view.run.started_at > closed_at
        assert detail.view.run.attempt == 1

    async def test_second_instance_on_the_same_data_is_refused(self, settings: Settings) -> None:
        async with open_service(settings):
            with pytest.raises(ConfigurationError, match="SCHEDULER_DATA_DIR: another instance"):
                async with asyncio.timeout(10):
                    await _open_and_close(settings)
