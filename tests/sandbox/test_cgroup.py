"""Runs in cgroups of their own: which cgroup is divided, and which limits the kernel then enforces.

The second half needs a cgroup v2 that is delegated to the tests, for instance
`systemd-run --user --scope -p Delegate=yes .venv/bin/pytest tests/sandbox/test_cgroup.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from testkit.waiting import wait_until
from tests.sandbox.settings import ROOT, USER
from tests.sandbox.test_death import SECONDS, Service, parent_of, wait_until_clear

from scheduler_service.sandbox import (
    End,
    Level,
    Limits,
    Outcome,
    PythonCode,
    PythonEnvironment,
    SandboxError,
    Spec,
    ZygoteSandbox,
    probe,
)
from scheduler_service.sandbox.confinement.delegation import (
    RUNS,
    SERVICE,
    NotDelegatedError,
    claim_cgroups,
    find_delegated,
)
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.probe import Finding, best_level

CGROUP2 = "30 24 0:26 {root} {mountpoint} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
OTHERS = "21 24 0:20 / /proc rw - proc proc rw\n29 24 0:25 / /cgroup/memory rw - cgroup cgroup rw,memory\n"
NO_SYSTEMD = Path("/nonexistent")
PROMISE = "has a cgroup, in which the kernel holds the whole run at once"


class Host:
    """What of a host decides about delegation, as files below a directory."""

    def __init__(self, base: Path) -> None:
        self.proc, self.mounted, self.systemd = base / "proc", base / "cgroup", base / "systemd"
        self.proc.mkdir()
        self.is_in("/unit")
        self.shows("/")

    def is_in(self, group: str) -> None:
        (self.proc / "cgroup").write_text(f"2:memory:/elsewhere\n0::{group}\n")

    def shows(self, root: str) -> None:
        (self.proc / "mountinfo").write_text(OTHERS + CGROUP2.format(root=root, mountpoint=self.mounted))

    def has(self, group: str, controllers: str = "cpu memory pids") -> Path:
        directory = self.mounted / group
        directory.mkdir(parents=True)
        for name, text in (("controllers", controllers), ("procs", ""), ("subtree_control", ""), ("type", "domain")):
            (directory / f"cgroup.{name}").write_text(text)
        return directory

    def find(self) -> Path:
        return find_delegated(self.proc, self.systemd)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_own_cgroup_is_found_below_its_mount(host: Host) -> None:
    assert host.has("unit") == host.find()


def test_own_cgroup_is_found_when_a_part_of_the_tree_is_mounted(host: Host) -> None:
    group = host.has("unit")
    host.shows("/docker/1")
    host.is_in("/docker/1/unit")
    assert host.find() == group


def test_delegated_cgroup_is_found_after_the_service_has_moved(host: Host) -> None:
    group = host.has("unit")
    host.is_in(f"/unit/{SERVICE}")
    assert host.find() == group


@pytest.mark.parametrize("mark", ["1", "0", None])
def test_systemd_delegates_by_its_mark(host: Host, mark: str | None) -> None:
    group = host.has("unit")
    host.systemd.mkdir()
    if mark is not None:
        _mark(group, mark)
    if mark == "1":
        assert host.find() == group
    else:
        with pytest.raises(NotDelegatedError, match="systemd has not delegated"):
            host.find()


def _mark(group: Path, mark: str) -> None:
    try:
        os.setxattr(group, "user.delegate", mark.encode())
    except OSError as error:
        pytest.skip(f"the file system of temporary files has no extended attributes: {error}")


def test_cgroup_is_refused_when_controllers_are_missing(host: Host) -> None:
    """As on a host whose v1 hierarchies have the controllers, with v2 mounted beside them."""
    host.has("unit", controllers="cpu pids")
    with pytest.raises(NotDelegatedError, match="no controller for memory"):
        host.find()


@pytest.mark.parametrize(("own", "root"), [("/other", "/unit"), ("/../unit", "/"), ("/../unit", "/..")])
def test_cgroup_is_refused_when_no_mount_shows_it(host: Host, own: str, root: str) -> None:
    host.has("unit")
    host.is_in(own)
    host.shows(root)
    with pytest.raises(NotDelegatedError, match="no mounted file system shows"):
        host.find()


def test_cgroup_is_refused_when_the_host_has_only_v1(host: Host) -> None:
    (host.proc / "cgroup").write_text("2:memory:/elsewhere\n1:cpu:/\n")
    with pytest.raises(NotDelegatedError, match="no cgroup v2"):
        host.find()


@pytest.mark.parametrize("name", ["", "cgroup.procs", "cgroup.subtree_control"])
def test_cgroup_is_refused_when_it_is_not_writable(host: Host, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = host.has("unit") / name
    monkeypatch.setattr(os, "access", lambda path, _: path != closed)  # root may write anything
    with pytest.raises(NotDelegatedError, match="not ours to write"):
        host.find()


def test_claim_moves_processes_of_its_pid_namespace(host: Host) -> None:
    group = host.has("unit")
    (group / "cgroup.procs").write_text("17\n0\n")
    claim = claim_cgroups(group)
    assert (group / SERVICE / "cgroup.procs").read_text() == "17"
    assert {path: path.read_text() for path in group.rglob("cgroup.subtree_control")} == {
        directory / "cgroup.subtree_control": "+memory +pids" for directory in (group, group / RUNS, claim.path)
    }


def test_level_stays_when_an_optional_promise_is_broken() -> None:
    assert best_level([Finding((), "more", held=False, why="no", remedy="none")]) is Level.STRICT


@pytest.fixture
def delegated() -> Path:
    try:
        return find_delegated()
    except NotDelegatedError as error:
        if os.environ.get("CGROUP_REQUIRED"):
            pytest.fail(f"no cgroup is delegated to the tests: {error}")
        pytest.skip(f"no cgroup is delegated to the tests: {error}")


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return probe()


@pytest.fixture(params=[Level.STRICT, Level.STANDARD])
def level(request: pytest.FixtureRequest, delegated: Path, findings: list[Finding]) -> Level:
    wanted: Level = request.param
    broken = [finding.why for finding in findings if wanted in finding.levels and not finding.held]
    if broken:
        pytest.skip(f"this host does not hold {wanted}: {broken[0]}")
    return wanted


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cgroup-", dir="/tmp") as base:
        Path(base).chmod(0o711)
        yield Path(base, "runs")


Start = Callable[..., Awaitable[ZygoteSandbox]]


@pytest.fixture
async def start(level: Level, root: Path) -> AsyncIterator[Start]:
    started = []

    async def start(*without: Layer) -> ZygoteSandbox:
        environments = [PythonEnvironment(preload=())]
        sandbox = ZygoteSandbox(level, root, 1, environments, max_grace_seconds=0.2, without=frozenset(without))
        started.append(sandbox)
        await sandbox.start()
        return sandbox

    yield start
    for sandbox in started:
        await sandbox.stop()


async def run(sandbox: ZygoteSandbox, code: str, **limits: object) -> tuple[Outcome, str]:
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    outcome = await sandbox.run(Spec(PythonCode(code), Limits(**limits)), collect, asyncio.Event())  # type: ignore[arg-type]
    return outcome, output.decode()


TOGETHER = """
import os
held, (ready, done) = [], os.pipe()
for _ in range(6):
    if os.fork() == 0:
        held.append(b"x" * (24 << 20))
        os.write(done, b"r")
        os.close(done)
        os.read(ready, 0) or os.setsid() or __import__("signal").pause()
