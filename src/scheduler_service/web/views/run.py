"""What the page of a run shows beside its log."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from scheduler_service.domain.records import Attempt, Job, Run
from scheduler_service.domain.run_state import ACTIVE, TERMINAL, Reason, RunStatus
from scheduler_service.web.views.runs import run_seconds
from scheduler_service.web.views.status import Status, status_of_run
from scheduler_service.web.views.timeline import Segment, timeline

TRACEBACK_LINES = 200
MAX_RAISED = 300
"""The most characters of an exception that stand above the log."""
MAX_RAISED_LINES = 4
_RAISED_EXIT_CODE = 1
_GROUP, _IN_GROUP = "  + ", "  | "
_TRACEBACK = re.compile(r"(?:  \+ Exception Group )?Traceback \(most recent call last\):")
_EXCEPTION = re.compile(r"[^\W\d][\w.]*(?::|$)")


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
    """Return the exception with which the log of a run ends if Python code failed by its exit code.

    An exception of several lines is returned with its first and its last ones. Of a group, it is the group itself.
    """
    is_python = job is not None and job.payload.get("type") == "python_code"
    if run.reason is not Reason.EXIT_CODE or run.message is not None or not is_python:
        return None
    lines = log.decode("utf-8", "replace").rstrip().splitlines()[-TRACEBACK_LINES:]
    begins = [number for number, line in enumerate(lines) if _TRACEBACK.fullmatch(line)]
    if not begins:
        return None
    is_group = lines[begins[-1]].startswith(_GROUP)
    after = [line.removeprefix(_IN_GROUP) if is_group else line for line in lines[begins[-1] + 1 :]]
    frames = list(takewhile(lambda line: line.startswith(" "), after))
    told = after[len(frames) :]
    if not frames or not told or not _EXCEPTION.match(told[0]):
        return None
    # What follows may also be output of a program that went on. One that an exception ends has this exit code.
    if len(told) > 1 and run.exit_code != _RAISED_EXIT_CODE:
        return None
    return _shortened(told[:1] if is_group else told)


def _shortened(told: Sequence[str]) -> str:
    """Return the lines of an exception as one text: if they are many, the first and the last ones."""
    shown = told if len(told) <= MAX_RAISED_LINES else (*told[: MAX_RAISED_LINES - 2], "…", told[-1])
    text = "\n".join(shown)
    return text if len(text) <= MAX_RAISED else text[: MAX_RAISED - 1] + "…"


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
