"""Runs in cgroups of their own: how the one to divide is found, and what the kernel then holds.

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
from tests.sandbox.test_death import SECONDS, Service, wait_until_clear

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


def test_the_own_cgroup_is_found_where_it_is_mounted(host: Host) -> None:
    assert host.has("unit") == host.find()


def test_it_is_found_where_only_a_part_of_the_tree_is_shown(host: Host) -> None:
    group = host.has("unit")
    host.shows("/docker/1")
    host.is_in("/docker/1/unit")
    assert host.find() == group


def test_a_service_that_has_moved_finds_what_it_has_divided(host: Host) -> None:
    group = host.has("unit")
    host.is_in(f"/unit/{SERVICE}")
    assert host.find() == group


@pytest.mark.parametrize("mark", ["1", "0", None])
def test_under_systemd_its_mark_decides(host: Host, mark: str | None) -> None:
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


def test_without_the_controllers_there_is_nothing_to_divide(host: Host) -> None:
    """As where the old hierarchies have them, and the new one is mounted beside."""
    host.has("unit", controllers="cpu pids")
    with pytest.raises(NotDelegatedError, match="no controller for memory"):
        host.find()


@pytest.mark.parametrize(("own", "root"), [("/other", "/unit"), ("/../unit", "/"), ("/../unit", "/..")])
def test_a_cgroup_that_is_not_shown_is_not_ours(host: Host, own: str, root: str) -> None:
    host.has("unit")
    host.is_in(own)
    host.shows(root)
    with pytest.raises(NotDelegatedError, match="no mounted file system shows"):
        host.find()


def test_a_host_with_the_old_hierarchies_only_has_none(host: Host) -> None:
    (host.proc / "cgroup").write_text("2:memory:/elsewhere\n1:cpu:/\n")
    with pytest.raises(NotDelegatedError, match="no cgroup v2"):
        host.find()


@pytest.mark.parametrize("name", ["", "cgroup.procs", "cgroup.subtree_control"])
def test_what_cannot_be_written_is_not_ours(host: Host, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = host.has("unit") / name
    monkeypatch.setattr(os, "access", lambda path, _: path != closed)  # root may write anything
    with pytest.raises(NotDelegatedError, match="not ours to write"):
        host.find()


def test_a_claim_moves_the_processes_that_have_a_number_here(host: Host) -> None:
    group = host.has("unit")
    (group / "cgroup.procs").write_text("17\n0\n")
    claim = claim_cgroups(group)
    assert (group / SERVICE / "cgroup.procs").read_text() == "17"
    assert {path: path.read_text() for path in group.rglob("cgroup.subtree_control")} == {
        directory / "cgroup.subtree_control": "+memory +pids" for directory in (group, group / RUNS, claim.path)
    }


def test_a_promise_of_no_level_lowers_none() -> None:
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
        sandbox = ZygoteSandbox(level, root, 1, environments, grace_seconds=0.2, without=frozenset(without))
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


async def test_a_run_says_that_a_cgroup_held_it(start: Start) -> None:
    outcome, _ = await run(await start(), "pass")
    assert outcome.end is End.EXITED
    assert "cgroup" in outcome.isolation.layers


async def test_a_run_without_one_does_not_say_so(start: Start) -> None:
    outcome, _ = await run(await start(Layer.CGROUP), "pass")
    assert outcome.end is End.EXITED
    assert "cgroup" not in outcome.isolation.layers


async def test_a_run_is_in_its_own_cgroup_and_its_service_is_not(start: Start, delegated: Path) -> None:
    sandbox, show = await start(), "print(open('/proc/self/cgroup').read())"
    groups = {(await run(sandbox, show))[1].strip().rpartition("/")[2] for _ in range(2)}
    assert len(groups) == 2
    assert all(group.startswith("run-") for group in groups)
    assert str(os.getpid()) in (delegated / SERVICE / "cgroup.procs").read_text().split()


async def test_memory_of_processes_that_keep_to_their_limits_is_held_as_a_whole(start: Start) -> None:
    outcome, output = await run(await start(Layer.WATCH), TOGETHER, memory_mb=32, disk_mb=1, wall_seconds=60)
    assert (outcome.end, output) == (End.OUT_OF_MEMORY, "")
    assert outcome.message == "ran out of memory; its limit is 32 MB"


async def test_memory_as_a_whole_is_held_by_nothing_else_at_once(start: Start) -> None:
    outcome, output = await run(await start(Layer.WATCH, Layer.CGROUP), TOGETHER, memory_mb=32, disk_mb=1)
    assert (outcome.end, output) == (End.EXITED, "HELD\n")


async def test_the_same_processes_have_their_memory_where_it_is_theirs(start: Start) -> None:
    outcome, output = await run(await start(), TOGETHER, memory_mb=200, disk_mb=1)
    assert (outcome.end, output) == (End.EXITED, "HELD\n")
    assert outcome.usage.max_rss_kb > 6 * 24 * 1024


FILES = """
for directory in (".", "/dev/shm"):
    with open(f"{directory}/{__import__('os').getpid()}", "wb") as file:
        for _ in range(47): file.write(b"x" * (1 << 20))
