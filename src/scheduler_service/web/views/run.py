"""What the page of a run shows beside its log."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler_service.domain.records import Attempt, Job, Run
from scheduler_service.domain.run_state import ACTIVE, TERMINAL, Reason, RunStatus
from scheduler_service.web.views.runs import run_seconds
from scheduler_service.web.views.status import Status, status_of_run
from scheduler_service.web.views.timeline import Segment, timeline

TRACEBACK_LINES = 200
MAX_RAISED = 300
"""The most characters of an exception that stand above the log."""
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt of a run."""

    number: int
    status: Status
    started_at: datetime
    seconds: float | None
    reason: str | None
    exit_code: int | None
    signal_name: str | None
    worker: str


@dataclass(frozen=True, slots=True)
class ShownState:
    """What changes of a run while it is followed."""

    status: RunStatus
    log_bytes: int

    @property
    def name(self) -> str:
        """Return the state as a word of an address."""
        return f"{self.status}.{self.log_bytes}"


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run with what is computed from it. `share` is the used part of the expected duration, at most 1."""

    status: Status
    seconds: float | None
    signal_name: str | None
    is_active: bool
    can_retry: bool
    is_stopping: bool
    cpu_seconds: float | None
    peak_bytes: int | None
    layers: tuple[str, ...]
    level: str | None
    segments: tuple[Segment, ...]
    state: ShownState
    attempts: tuple[AttemptRow, ...]


def run_page(run: Run, attempts: Sequence[Attempt], now: datetime) -> RunPage:
    """Return what the page of a run shows."""
    usage: Any = run.usage or {}
    isolation: Any = run.isolation or {}
    peak = usage.get("max_rss_kb")
    return RunPage(
        status=status_of_run(run.status),
        seconds=run_seconds(run, now),
        signal_name=signal_name(run.signal),
        is_active=run.status in ACTIVE,
        can_retry=run.status in TERMINAL and run.status is not RunStatus.SUCCESS,
        is_stopping=run.status in ACTIVE and run.cancel_requested_at is not None,
        cpu_seconds=usage.get("cpu_seconds"),
        peak_bytes=None if peak is None else peak * 1024,
        layers=tuple(isolation.get("layers", ())),
        level=isolation.get("level"),
        segments=timeline(run, attempts, now),
        state=ShownState(run.status, run.log_bytes),
        attempts=tuple(_row(attempt, now) for attempt in attempts),
    )


def raised_by(run: Run, job: Job | None, log: bytes) -> str | None:
    """Return the last line of a Python traceback if the log of a run that failed by its exit code ends with one."""
    is_python = job is not None and job.payload.get("type") == "python_code"
    if run.reason is not Reason.EXIT_CODE or run.message is not None or not is_python:
        return None
    lines = log.decode("utf-8", "replace").rstrip().splitlines()[-TRACEBACK_LINES:]
    if _TRACEBACK not in lines:
        return None
    after = lines[len(lines) - lines[::-1].index(_TRACEBACK) :]
    frames, last = after[:-1], after[-1] if after else ""
    if not frames or not last or last.startswith(" ") or not all(line.startswith(" ") for line in frames):
        return None
    return last if len(last) <= MAX_RAISED else last[: MAX_RAISED - 1] + "…"


def signal_name(number: int | None) -> str | None:
    """Return the name of a signal, such as SIGKILL."""
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _row(attempt: Attempt, now: datetime) -> AttemptRow:
    return AttemptRow(
        number=attempt.attempt,
        status=status_of_run(RunStatus(attempt.status)),
        started_at=attempt.started_at,
        seconds=max(0.0, ((attempt.finished_at or now) - attempt.started_at).total_seconds()),
        reason=attempt.reason,
        exit_code=attempt.exit_code,
        signal_name=signal_name(attempt.signal),
        worker=attempt.worker_id,
    )
