"""The user of grants: runs of a service that is root write to the operator's directories as that user."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from tests.sandbox.test_zygote_sandbox import place_for_runs

from scheduler_service.sandbox import Access, End, Level, Limits, Outcome, PythonCode, Spec, User, ZygoteSandbox
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.kernel import landlock

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run jobs as another user"),
]
OWNER = User(34567, 34568)
ENVIRONMENTS = [PythonEnvironment(preload=())]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory of that user, with a file of root in it, and beside it a file that is not granted."""
    base = Path(tempfile.mkdtemp(prefix="granted-", dir="/var/tmp"))
    base.chmod(0o755)
    granted, beside = base / "backup", base / "beside"
    granted.mkdir()
    (granted / "of-root").write_text("ROOT")
    beside.write_text("BESIDE")
    for path in (granted, beside):
        os.chown(path, *OWNER)
    yield granted
    shutil.rmtree(base)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[Level.STRICT, Level.STANDARD])
async def sandbox(request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[ZygoteSandbox]:
    with place_for_runs() as root:
        granted = [str(directory)]
        box = ZygoteSandbox(request.param, root, 2, ENVIRONMENTS, 0.2, granted=granted, granted_user=OWNER)
        await box.start()
        yield box
        await box.stop()


@pytest.fixture(scope="module")
def daemon() -> Iterator[int]:
    """A process of the host with the same user."""
    with subprocess.Popen(["sleep", "600"], user=OWNER.uid, group=OWNER.gid, extra_groups=[]) as process:
        yield process.pid
        assert process.poll() is None, "a run has killed a daemon of the same user"
        process.kill()


async def run(box: ZygoteSandbox, code: str, directory: Path | None, processes: int = 64) -> tuple[Outcome, str]:
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    access = Access(write=(str(directory),)) if directory else Access()
    outcome = await box.run(
        Spec(PythonCode(code), Limits(processes=processes), access=access), collect, asyncio.Event()
    )
    return outcome, output.decode()


async def test_run_that_writes_grants_has_that_user(sandbox: ZygoteSandbox, directory: Path) -> None:
    outcome, output = await run(sandbox, "import os; print(os.getuid(), os.getgid(), os.getgroups())", directory)
    assert output == "34567 34568 []\n"
    assert "granted_user" in outcome.isolation.layers
    assert "own_user" not in outcome.isolation.layers


async def test_run_without_grants_keeps_its_own_user(sandbox: ZygoteSandbox) -> None:
    outcome, output = await run(sandbox, "import os; print(os.getuid())", None)
    assert output != "34567\n"
    assert "own_user" in outcome.isolation.layers


async def test_next_run_changes_the_file_of_the_last(sandbox: ZygoteSandbox, directory: Path) -> None:
    code = f"""
import os
name = '{directory}/kept'
open(name, 'a').write('x'); os.utime(name, (5, 5)); os.chmod(name, 0o640)
"""
    before = len((directory / "kept").read_text()) if (directory / "kept").exists() else 0
    for _ in range(2):
        outcome, output = await run(sandbox, code, directory)
        assert (outcome.exit_code, output) == (0, "")
    status = (directory / "kept").stat()
    assert (status.st_uid, status.st_gid, status.st_mtime, status.st_mode & 0o777) == (*OWNER, 5, 0o640)
    assert status.st_size == before + 2


async def test_run_uses_its_private_places(sandbox: ZygoteSandbox, directory: Path) -> None:
    code = """
import os
open('mine', 'w').write('x'); os.chmod('mine', 0o600); os.utime('mine', (7, 7))
os.close(os.open('/dev/shm/segment', os.O_CREAT | os.O_EXCL | os.O_RDWR)); os.unlink('/dev/shm/segment')
print(os.stat('mine').st_mtime)
"""
    assert (await run(sandbox, code, directory))[1] == "7.0\n"


@pytest.mark.parametrize(
    "attempt",
    [
        "os.chmod('{granted}/of-root', 0o666)",
        "os.utime('{granted}/of-root', (1, 1))",
        "os.chown('{granted}/of-root', 34567, 34568)",
        "os.chmod('{beside}', 0o777)",
        "os.utime('{beside}')",
        "open('{beside}')",
        "os.kill({daemon}, 9)",
        "os.setpriority(os.PRIO_PROCESS, {daemon}, 5)",
        "os.sched_setaffinity({daemon}, [0])",
        "resource.prlimit({daemon}, resource.RLIMIT_NOFILE, (1, 1))",
        "open('/proc/{daemon}/environ')",
    ],
)
async def test_user_rights_end_at_the_grants(
    sandbox: ZygoteSandbox, directory: Path, daemon: int, attempt: str
) -> None:
    attempt = attempt.format(granted=directory, beside=directory.parent / "beside", daemon=daemon)
    code = f"import os, resource\ntry: {attempt}\nexcept OSError: print('HELD')\nelse: print('BREACH')"
    assert (await run(sandbox, code, directory))[1] == "HELD\n"


async def test_end_of_a_run_kills_its_processes_only(sandbox: ZygoteSandbox, directory: Path, daemon: int) -> None:
    code = "import os, time\nfor _ in range(3):\n    if os.fork() == 0: os.setsid(); time.sleep(600)\nos._exit(0)"
    waiting = asyncio.create_task(run(sandbox, "import time; time.sleep(0.5); print('MINE')", directory))
    outcome, _ = await run(sandbox, code, directory)
    assert outcome.end is End.EXITED
    assert (await waiting)[1] == "MINE\n"
    assert _processes_of(OWNER.uid) == [daemon]


async def test_fork_bomb_ends_its_own_run(sandbox: ZygoteSandbox, directory: Path, daemon: int) -> None:
    code = "import os, time\nfor _ in range(100):\n    if os.fork() == 0: time.sleep(600)\ntime.sleep(600)"
    outcome, _ = await run(sandbox, code, directory, processes=8)
    assert outcome.message == "had more than 8 processes and threads"
    assert _processes_of(OWNER.uid) == [daemon]


async def test_run_is_refused_if_signals_cannot_be_confined(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: landlock.SCOPE_ABI - 1)
    with place_for_runs() as root:
        box = ZygoteSandbox(Level.STANDARD, root, 1, ENVIRONMENTS, 0.2, granted=[str(directory)], granted_user=OWNER)
        await box.start()
        outcome, _ = await run(box, "print('RAN')", directory)
        await box.stop()
    assert outcome.end is End.REJECTED
    assert "use the level strict, or unset SCHEDULER_GRANTS_USER" in (outcome.message or "")


def _processes_of(uid: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError):
            if process.stat().st_uid == uid:
                found.append(int(process.name))
    return found
