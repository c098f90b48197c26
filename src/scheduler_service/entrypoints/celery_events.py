"""Publishes attempts as Celery tasks for Flower: one task for each attempt, named after the job."""

from __future__ import annotations

import time
from typing import Any

from scheduler_service.brokers.message import task_id
from scheduler_service.brokers.monitor import Monitor
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.transitions import Claimed, Report

HANDED_BACK = "handed back: another attempt follows"


class TaskEvents:
    """Publishes the attempts of this worker as Celery events."""

    def __init__(self, monitor: Monitor) -> None:
        """Publish events to `monitor`."""
        self._monitor = monitor
        self._began_at: dict[str, float] = {}

    def attempt_started(self, claimed: Claimed) -> None:
        """Publish the start of a task."""
        name = _name(claimed)
        self._began_at[name] = time.monotonic()
        self._monitor.send(
            "task-received",
            uuid=name,
            name=claimed.job.name,
            args="()",
            kwargs=repr(_about(claimed)),
            root_id=name,
            parent_id=None,
            retries=claimed.run.attempt - 1,
            eta=None,
            expires=None,
        )
        self._monitor.send("task-started", uuid=name)

    def attempt_ended(self, claimed: Claimed, report: Report | None) -> None:
        """Publish the end of a task: success, failure with the reason, or revoked."""
        name = _name(claimed)
        seconds = time.monotonic() - self._began_at.pop(name, time.monotonic())
        if report is None:
            self._monitor.send("task-failed", uuid=name, exception=HANDED_BACK, traceback=None)
        elif report.status is RunStatus.SUCCESS:
            self._monitor.send("task-succeeded", uuid=name, result="exit code 0", runtime=seconds)
        elif report.status is RunStatus.CANCELLED:
            self._monitor.send("task-revoked", uuid=name, terminated=True, signum=None, expired=False)
        else:
            self._monitor.send("task-failed", uuid=name, exception=failure(report), traceback=None)


def failure(report: Report) -> str:
    """Return in one line why an attempt failed: the reason, the exit code or the signal, and the message."""
    details = []
    if report.exit_code is not None:
        details.append(f"exit code {report.exit_code}")
    if report.signal is not None:
        details.append(f"signal {report.signal}")
    if report.message:
        details.append(" ".join(report.message.split()))
    return f"{report.reason or report.status}: {', '.join(details)}" if details else str(report.reason or report.status)


def _name(claimed: Claimed) -> str:
    return task_id(claimed.run.id, claimed.run.attempt - 1)


def _about(claimed: Claimed) -> dict[str, Any]:
    run = claimed.run
    return {
        "job_id": run.job_id,
        "run_id": run.id,
        "attempt": run.attempt,
        "trigger": str(run.trigger),
        "scheduled_for": iso8601(run.scheduled_for),
    }
