"""The files of jobs lie in the working directories of their runs, on each database."""

from __future__ import annotations

from typing import Any

from testkit.callers import ADMIN
from tests.engine.conftest import SHARED, create, run_to_its_end, until

from scheduler_service.bootstrap import Service
from scheduler_service.domain.run_state import TERMINAL

pytestmark = SHARED


async def test_run_begins_with_the_files_of_its_job(service: Service) -> None:
    files = {"data.csv": {"text": "a,ü\n"}, "d/e.bin": {"base64": "AP8="}}
    script = "cat data.csv; od -An -tx1 d/e.bin; echo changed > data.csv"
    job = await create(service, {"type": "shell_script", "script": script}, files=files)
    for _ in range(2):
        run = await service.jobs.run(ADMIN, job.id)
        assert (await until(service, run.id, *TERMINAL)).view.logs == "a,ü\n 00 ff\n"


async def test_python_imports_a_file_of_its_job(service: Service) -> None:
    files = {"helper.py": {"text": "ANSWER = 42"}}
    detail = await run_to_its_end(
        service, {"type": "python_code", "code": "import helper; print(helper.ANSWER)"}, files=files
    )
    assert detail.view.logs == "42\n"


async def test_patch_adds_replaces_and_removes_files(service: Service) -> None:
    files = {"a": {"text": "1"}, "b": {"text": "2"}}
    job = await create(service, {"type": "shell_script", "script": "true"}, files=files)
    changes: dict[str, Any] = {"a": None, "b": {"text": None, "base64": "Mg=="}, "c": {"text": "3"}}
    patched = await service.jobs.patch(ADMIN, job.id, {"files": changes})
    assert patched.files == {"b": {"base64": "Mg=="}, "c": {"text": "3"}}
