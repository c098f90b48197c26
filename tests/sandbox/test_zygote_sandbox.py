"""The sandbox of `strict` and `standard` as the service uses it: concurrency, leaks, outcomes, choice of a level."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from scheduler_service.sandbox import (
    Command,
    End,
    Level,
    Limits,
    Outcome,
    Program,
    PythonCode,
    PythonEnvironment,
    SandboxError,
    Script,
    Spec,
    ZygoteSandbox,
    best_level,
    create,
    probe,
)
from scheduler_service.sandbox.accounting.process_stats import descendants
from scheduler_service.sandbox.contract.layers import Layer

MB = 1 << 20
ON_ONE_FILE_SYSTEM = frozenset({Layer.MOUNT_NAMESPACE, Layer.PID_NAMESPACE, Layer.IPC_NAMESPACE, Layer.WATCH})
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def root() -> Iterator[Path]:
    """An empty directory for a sandbox of the test's own."""
    with place_for_runs() as root:
        yield root


@contextmanager
def place_for_runs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="runs-", dir="/tmp") as base:
        Path(base).chmod(0o711)
        yield Path(base, "runs")


@pytest.fixture(scope="module")
def level() -> Level:
    if (level := best_level(probe())) is Level.NONE:
        pytest.skip("this host holds no level of the sandbox")
    return level


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(level: Level) -> AsyncIterator[ZygoteSandbox]:
    """A sandbox that the tests share: after many runs it must work like a new one."""
    with place_for_runs() as root:
        sandbox = ZygoteSandbox(level, root, 2, max_grace_seconds=0.2)
        await sandbox.start()
        yield sandbox
        await sandbox.stop()
        assert list(root.iterdir()) == []


async def run(sandbox: ZygoteSandbox, command: Command, **limits: object) -> tuple[Outcome, str]:
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    outcome = await sandbox.run(Spec(command, Limits(**limits)), collect, asyncio.Event())  # type: ignore[arg-type]
    return outcome, output.decode()


async def test_outcome_records_the_layers(sandbox: ZygoteSandbox) -> None:
    outcome, _ = await run(sandbox, PythonCode("pass"))
    assert outcome.isolation.level in {Level.STRICT, Level.STANDARD}
    assert {"landlock", "seccomp", "no_new_privileges"} <= set(outcome.isolation.layers)


async def test_runs_are_concurrent(sandbox: ZygoteSandbox) -> None:
    meet = "import time\nprint(time.time())\ntime.sleep(1)\nprint(time.time())"
    spans = [output.split() for _, output in await asyncio.gather(*(run(sandbox, PythonCode(meet)) for _ in range(4)))]
    assert max(float(began) for began, _ in spans) < min(float(ended) for _, ended in spans)


@pytest.mark.parametrize(("grace_seconds", "said"), [(0.0, ""), (60.0, "bye\n")])
async def test_grace_time_is_that_of_the_command(level: Level, root: Path, grace_seconds: float, said: str) -> None:
    sandbox, output, cancel = ZygoteSandbox(level, root, 1), bytearray(), asyncio.Event()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)
        cancel.set()

    await sandbox.start()
    script = Script("trap 'sleep 0.5; echo bye; exit' TERM; echo ready; sleep 60 & wait")
    outcome = await sandbox.run(Spec(script, Limits(grace_seconds=grace_seconds)), collect, cancel)
    await sandbox.stop()
    assert (outcome.end, output.decode()) == (End.CANCELLED, "ready\n" + said)


async def test_runs_have_different_random_numbers(sandbox: ZygoteSandbox) -> None:
    code = "import random, numpy\nprint(random.random(), numpy.random.rand(), hash(object()) and '')"
    outputs = {(await run(sandbox, PythonCode(code)))[1] for _ in range(5)}
    assert len(outputs) == 5


@pytest.fixture
def python_below_tmp(root: Path) -> Path:
    installed = root.with_name("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", installed], check=True)
    return installed / "bin" / "python"


