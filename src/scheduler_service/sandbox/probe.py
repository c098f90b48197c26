"""The levels that this host can hold, found by checking each promise in a child process; see `capability_checks`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.sandbox.contract.spec import Level, SandboxError
from scheduler_service.sandbox.zygote_interpreter import ZYGOTE_ENVIRONMENT, bootstrap

_SECONDS = 10.0
REMEDY = (
    "let every user pass to the directory of runs, or name another in SCHEDULER_RUN_DIR; install Python where every "
    "user can read it; or start the service as another user than root"
    if os.geteuid() == 0
    else "make the directory of runs writable and give it room, or name another in SCHEDULER_RUN_DIR"
)
"""The remedy if every promise holds but a trial run fails."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. If the promise does not hold, `why` says what happened and `remedy` what to do.

    A promise without `levels` is for information: runs are confined better if it holds, and no level depends on it.
    """

    levels: tuple[Level, ...]
    promise: str
    held: bool
    why: str = ""
    remedy: str = ""


def probe(python: Path = Path(sys.executable)) -> list[Finding]:
    """Check every promise with the interpreter of the jobs. Takes a fraction of a second.

    Leaves nothing behind, except that a delegated cgroup stays divided, as for the first sandbox; see `delegation`.

    Raises `SandboxError` if the checks cannot be made.
    """
    ours, theirs = os.pipe()
    with os.fdopen(ours, encoding="utf-8") as report:
        try:
            process = subprocess.run(  # noqa: S603 (the operator's own interpreter)
                [str(python), "-I", "-X", "utf8", "-c", bootstrap("runtime.capability_report"), str(theirs)],
                pass_fds=[theirs],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env=ZYGOTE_ENVIRONMENT,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SandboxError(f"the sandbox cannot be probed: {error}") from error
        finally:
            os.close(theirs)
        written = report.read()
    if process.returncode:
        raise SandboxError(f"the sandbox cannot be probed: {process.stderr.decode(errors='replace').strip()}")
    return [_find(*result) for result in json.loads(written)]


def best_level(findings: Sequence[Finding]) -> Level:
    """Return the best level whose promises all hold. `none` promises nothing, so there is always one."""
    broken = {level for finding in findings if not finding.held for level in finding.levels}
    return next(level for level in Level if level not in broken)


def _find(levels: Sequence[str], promise: str, why: str | None, remedy: str) -> Finding:
    named = tuple(Level(level) for level in levels)
    if why is None:
        return Finding(named, promise, held=True)
    return Finding(named, promise, held=False, why=why, remedy=remedy)
