"""Results that the code of runs writes, and what the next run receives, on each database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.engine.conftest import SHARED, create, run_to_its_end, until

from scheduler_service.bootstrap import Service
from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import TERMINAL, RunStatus

pytestmark = SHARED


def writes(result: str, then: str = "") -> dict[str, Any]:
    return {"type": "shell_script", "script": f"cat > $SCHEDULER_RESULT <<'END'\n{result}\nEND\n{then}"}


async def run_of(service: Service, payload: dict[str, Any], **changes: Any) -> Run:
    return (await run_to_its_end(service, payload, **changes)).view.run


async def test_code_writes_the_result_of_its_run(service: Service) -> None:
    value = {"rows": 3, "share": 0.25, "names": ["ü", None], "large": 1e300}
    run = await run_of(service, writes(json.dumps(value)))
    assert (run.status, run.result, run.message) == (RunStatus.SUCCESS, value, None)


async def test_failed_run_has_the_result_that_it_wrote(service: Service) -> None:
    run = await run_of(service, writes('{"done": 17}', "exit 3"))
    assert (run.status, run.exit_code, run.result) == (RunStatus.FAILED, 3, {"done": 17})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{'rows': 3}", "the file SCHEDULER_RESULT is not JSON"),
        ("NaN", "NaN is not JSON"),
        ("1e999", "must be a finite number"),
        (r'"\u0000"', "a NUL character cannot be stored"),
        (r'"\ud800"', "a lone surrogate"),
        ("[" * 65 + "]" * 65, "nested more than 64 deep"),
        ("[" * 20_000, "is not JSON"),
        ("9" * 5000, "is not JSON"),
        ("[" + "1e300," * 300 + "0]", "and the limit is 65536"),
        ('"' + "x" * 70_000 + '"', "more than 65536 bytes"),
    ],
)
async def test_message_names_a_result_that_is_not_kept(service: Service, written: str, message: str) -> None:
    run = await run_of(service, writes(written))
    assert (run.status, run.result) == (RunStatus.SUCCESS, None)
    assert message in (run.message or "")


async def test_computed_result_wins_over_a_written_one(service: Service) -> None:
    run = await run_of(service, {"type": "number_crunching", "operation": "fibonacci", "n": 10})
    assert run.result["value"] == "55"


class TestTheNextRun:
    COUNTS = (
        "last=${SCHEDULER_LAST_RESULT-none}; echo $last; "
        "[ $last != none ] || last=0; echo $((last + 1)) > $SCHEDULER_RESULT"
    )

    async def test_next_run_receives_the_last_result(self, service: Service) -> None:
        job = await create(service, {"type": "shell_script", "script": self.COUNTS})
        logs = []
        for _ in range(3):
            run = await service.jobs.run(ADMIN, job.id)
            logs.append((await until(service, run.id, *TERMINAL)).view.logs)
        assert logs == ["none\n", "1\n", "2\n"]

    async def test_result_of_a_failed_run_is_not_handed_on(self, service: Service) -> None:
        script = "echo ${SCHEDULER_LAST_RESULT-none}; echo '\"bad\"' > $SCHEDULER_RESULT; exit 1"
        job = await create(service, {"type": "shell_script", "script": script})
        for _ in range(2):
            run = await service.jobs.run(ADMIN, job.id)
            assert (await until(service, run.id, *TERMINAL)).view.logs == "none\n"

    async def test_retry_receives_it_as_well(self, service: Service) -> None:
        script = (
            'echo "$SCHEDULER_LAST_RESULT"; [ $SCHEDULER_ATTEMPT = 1 ] || exit 0; echo 1 > $SCHEDULER_RESULT; exit 1'
        )
        retries = {"max_retries": 1, "retry_delay": 0}
        job = await create(service, writes('{"cursor": "ü"}'))
        run = await service.jobs.run(ADMIN, job.id)
        await until(service, run.id, *TERMINAL)
        changes: dict[str, Any] = {"payload": {"type": "shell_script", "script": script}, "retry_policy": retries}
        await service.jobs.patch(ADMIN, job.id, changes)
        run = await service.jobs.run(ADMIN, job.id)
        detail = await until(service, run.id, *TERMINAL)
        assert detail.view.logs == '{"cursor":"ü"}\n--- attempt 2 ---\n{"cursor":"ü"}\n'
        assert (detail.view.run.status, detail.view.run.result) == (RunStatus.SUCCESS, None)


async def test_run_receives_the_result_of_the_run_that_it_follows(service: Service) -> None:
    upstream = await create(service, writes('{"rows": 3}'))
    reads = {"type": "shell_script", "script": 'echo "got $SCHEDULER_INPUT"'}
    job = await create(service, reads, schedule_expr=None, after=[{"job": upstream.id}])
    await service.jobs.run(ADMIN, upstream.id)

    async def followed() -> Run | None:
        listed = await service.runs.page(ADMIN, RunFilter(job_id=job.id), Page())
        return listed.items[0].run if listed.items else None

    run = await eventually(followed)
    detail = await until(service, run.id, *TERMINAL)
    assert (detail.view.run.status, detail.view.logs) == (RunStatus.SUCCESS, 'got {"rows":3}\n')
