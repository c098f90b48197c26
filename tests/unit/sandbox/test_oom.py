"""The OOM score of jobs, and the count of OOM kills."""

from __future__ import annotations

import subprocess
import sys

from scheduler_service.sandbox.kernel.oom import count_oom_kills

PREFER = (
    "from scheduler_service.sandbox.kernel.oom import prefer_for_oom_kill as prefer; prefer(); "
    "import os; os.system('{show}')"
)


def test_oom_kills_are_counted_since_boot() -> None:
    assert count_oom_kills() >= 0


def test_children_inherit_the_highest_oom_score() -> None:
    code = PREFER.format(show="cat /proc/self/oom_score_adj")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "1000\n"
