"""The memory, tasks and kernel objects of a run's processes together."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from testkit.waiting import wait_until

from scheduler_service.sandbox.accounting.kernel_objects import descriptors_kb
from scheduler_service.sandbox.accounting.memory_use import MemoryUse
from scheduler_service.sandbox.accounting.process_stats import read_process_stats

WITHOUT_FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_zombie_does_not_count_as_a_task() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    stats = read_process_stats([child.pid, os.getpid()])
    child.wait()
    assert (stats.zombies, stats.tasks >= 1) == (1, True)


def test_threads_count_when_the_first_thread_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", WITHOUT_FIRST_THREAD]) as process:
        wait_until(lambda: _state(process.pid) == "Z")
        stats = read_process_stats([process.pid])
        process.kill()
    assert (stats.zombies, stats.tasks) == (0, 2)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


MAPPINGS = """
import mmap
held = [mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=i % 2) for i in range(40000)]
print(flush=True)
input()
"""


def test_memory_counts_the_mappings_of_a_process() -> None:
    with subprocess.Popen([sys.executable, "-c", MAPPINGS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes = read_process_stats([process.pid]).processes
        least_kb = processes[0].resident_kb + 2000  # 0.25 kB for each mapping, less for pages that it shares
        assert MemoryUse(least_kb).is_exceeded(processes, 0, 0)
        process.communicate(b"\n")


def test_memory_is_within_limit_when_addresses_fit() -> None:
    processes = read_process_stats([os.getpid()]).processes
    assert not MemoryUse(processes[0].virtual_kb).is_exceeded(processes, 0, 0)


def test_memory_counts_kernel_memory() -> None:
    processes = read_process_stats([os.getpid()]).processes
    assert MemoryUse(processes[0].virtual_kb).is_exceeded(processes, 0, processes[0].virtual_kb)


def test_file_locks_count_when_there_are_very_many(tmp_path: Path) -> None:
    with (tmp_path / "locked").open("wb") as file:
        before = descriptors_kb([os.getpid()])
        for place in range(2000, 0, -1):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * place)
        assert descriptors_kb([os.getpid()]) > before
