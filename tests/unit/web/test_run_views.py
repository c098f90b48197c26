"""What the pages of runs and jobs compute: the exception of a run, and the waits of a job before its retries."""

from __future__ import annotations

import pytest
from testkit.records import job_record, run_record

from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.web.views.job import retry_waits
from scheduler_service.web.views.run import MAX_RAISED, raised_by

TRACEBACK = 'begun\nTraceback (most recent call last):\n  File "job.py", line 1, in <module>\n    go()\n'
PYTHON = {"type": "python_code", "code": "go()"}


def _raised(log: str, kind: str = "python_code", reason: Reason = Reason.EXIT_CODE, exit_code: int = 1) -> str | None:
    run = run_record(status=RunStatus.FAILED, reason=reason, exit_code=exit_code)
    return raised_by(run, job_record(payload={**PYTHON, "type": kind}), log.encode())


def test_last_line_of_a_traceback_is_what_was_raised() -> None:
    assert _raised(TRACEBACK + "ValueError: no such region\n") == "ValueError: no such region"


def test_long_exception_is_cut() -> None:
    raised = _raised(TRACEBACK + "ValueError: " + "x" * 1000)
    assert raised is not None
    assert len(raised) == MAX_RAISED
    assert raised.endswith("…")


@pytest.mark.parametrize(
    "log", ["", "ValueError: printed", TRACEBACK, TRACEBACK + "and went on: caught\n", "Traceback"]
)
def test_log_that_does_not_end_with_a_traceback_tells_nothing(log: str) -> None:
    assert _raised(log) is None


def test_exception_of_several_lines_is_told_with_its_last() -> None:
    assert _raised(TRACEBACK + "pkg.Bad: first\nsecond\n  third\n") == "pkg.Bad: first\nsecond\n  third"
    many = "\n".join(f"line {number}" for number in range(20))
    assert _raised(f"{TRACEBACK}Bad: first\n{many}\n") == "Bad: first\nline 0\n…\nline 19"


def test_group_of_exceptions_is_told_by_its_first_line() -> None:
    log = (
        '  + Exception Group Traceback (most recent call last):\n  |   File "job.py", line 1, in <module>\n'
        "  |     go()\n  | ExceptionGroup: several (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n"
        "    | ValueError: a\n    +------------------------------------\n"
    )
    assert _raised(log) == "ExceptionGroup: several (2 sub-exceptions)"


def test_output_after_a_caught_exception_is_not_told() -> None:
    assert _raised(TRACEBACK + "ValueError: caught\nand went on\n", exit_code=3) is None


def test_traceback_of_other_kinds_and_reasons_tells_nothing() -> None:
    log = TRACEBACK + "ValueError: a\n"
    assert _raised(log, kind="shell_script") is None
    assert _raised(log, reason=Reason.TIMEOUT) is None


def test_waits_before_retries_grow_and_are_few() -> None:
    policy = {"max_retries": 2, "retry_delay": 60, "backoff_factor": 2, "max_delay": 3600, "jitter": 0.1}
    assert retry_waits(job_record(retry_policy=policy)) == (60, 120)
    assert len(retry_waits(job_record(retry_policy={**policy, "max_retries": 100}))) == 5
    assert retry_waits(job_record(retry_policy={})) == ()
