"""Attacks on builds: by the index, by wheels, and by somebody who writes to the database or the cache."""

from __future__ import annotations

import asyncio
import io
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from testkit.callers import ADMIN
from testkit.package_index import PASSWORD, IndexServer, build_wheel
from tests.engine.conftest import create, until
from tests.features.environments.conftest import Host, job_with_lock, opened

from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.services.runs import RunDetail


@pytest_asyncio.fixture
async def host(index: IndexServer, tmp_path: Path) -> AsyncIterator[Host]:
    async with opened(index, tmp_path) as service:
        yield Host(service, index, tmp_path)


def assert_failed(host: Host, detail: RunDetail, reason: str) -> None:
    """Check that a run failed because of its environment, with the reason in its message and its log."""
    assert (detail.view.run.status, detail.view.run.reason) == (RunStatus.FAILED, Reason.ENVIRONMENT)
    assert reason in (detail.view.run.message or "")
    assert reason in detail.view.logs
    assert host.built == []


async def test_index_that_lies_about_a_hash_fails_the_build(host: Host) -> None:
    host.index.hashes[host.index.add("liar")] = "0" * 64
    assert_failed(host, await host.run("import liar", "liar"), "Hash mismatch")


async def test_wheel_replaced_after_the_lock_fails_the_build(host: Host) -> None:
    lock = await host.service.feature(EnvironmentService).lock(("beta<2",))
    job = await job_with_lock(host, lock.text)
    host.index.files["beta-1.0-py3-none-any.whl"] = build_wheel("beta", "1.0", {"beta.py": "print('replaced')"})
    assert_failed(host, await host.run_job(job.id), "Hash mismatch")


async def test_lock_edited_in_the_database_installs_nothing(host: Host) -> None:
    job = await job_with_lock(host, "# python\nbeta==1.0 --hash=sha256:" + "0" * 64 + "\n", own_id=False)
    assert_failed(host, await host.run_job(job.id), "not the one that the job was stored with")


@pytest.mark.parametrize("line", ["--extra-index-url http://127.0.0.1:9/simple", "beta @ file:///tmp/beta.whl", "beta"])
async def test_lock_with_anything_but_packages_is_refused(host: Host, line: str) -> None:
    job = await job_with_lock(host, f"# python\n{line}\n")
    assert_failed(host, await host.run_job(job.id), "not a package with its hashes")


async def test_lock_for_another_python_is_refused(host: Host) -> None:
    job = await job_with_lock(host, "# cpython-30-x86_64-linux-gnu\n")
    assert_failed(host, await host.run_job(job.id), "the lock is for cpython-30")


@pytest.mark.parametrize("member", ["../../escaped.py", "/tmp/escaped.py"])  # noqa: S108 (the attack)
async def test_wheel_cannot_write_outside_of_its_environment(host: Host, member: str) -> None:
    host.index.put("evil-1.0-py3-none-any.whl", build_wheel("evil", "1.0", {"evil.py": "", member: "escaped"}))
    await host.run("import evil", "evil")
    places = [*Path("/tmp").glob("escaped.py"), *host.data_dir.rglob("escaped.py")]  # noqa: ASYNC240, S108 (the attack)
    assert [path for path in places if "lib/packages" not in str(path)] == []


async def test_link_in_a_wheel_reaches_no_file_of_the_host(host: Host) -> None:
    data = io.BytesIO(build_wheel("evil", "1.0", {"evil.py": ""}))
    with zipfile.ZipFile(data, "a") as archive:
        link = zipfile.ZipInfo("link.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    host.index.put("evil-1.0-py3-none-any.whl", data.getvalue())
    await host.run("import evil", "evil")
    assert not any(path.is_symlink() for each in host.built for path in each.rglob("link.py"))


async def test_build_reaches_no_other_host(host: Host) -> None:
    """A link of the index to another server is not followed, because the sandbox connects to the index only."""
    accepted = asyncio.Event()
    other = await asyncio.start_server(lambda *_: accepted.set(), "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    lock = await host.service.feature(EnvironmentService).lock(("beta<2",))
    job = await job_with_lock(host, lock.text)
    host.index.files_at = f"http://127.0.0.1:{port}"
    detail = await host.run_job(job.id)
    other.close()
    assert_failed(host, detail, "cannot be installed")
    assert not accepted.is_set()


async def test_edited_environment_is_built_again(index: IndexServer, tmp_path: Path) -> None:
    async with opened(index, tmp_path) as service:
        host = Host(service, index, tmp_path)
        job = await create(service, {"type": "python_code", "code": "import beta", "requirements": ["beta"]})
        await host.run_job(job.id)
        (built,) = host.built
    (built / "lib" / "packages" / "beta.py").write_text("print('edited')\n")
    async with opened(index, tmp_path) as service:
        host = Host(service, index, tmp_path)
        detail = await host.run_job(job.id)
        assert detail.view.run.status is RunStatus.SUCCESS
        assert "edited" not in detail.view.logs
        assert host.built != [built]


async def test_password_of_the_index_is_shown_nowhere(
    index: IndexServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.require_password()
    async with opened(index, tmp_path) as service:
        host = Host(service, index, tmp_path)
        good = await host.run("import beta, os; print(os.environ)", "beta")
        job = await job_with_lock(host, "# python\n", own_id=False)
        bad = await host.run_job(job.id)
        environments = await service.feature(EnvironmentService).list_all(ADMIN)
    shown = [good.view.logs, bad.view.logs, str(bad.view.run.message), str(environments), *capsys.readouterr()]
    assert good.view.run.status is RunStatus.SUCCESS
    assert not any(PASSWORD in text for text in shown)


async def test_cancelled_run_does_not_wait_for_its_build(host: Host) -> None:
    lock = await host.service.feature(EnvironmentService).lock(("beta<2",))
    job = await job_with_lock(host, lock.text)
    with host.index.silent():
        run = await host.service.jobs.run(ADMIN, job.id)
        await until(host.service, run.id, RunStatus.RUNNING)
        await host.service.runs.cancel(ADMIN, run.id)
        detail = await until(host.service, run.id, *TERMINAL)
    assert (detail.view.run.status, detail.view.run.reason) == (RunStatus.CANCELLED, Reason.USER)
