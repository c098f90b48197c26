"""What the processes of a run use together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import wait_until

from scheduler_service.sandbox.census import take_census

WITHOUT_FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_census_counts_a_zombie_apart_from_tasks() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    census = take_census([child.pid, os.getpid()])
    child.wait()
    assert (census.zombies, census.tasks >= 1) == (1, True)


def test_census_counts_the_threads_of_a_process_whose_first_thread_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", WITHOUT_FIRST_THREAD]) as process:
        wait_until(lambda: _state(process.pid) == "Z")
        census = take_census([process.pid])
        process.kill()
    assert (census.zombies, census.tasks) == (0, 2)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