async def test_job_has_a_private_tmp_when_python_is_below_tmp(root: Path, level: Level, python_below_tmp: Path) -> None:
    sandbox = ZygoteSandbox(level, root, 1, [PythonEnvironment("default", python_below_tmp, ())])
    await sandbox.start()
    _, text = await run(sandbox, PythonCode("import sys, tempfile; tempfile.TemporaryFile(); print(sys.prefix)"))
    written, _ = await run(
        sandbox,
        PythonCode(
            "import os, sys\n"
            "if os.environ['HOME'] == '/job':\n"
            "    for place in ('/tmp', '/var/tmp'): open(f'{place}/new', 'x').close()\n"
            "    assert not os.path.exists('/run/-tmp')\n"
            "for path in (f'{sys.prefix}/new', f'{sys.prefix}/bin/new'):\n"
            "    try: open(path, 'x')\n"
            "    except OSError: continue\n"
            "    sys.exit('wrote to its Python')\n"
        ),
    )
    full, _ = await run(
        sandbox,
        PythonCode(
            "import errno, os\n"
            "if os.environ['HOME'] != '/job': os._exit(3)\n"
            "try:\n"
            "    for place in ('/tmp', '.'):\n"
            "        with open(f'{place}/big', 'wb') as f: f.write(b'x' * (6 << 20))\n"
            "except OSError as error: os._exit(3 if error.errno == errno.ENOSPC else 4)\n"
        ),
        disk_mb=8,
    )
    await sandbox.stop()
    assert text == f"{python_below_tmp.parents[1]}\n"
    assert written.exit_code == 0
    assert full.exit_code == 3, "the home and /tmp must share one limit"
    assert not os.path.exists("/tmp/new")  # noqa: ASYNC240, PTH110, S108


async def test_run_is_rejected_when_the_environment_is_unknown(sandbox: ZygoteSandbox) -> None:
    outcome, _ = await run(sandbox, PythonCode("pass", "nowhere"))
    assert outcome.end is End.REJECTED
    assert "nowhere" in (outcome.message or "")


@pytest.mark.parametrize("command", [Program(("no-such-program",)), Script("#!/no/such/interpreter\n")])
async def test_run_is_rejected_when_its_command_cannot_start(sandbox: ZygoteSandbox, command: Command) -> None:
    outcome, _ = await run(sandbox, command)
    assert outcome.end is End.REJECTED
    assert outcome.message


async def test_job_runs_in_its_environment(root: Path, level: Level) -> None:
    light = PythonEnvironment("light", Path(sys.executable), preload=("json",))
    sandbox = ZygoteSandbox(level, root, 1, [PythonEnvironment(), light])
    await sandbox.start()
    code = "import sys; print('numpy' in sys.modules, 'json' in sys.modules)"
    assert (await run(sandbox, PythonCode(code, "light")))[1] == "False True\n"
    assert (await run(sandbox, PythonCode(code)))[1].startswith("True")
    await sandbox.stop()


async def test_run_ends_when_it_is_cancelled(sandbox: ZygoteSandbox) -> None:
    cancel, started = asyncio.Event(), asyncio.Event()

    async def collect(_: bytes) -> None:
        cancel.set()
        started.set()

    outcome = await sandbox.run(Spec(Script("echo up; sleep 300")), collect, cancel)
    assert outcome.end is End.CANCELLED


async def test_job_dies_when_its_caller_is_cancelled(sandbox: ZygoteSandbox) -> None:
    up = asyncio.Event()

    async def collect(_: bytes) -> None:
        up.set()

    attempt = asyncio.create_task(sandbox.run(Spec(Script("echo up; sleep 4242")), collect, asyncio.Event()))
    await up.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert b"4242" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout  # noqa: ASYNC221