for _ in range(6): os.read(ready, 1)
print("HELD")
"""
"""Six processes that have 24 MB each, all at once."""


async def test_run_records_its_cgroup(start: Start) -> None:
    outcome, _ = await run(await start(), "pass")
    assert outcome.end is End.EXITED
    assert "cgroup" in outcome.isolation.layers


async def test_run_records_no_cgroup_when_it_has_none(start: Start) -> None:
    outcome, _ = await run(await start(Layer.CGROUP), "pass")
    assert outcome.end is End.EXITED
    assert "cgroup" not in outcome.isolation.layers


async def test_run_is_in_a_cgroup_apart_from_the_service(start: Start, delegated: Path) -> None:
    sandbox, show = await start(), "print(open('/proc/self/cgroup').read())"
    groups = {(await run(sandbox, show))[1].strip().rpartition("/")[2] for _ in range(2)}
    assert len(groups) == 2
    assert all(group.startswith("run-") for group in groups)
    assert str(os.getpid()) in (delegated / SERVICE / "cgroup.procs").read_text().split()


async def test_cgroup_limits_memory_of_all_processes_together(start: Start) -> None:
    outcome, output = await run(await start(Layer.WATCH), TOGETHER, memory_mb=32, disk_mb=1, wall_seconds=60)
    assert (outcome.end, output) == (End.OUT_OF_MEMORY, "")
    assert outcome.message == "ran out of memory; its limit is 32 MiB"


async def test_memory_exceeds_the_limit_when_cgroup_is_left_out(start: Start) -> None:
    outcome, output = await run(await start(Layer.WATCH, Layer.CGROUP), TOGETHER, memory_mb=32, disk_mb=1)
    assert (outcome.end, output) == (End.EXITED, "HELD\n")


async def test_processes_get_memory_when_it_is_within_the_limit(start: Start) -> None:
    outcome, output = await run(await start(), TOGETHER, memory_mb=200, disk_mb=1)
    assert (outcome.end, output) == (End.EXITED, "HELD\n")
    assert outcome.usage.max_rss_kb > 6 * 24 * 1024


FILES = """
for directory in (".", "/dev/shm"):
    with open(f"{directory}/{__import__('os').getpid()}", "wb") as file:
        for _ in range(47): file.write(b"x" * (1 << 20))
print("WRITTEN")
"""


async def test_files_do_not_count_as_memory(start: Start) -> None:
    outcome, output = await run(await start(), FILES, memory_mb=16, disk_mb=48)
    assert (outcome.end, output) == (End.EXITED, "WRITTEN\n")


CHAIN = """
import os
for count in range(1, 13):
    try: child = os.fork()
    except OSError: break
    if child:
        os.waitpid(child, 0)
        os._exit(0)