print("WRITTEN")
"""


async def test_files_are_not_taken_for_memory(start: Start) -> None:
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


async def test_tasks_are_held_as_a_whole(start: Start) -> None:
    outcome, output = await run(await start(Layer.RESOURCE_LIMITS, Layer.WATCH), CHAIN, processes=8)
    assert (outcome.end, output) == (End.EXITED, "8\n")


async def test_tasks_as_a_whole_are_held_by_no_other_layer(start: Start) -> None:
    without = (Layer.RESOURCE_LIMITS, Layer.WATCH, Layer.CGROUP)
    outcome, output = await run(await start(*without), CHAIN, processes=8)
    assert (outcome.end, output) == (End.EXITED, "12\n")


async def test_run_ends_out_of_memory_when_the_memory_of_all_runs_is_used_up(start: Start) -> None:
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


async def test_a_job_changes_nothing_about_its_cgroup(start: Start, delegated: Path) -> None:
    code = ESCAPE.format(delegated=delegated, name=delegated.name, service=SERVICE)
    outcome, output = await run(await start(), code)
    assert (outcome.end, output) == (End.EXITED, "HELD\n" * 5)


async def test_nothing_is_left_of_runs_and_of_the_claim(start: Start, delegated: Path) -> None:
    sandbox = await start()
    before = set((delegated / RUNS).iterdir())
    await asyncio.gather(*(run(sandbox, "print(1)") for _ in range(10)))
    assert sandbox._cgroups is not None
    claim = sandbox._cgroups.path
    assert claim in before
    await sandbox.stop()
    assert not claim.exists()


async def test_what_a_killed_supervisor_leaves_goes_with_the_claim(start: Start) -> None:
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
    """Find the parent of a process that runs in a group, and not of one that still waits: that has no code yet."""
    for group in claim.glob("run-*"):
        for pid in (group / "cgroup.procs").read_text().split():
            if Path(f"/proc/{pid}/cwd").readlink().name.startswith(("job", "run-")):
                return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    raise AssertionError("no job runs")


def test_nothing_is_left_of_a_service_that_was_killed(level: Level, delegated: Path) -> None:
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


def test_the_probe_tells_that_it_holds(delegated: Path, findings: list[Finding]) -> None:
    (finding,) = (finding for finding in findings if finding.promise == PROMISE)
    assert (finding.held, finding.why) == (True, "")


def test_the_probe_tells_why_it_does_not_hold(findings: list[Finding]) -> None:
    (finding,) = (finding for finding in findings if finding.promise == PROMISE)
    assert finding.levels == ()
    assert finding.held or "Delegate=yes" in finding.remedy
