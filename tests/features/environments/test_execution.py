"""Jobs with packages in a whole service: built once, used by every run, and contained like all code."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from testkit.callers import ADMIN
from testkit.package_index import IndexServer
from tests.engine.conftest import create, until
from tests.features.environments.conftest import Host, job_with_lock, opened

from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus
from scheduler_service.features.environments.service import EnvironmentService


@pytest_asyncio.fixture
async def host(index: IndexServer, tmp_path: Path) -> AsyncIterator[Host]:
    async with opened(index, tmp_path) as service:
        yield Host(service, index, tmp_path)


async def test_run_imports_the_packages_of_its_lock(host: Host) -> None:
    detail = await host.run("import alpha, beta; print(alpha.VERSION, beta.VERSION)", "alpha", "beta<2")
    assert detail.view.run.status is RunStatus.SUCCESS, detail.view
    assert "Building the environment" in detail.view.logs
    assert detail.view.logs.endswith("1.0 1.0\n")


async def test_packages_work_without_a_sandbox(index: IndexServer, tmp_path: Path) -> None:
    async with opened(index, tmp_path, sandbox="none", sandbox_required="none") as service:
        detail = await Host(service, index, tmp_path).run("import beta; print(beta.VERSION)", "beta")
    assert detail.view.logs.endswith("2.0\n"), detail.view


async def test_later_run_builds_nothing(host: Host) -> None:
    job = await create(
        host.service, {"type": "python_code", "code": "import beta; print('ok')", "requirements": ["beta"]}
    )
    await host.run_job(job.id)
    requests = len(host.index.requested)
    detail = await host.run_job(job.id)
    assert detail.view.logs == "ok\n"
    assert len(host.index.requested) == requests
    environment = await host.service.feature(EnvironmentService).get(ADMIN, job.environment_id or "")
    assert environment.state == "ready"
    assert "Installed 1 package" in environment.log


async def test_run_that_waits_for_a_build_does_not_block_others(index: IndexServer, tmp_path: Path) -> None:
    async with opened(index, tmp_path, slots=1) as service:
        host = Host(service, index, tmp_path)
        lock = await service.feature(EnvironmentService).lock(("beta",))
        job = await job_with_lock(host, lock.text, "import beta; print('late')")
        with index.silent():
            waiting = await service.jobs.run(ADMIN, job.id)
            await until(service, waiting.id, RunStatus.RUNNING)
            other = await host.run("print('meanwhile')")
            assert (other.view.run.status, other.view.logs) == (RunStatus.SUCCESS, "meanwhile\n")
            assert (await service.runs.get(ADMIN, waiting.id)).view.run.status is RunStatus.RUNNING
        assert (await until(service, waiting.id, *TERMINAL)).view.logs.endswith("late\n")


async def test_jobs_with_the_same_lock_share_one_environment(host: Host) -> None:
    first = await host.run("import beta; print(beta.__file__)", "beta")
    second = await host.run("import beta; print(beta.__file__, 'again')", "beta>=2")
    assert first.view.logs.split()[-1] == second.view.logs.split()[0]
    assert len(host.built) == 1


async def test_run_sees_no_packages_of_the_service(host: Host) -> None:
    detail = await host.run("import beta\nimport sqlalchemy", "beta")
    assert detail.view.run.reason is Reason.EXIT_CODE
    assert "No module named 'sqlalchemy'" in detail.view.logs


async def test_new_interpreter_of_a_run_has_the_packages(host: Host) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import beta; print(beta.VERSION)'])"
    assert (await host.run(code, "beta")).view.logs.endswith("2.0\n")


@pytest.mark.parametrize("file", ["evil.pth", "sitecustomize.py", "usercustomize.py"])
async def test_code_of_a_wheel_does_not_run_before_the_run(host: Host, file: str, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    host.index.add("evil", files={file: f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"})
    code = "import os, sys; print(sorted(name for name in sys.modules if 'evil' in name or 'customize' in name))"
    detail = await host.run(code, "evil")
    assert detail.view.logs.endswith("[]\n"), detail.view
    assert not mark.exists()


async def test_compiled_module_of_a_wheel_is_not_used(host: Host) -> None:
    host.index.add("delta", code="print('source')", files={"__pycache__/delta.cpython-311.pyc": "not compiled"})
    assert (await host.run("import delta", "delta")).view.logs.endswith("source\n")
    (built,) = host.built
    (compiled,) = built.rglob("*.pyc")
    assert compiled.read_bytes() != b"not compiled"


async def test_foreign_numpy_is_not_imported_by_the_zygote(host: Host) -> None:
    host.index.add("numpy", "99.0", files={"numpy/__init__.py": "import os; PID = os.getpid()\n"})
    detail = await host.run("import sys, os; print('numpy' in sys.modules); import numpy; print(numpy.PID)", "numpy")
    assert re.search(r"False\n\d+\n$", detail.view.logs), detail.view
