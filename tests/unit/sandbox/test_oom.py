"""What is read of the kernel's OOM killer."""

from __future__ import annotations

import subprocess
import sys

from scheduler_service.sandbox.kernel.oom import count_oom_kills

PREFER = (
    "from scheduler_service.sandbox.kernel.oom import prefer_for_oom_kill as prefer; prefer(); "
    "import os; os.system('{show}')"
)


def test_kills_are_counted_since_the_start_of_the_host() -> None:
    assert count_oom_kills() >= 0


def test_children_inherit_the_highest_score() -> None:
    code = PREFER.format(show="cat /proc/self/oom_score_adj")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "1000\n"
