"""Each difference between a Python job and plain CPython that docs/running-code.md states."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.sandbox.test_zygote_sandbox import place_for_runs

from scheduler_service.sandbox import (
    End,
    Level,
    Outcome,
    PythonCode,
    Script,
    Spec,
    ZygoteSandbox,
    best_level,
    probe,
)
from scheduler_service.sandbox.contract.spec import Command, Sandbox
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[ZygoteSandbox]:
    if (level := best_level(probe())) is Level.NONE:
        pytest.skip("this host holds no level of the sandbox")
    with place_for_runs() as root:
        sandbox = ZygoteSandbox(level, root, 2)
        await sandbox.start()
        yield sandbox
        await sandbox.stop()


async def run(sandbox: Sandbox, command: Command | str, **env: str) -> tuple[Outcome, str]:
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    command = PythonCode(command) if isinstance(command, str) else command
    outcome = await sandbox.run(Spec(command, env=env), collect, asyncio.Event())
    return outcome, output.decode()


async def test_traceback_names_script_without_directory(sandbox: ZygoteSandbox) -> None:
    _, output = await run(sandbox, "def f(): 1 / 0\nf()")
    assert 'File "job.py", line 2, in <module>' in output
    assert 'File "job.py", line 1, in f' in output
    assert "/" not in output.replace("1 / 0", "")


async def test_traceback_shows_full_path_with_interpreter_variables(sandbox: ZygoteSandbox) -> None:
    _, output = await run(sandbox, "import os\nprint(os.getcwd())\n1 / 0", PYTHONHASHSEED="1")
    directory, _, traceback = output.partition("\n")
    assert f'File "{directory}/job.py", line 3, in <module>' in traceback


async def test_stdout_is_flushed_at_each_line(sandbox: ZygoteSandbox) -> None:
    code = "import os, sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('three')\nos._exit(0)"
    _, output = await run(sandbox, code)
    assert output == "one\ntwo\nthree\n"


async def test_stdout_is_unbuffered_with_interpreter_variables(sandbox: ZygoteSandbox) -> None:
    code = "import os\nprint('kept', end='')\nos._exit(0)"
    _, output = await run(sandbox, code, PYTHONOPTIMIZE="1")
    assert output == "kept"


async def test_stdout_is_unbuffered_at_level_none() -> None:
    with place_for_runs() as root:
        sandbox = SubprocessSandbox(root)
        await sandbox.start()
        _, output = await run(sandbox, "import os\nprint('kept', end='')\nos._exit(0)")
        await sandbox.stop()
    assert output == "kept"


async def test_preloaded_modules_are_loaded_at_start(sandbox: ZygoteSandbox) -> None:
    _, output = await run(sandbox, "import sys\nprint('numpy' in sys.modules, 'pandas' in sys.modules)")
    assert output == "True False\n"


async def test_crash_report_lists_preloaded_extensions(sandbox: ZygoteSandbox) -> None:
    _, output = await run(sandbox, "import ctypes, faulthandler\nfaulthandler.enable()\nctypes.string_at(0)")
    assert output.startswith("Fatal Python error: Segmentation fault\n")
    assert "Extension modules: numpy." in output
    assert "zygote" not in output


async def test_gc_does_not_track_objects_of_preloaded_modules(sandbox: ZygoteSandbox) -> None:
    _, output = await run(sandbox, "import gc\nprint(gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000)")
    assert output == "True True\n"


async def test_dunder_cached_equals_none_and_is_not_none(sandbox: ZygoteSandbox) -> None:
    _, output = await run(sandbox, "print(__cached__, bool(__cached__), __cached__ == None, __cached__ is None)")
    assert output == "None False True False\n"


async def test_run_is_out_of_memory_when_memory_error_is_uncaught(sandbox: ZygoteSandbox) -> None:
    outcome, output = await run(sandbox, "bytearray(1 << 60)")
    assert output.endswith("MemoryError\n")
    assert (outcome.end, outcome.exit_code) == (End.OUT_OF_MEMORY, None)


async def test_run_succeeds_when_memory_error_is_caught(sandbox: ZygoteSandbox) -> None:
    outcome, _ = await run(sandbox, "try: bytearray(1 << 60)\nexcept MemoryError: raise SystemExit(3)")
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 3)


async def test_proc_environ_lacks_the_variables_of_the_job(sandbox: ZygoteSandbox) -> None:
    code = "import os\nprint('GIVEN' in os.environ, b'GIVEN' in open('/proc/self/environ', 'rb').read())"
    _, output = await run(sandbox, code, GIVEN="1")
    assert output == "True False\n"


@pytest.mark.parametrize("name", ["python3", "python"])
async def test_script_finds_python_with_packages(sandbox: ZygoteSandbox, name: str) -> None:
    command = f"import sys, numpy; print(sys.prefix == {sys.prefix!r})"
    outcome, output = await run(sandbox, Script(f'{name} -c "{command}"'))
    assert (outcome.exit_code, output) == (0, "True\n")


async def test_trace_function_sees_two_calls_of_the_service_at_exit(sandbox: ZygoteSandbox) -> None:
    code = """import sys, os
def trace(frame, event, arg): os.write(1, f"{frame.f_code.co_filename}\\n".encode())
sys.settrace(trace)
"""
    _, output = await run(sandbox, code)
    files = output.splitlines()
    assert files.count("<end of script>") == 2
    assert not any("scheduler" in file for file in files)
