"""What containment this host can hold: found out by doing, not by reading version numbers."""

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
"""What helps if every promise holds but a trial run fails."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one promise of `levels` holds here; if not, `why` says what happened and `remedy` what to do about it.

    Without `levels` it is for information: a run is held better where it holds, and no level depends on it.
    """

    levels: tuple[Level, ...]
    promise: str
    held: bool
    why: str = ""
    remedy: str = ""


def probe(python: Path = Path(sys.executable)) -> list[Finding]:
    """Try every promise with the interpreter that is to serve; takes a fraction of a second and leaves nothing.

    But a cgroup that is delegated to the service stays divided, as its first sandbox would have it; see `delegation`.

    Raises `SandboxError` if not even the trial can be made.
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
    """Return the best level all of whose promises hold; `none`, which promises nothing, if no other does."""
    broken = {level for finding in findings if not finding.held for level in finding.levels}
    return next(level for level in Level if level not in broken)


def _find(levels: Sequence[str], promise: str, why: str | None, remedy: str) -> Finding:
    named = tuple(Level(level) for level in levels)
    if why is None:
        return Finding(named, promise, held=True)
    return Finding(named, promise, held=False, why=why, remedy=remedy)
