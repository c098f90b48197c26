"""Publishes attempts as Celery tasks for Flower: one task for each attempt, named after the job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from scheduler_service.brokers.message import task_id
from scheduler_service.brokers.monitor import Monitor
from scheduler_service.config.settings import Settings
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Worker
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.rescues import LOST_MESSAGE, LostAttempt
from scheduler_service.storage.transitions import AttemptEnd

REQUEUED = "requeued: another attempt follows"


class TaskEvents:
    """Publishes the attempts of this worker, or of workers that died, as Celery events."""

    def __init__(self, monitor: Monitor, runs_url: str) -> None:
        """Publish events to `monitor`. The page of a run is below `runs_url`."""
        self._monitor = monitor
        self._runs_url = runs_url
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
            kwargs=repr(_about(claimed, self._runs_url)),
            root_id=name,
            parent_id=None,
            retries=claimed.run.attempt - 1,
            eta=None,
            expires=None,
        )
        self._monitor.send("task-started", uuid=name)

    def attempt_ended(self, claimed: Claimed, end: AttemptEnd | None) -> None:
        """Publish the end of a task: success, failure with the reason, or revoked."""
        name = _name(claimed)
        # A monitor that was started after the attempt learns the name of the job here.
        task = {"uuid": name, "name": claimed.job.name}
        seconds = time.monotonic() - self._began_at.pop(name, time.monotonic())
        if end is None:
            self._monitor.send("task-failed", exception=REQUEUED, traceback=None, **task)
        elif end.status is RunStatus.SUCCESS:
            self._monitor.send("task-succeeded", result="exit code 0", runtime=seconds, **task)
        elif end.status is RunStatus.CANCELLED:
            self._monitor.send("task-revoked", terminated=True, signum=None, expired=False, **task)
        else:
            self._monitor.send("task-failed", exception=failure(end), traceback=None, **task)

    def attempts_lost(self, worker: Worker, lost: Sequence[LostAttempt]) -> None:
        """Publish the failure of the tasks of a dead worker, which cannot do so itself."""
        for each in lost:
            self._monitor.send(
                "task-failed",
                of_worker=worker.monitor_name,
                uuid=task_id(each.run_id, each.attempt - 1),
                name=each.job_name,
                exception=f"{Reason.WORKER_LOST}: {LOST_MESSAGE}",
                traceback=None,
            )


def runs_url(settings: Settings) -> str:
    """Return the address below which people find runs: in the web interface, or in the API if that is off."""
    return settings.effective_public_url + ("/api/v1/runs" if settings.ui == "off" else "/ui/runs")


def failure(end: AttemptEnd) -> str:
    """Return in one line why an attempt failed: the reason, the exit code or the signal, and the message."""
    details = []
    if end.exit_code is not None:
        details.append(f"exit code {end.exit_code}")
    if end.signal is not None:
        details.append(f"signal {end.signal}")
    if end.message:
        details.append(" ".join(end.message.split()))
    return f"{end.reason or end.status}: {', '.join(details)}" if details else str(end.reason or end.status)


def _name(claimed: Claimed) -> str:
    return task_id(claimed.run.id, claimed.run.attempt - 1)


def _about(claimed: Claimed, runs_url: str) -> dict[str, Any]:
    run = claimed.run
    return {
        "page": f"{runs_url}/{run.id}",
        "job_id": run.job_id,
        "run_id": run.id,
        "attempt": run.attempt,
        "trigger": str(run.trigger),
        "scheduled_for": iso8601(run.scheduled_for),
    }
