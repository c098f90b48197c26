"""The processor time and page faults of what this process started, and the time of the least that a run can cost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_FORKS = 100
_WARM_FORKS = """
import os, resource, sys
import numpy, numpy.linalg, numpy.random
import gc
gc.freeze()
code, forks = compile(sys.argv[1], "job.py", "exec"), int(sys.argv[2])
for _ in range(forks):
    if os.fork() == 0:
        sys.stdout = open(os.devnull, "w")
        exec(code, {})
        os._exit(0)
    os.wait()
own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print((own.ru_stime + own.ru_utime + children.ru_utime + children.ru_stime) * 1000)
"""


def own_ms() -> float:
    """Return the processor time of this process in milliseconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


def descendants_ms() -> float:
    """Return the processor time of all processes below this one, dead ones that were waited for included."""
    return (
        sum(sum(map(int, fields[11:15])) for fields in _descendants()) * 1000 / _TICKS
    )  # utime, stime, cutime, cstime


def descendants_faults() -> int:
    """Return how many pages the kernel has copied or mapped for all processes below this one, dead ones included."""
    return sum(int(fields[7]) + int(fields[8]) for fields in _descendants())  # minflt, cminflt


def _descendants() -> Iterator[list[str]]:
    """Yield the fields of proc_pid_stat(5), after the name, of each process below this one."""
    family = [os.getpid()]
    for pid in family:
        with suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                family += map(int, (thread / "children").read_text().split())
    for pid in family[1:]:
        with suppress(OSError):
            yield Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def warm_fork_ms(code: str) -> float:
    """Return the processor time of a fork of an interpreter that has imported numpy, which executes `code` and exits.

    Nothing is prepared, contained, watched or collected: no run can cost less.
    """
    return (_forks_ms(code, _FORKS) - _forks_ms(code, 1)) / (_FORKS - 1)


def _forks_ms(code: str, forks: int) -> float:
    command = [sys.executable, "-c", _WARM_FORKS, code, str(forks)]
    environment = {"OPENBLAS_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    return float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