print(count, flush=True)
"""
"""Processes that each start the next and wait for it; the last one says how many they are, up to 12."""


async def test_cgroup_limits_tasks_of_all_processes_together(start: Start) -> None:
    outcome, output = await run(await start(Layer.RESOURCE_LIMITS, Layer.WATCH), CHAIN, processes=8)
    assert (outcome.end, output) == (End.EXITED, "8\n")


async def test_tasks_exceed_the_limit_when_cgroup_is_left_out(start: Start) -> None:
    without = (Layer.RESOURCE_LIMITS, Layer.WATCH, Layer.CGROUP)
    outcome, output = await run(await start(*without), CHAIN, processes=8)
    assert (outcome.end, output) == (End.EXITED, "12\n")


async def test_run_is_out_of_memory_when_all_runs_exceed_their_limit(start: Start) -> None:
    sandbox = await start(Layer.WATCH)
    assert sandbox._cgroups is not None
    (sandbox._cgroups.path / "memory.max").write_text(str(48 << 20))
    outcome, _ = await run(sandbox, TOGETHER, memory_mb=200)
    message = "was killed by the kernel because the host or the container ran out of memory"
    assert (outcome.end, outcome.message) == (End.OUT_OF_MEMORY, message)


ESCAPE = """
import os
group = "{delegated}" + open("/proc/self/cgroup").read().strip().partition("{name}")[2]
for path, text in (
    (group + "/memory.max", "max"), (group + "/pids.max", "max"), ("{delegated}/{service}/cgroup.procs", "0"),
):
    try: open(path, "w").write(text)
    except OSError: print("HELD")
    else: print("BREACH", path)
for step in (lambda: os.mkdir(group + "/more"), lambda: os.chmod(group + "/memory.max", 0o666)):
    try: step()
    except OSError: print("HELD")
    else: print("BREACH")
"""


async def test_job_cannot_change_its_cgroup(start: Start, delegated: Path) -> None:
    code = ESCAPE.format(delegated=delegated, name=delegated.name, service=SERVICE)
    outcome, output = await run(await start(), code)
    assert (outcome.end, output) == (End.EXITED, "HELD\n" * 5)


async def test_stop_removes_the_claim_and_its_cgroups(start: Start, delegated: Path) -> None:
    sandbox = await start()
    before = set((delegated / RUNS).iterdir())
    await asyncio.gather(*(run(sandbox, "print(1)") for _ in range(10)))
    assert sandbox._cgroups is not None
    claim = sandbox._cgroups.path
    assert claim in before
    await sandbox.stop()
    assert not claim.exists()


async def test_stop_removes_the_cgroup_of_a_killed_supervisor(start: Start) -> None:
    sandbox = await start()
    assert sandbox._cgroups is not None
    claim, up = sandbox._cgroups.path, asyncio.Event()

    async def collect(_: bytes) -> None:
        up.set()

    spec = Spec(PythonCode("import time\nprint('UP', flush=True)\ntime.sleep(300)"))
    attempt = asyncio.create_task(sandbox.run(spec, collect, asyncio.Event()))
    await up.wait()
    os.kill(_supervisor_of_a_job(claim), signal.SIGKILL)
    with pytest.raises(SandboxError):
        await attempt
    await sandbox.stop()
    assert not claim.exists()


def _supervisor_of_a_job(claim: Path) -> int:
    """Return the parent of the spawner of a process in a cgroup whose job runs. Others wait for their orders."""
    for group in claim.glob("run-*"):
        for pid in (group / "cgroup.procs").read_text().split():
            if Path(f"/proc/{pid}/cwd").readlink().name.startswith(("job", "run-")):
                return parent_of(parent_of(int(pid)))
    raise AssertionError("no job runs")


def test_next_claim_removes_cgroups_of_a_killed_service(level: Level, delegated: Path) -> None:
    base = Path(tempfile.mkdtemp(prefix="cgroup-", dir="/tmp"))
    base.chmod(0o777)
    before = _groups(delegated)
    service = Service(ROOT if os.geteuid() == 0 else USER, level, base)
    try:
        assert _groups(delegated) - before
        os.kill(service.process.pid, signal.SIGKILL)
        wait_until_clear(service)
        wait_until(
            lambda: not [group for group in _groups(delegated) - before if group.name.startswith("run-")], SECONDS
        )
    finally:
        service.end()
        shutil.rmtree(base)
    claim_cgroups(delegated).release()
    assert _groups(delegated) <= before


def _groups(delegated: Path) -> set[Path]:
    return {path for path in (delegated / RUNS).rglob("*") if path.is_dir()} if (delegated / RUNS).exists() else set()


def test_probe_finds_a_delegated_cgroup(delegated: Path, findings: list[Finding]) -> None:
    (finding,) = (finding for finding in findings if finding.promise == PROMISE)
    assert (finding.held, finding.why) == (True, "")


def test_probe_names_the_remedy_when_no_cgroup_is_delegated(findings: list[Finding]) -> None:
    (finding,) = (finding for finding in findings if finding.promise == PROMISE)
    assert finding.levels == ()
    assert finding.held or "Delegate=yes" in finding.remedy
