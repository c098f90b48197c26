"""The line that reports the end of a run."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_service.cli.log_follower import ending_line

RUN = {
    "id": 7, "status": "failed", "reason": None, "message": None, "exit_code": None, "signal": None,
    "duration_seconds": 1.5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"status": "success"}, "Run 7: success, after 1.500s."),
        ({"reason": "exit_code", "exit_code": 3}, "Run 7: failed (exit code 3), after 1.500s."),
        ({"reason": "signal", "signal": 9}, "Run 7: failed (signal 9, SIGKILL), after 1.500s."),
        ({"reason": "signal", "signal": 40}, "Run 7: failed (signal 40, SIGRTMIN+6), after 1.500s."),
        ({"reason": "timeout", "signal": 9}, "Run 7: failed (timeout), after 1.500s."),
        (
            {"reason": "rejected", "message": "rsync: there is no such program"},
            "Run 7: failed (rejected), after 1.500s. rsync: there is no such program",
        ),
    ],
)
def test_ending_line_names_status_and_cause(run: dict[str, Any], words: str) -> None:
    assert ending_line({**RUN, **run}) == words