async def test_nothing_runs_when_a_layer_fails(root: Path, level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = ZygoteSandbox(level, root, 1)
    await sandbox.start()
    directory = root / "gone"
    monkeypatch.setattr("scheduler_service.sandbox.zygote_sandbox.create_directory", lambda _root: directory)
    monkeypatch.setattr("scheduler_service.sandbox.orders.build_order", lambda spec, _: _order(spec, str(directory)))
    with pytest.raises(SandboxError):
        await run(sandbox, PythonCode("open('/job/ran', 'w'); print('RAN')"))
    await sandbox.stop()


def _order(spec: Spec, directory: str) -> object:
    from scheduler_service.sandbox.contract.access import NOTHING
    from scheduler_service.sandbox.contract.protocol import Order, Terms

    terms = Terms(5, 2, 100, 5, 5, 5, -1, directory)
    return Order("python", spec.command.code, (), {}, NOTHING, terms, {})  # type: ignore[union-attr]


async def test_memory_stays_small_when_output_is_a_gibibyte(sandbox: ZygoteSandbox) -> None:
    code = "import os\nb = (b'y' * 1023 + b'\\n') * 64\nfor _ in range(16384): os.write(1, b)"
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    outcome, output = await run(sandbox, PythonCode(code), output_kb=1024)
    assert (outcome.end, outcome.exit_code, outcome.output_truncated) == (End.EXITED, 0, True)
    assert MB - 1024 < len(output) <= MB + 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert time.monotonic() - began < 60


async def test_run_is_killed_when_its_lease_is_not_renewed(level: Level, root: Path) -> None:
    sandbox = ZygoteSandbox(level, root, 2, [PythonEnvironment(preload=())], lease_seconds=1.0)
    await sandbox.start()

    async def renew() -> None:
        while True:
            sandbox.renew()
            await asyncio.sleep(0.1)

    renewing = asyncio.create_task(renew())
    outcome, output = await run(sandbox, Script("sleep 2; echo through"))
    renewing.cancel()
    assert (outcome.end, output) == (End.EXITED, "through\n")
    with pytest.raises(SandboxError, match="the supervisor of the run was killed"):
        await run(sandbox, Script("sleep 300"))
    await sandbox.stop()


async def test_five_hundred_runs_leak_no_memory_or_descriptors(sandbox: ZygoteSandbox) -> None:
    async def several(count: int) -> None:
        for number in range(count):
            await run(sandbox, Script("true") if number % 5 == 0 else PythonCode("print(1)"))

    await asyncio.gather(several(20), several(20))
    await asyncio.sleep(0.5)
    before, memory = _held(), _memory_kb()
    await asyncio.gather(several(250), several(250))
    deadline = time.monotonic() + 5
    while _held() != before and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert _held() == before
    assert _memory_kb() - memory < 1024
    assert list(sandbox._root.glob("*/run-*")) == []


def _held() -> tuple[int, int]:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), len(descendants(os.getpid()))


def _memory_kb() -> int:
    fields = Path("/proc/self/statm").read_text(encoding="utf-8").split()
    return int(fields[1]) * resource.getpagesize() // 1024


async def test_probe_names_a_remedy_for_each_broken_promise() -> None:
    began = time.monotonic()
    findings = probe()
    assert time.monotonic() - began < 10
    assert {level for finding in findings for level in finding.levels} == {Level.STRICT, Level.STANDARD}
    assert all(finding.held or (finding.why and finding.remedy) for finding in findings)


async def test_auto_chooses_the_best_level_that_holds(root: Path, level: Level) -> None:
    sandbox = create("auto", root, 1, [PythonEnvironment(preload=())])
    await sandbox.start()
    assert sandbox.level is level
    await sandbox.stop()


@pytest.mark.parametrize(
    ("code", "end", "message"),
    [
        (
            "raise MemoryError('not so much as a megabyte')",
            End.OUT_OF_MEMORY,
            "ran out of memory; its limit is 512 MiB",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)", End.SIGNALLED, "was ended by SIGUSR1"),
        ("raise SystemExit(3)", End.EXITED, None),
    ],
)
async def test_outcome_explains_the_end(sandbox: ZygoteSandbox, code: str, end: End, message: str | None) -> None:
    outcome, _ = await run(sandbox, PythonCode(code))
    assert (outcome.end, outcome.message) == (end, message)


@pytest.mark.parametrize(
    ("code", "exit_code", "last_line"),
    [
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", 3, ""),
        ("import sys\n\ndef main(): sys.exit('gave up')\n\nmain()", 1, "gave up"),
        ("pass pass", 1, "SyntaxError: invalid syntax"),
        ("print('kept', end='')\ntry: 1 / 0\nexcept ArithmeticError as error: kept = error", 0, "kept"),
    ],
)
async def test_python_code_ends_with_its_own_exit_code(
    sandbox: ZygoteSandbox, code: str, exit_code: int, last_line: str
) -> None:
    outcome, output = await run(sandbox, PythonCode(code))
    assert (outcome.exit_code, output.rstrip("\n").rpartition("\n")[2]) == (exit_code, last_line)


async def test_stop_removes_files_when_a_run_made_many(root: Path, level: Level) -> None:
    sandbox = ZygoteSandbox(level, root, 1, [PythonEnvironment(preload=())], without=ON_ONE_FILE_SYSTEM)
    await sandbox.start()
    many = "import os\nfor n in range(1500): os.makedirs(f'{n}/a')\nprint('made')"
    outcome, text = await run(sandbox, PythonCode(many))
    await sandbox.stop()
    assert (outcome.end, text) == (End.EXITED, "made\n")
    assert os.listdir(root) == []  # noqa: PTH208
