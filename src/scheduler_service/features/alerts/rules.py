"""Which changes of runs cause alerts, and what an alert says. Pure: `at` and the counts are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler_service.domain.run_state import Reason


class AlertKind(StrEnum):
    """What an alert is about."""

    # A run failed and has no retries left.
    FAILURE = "failure"
    # A number of runs of a job failed within a window; at most one alert per window.
    FLAPPING = "flapping"
    # The first success after a failure.
    RECOVERY = "recovery"
    # Instants of a schedule passed without a run.
    MISSED = "missed"
    # A run started, or is still queued, a number of seconds after it was due.
    LATE = "late"
    # A run has been running for a number of seconds.
    TOO_LONG = "too_long"
    # A worker is alive but claims no runs, because of a fault of its sandbox or its host.
    WORKER_UNFIT = "worker_unfit"
    # A test of the rule's channel.
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which values on a rule alerts."""

    late_seconds: float
    too_long_seconds: float
    failures: int
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A change of a run, as rules see it. `failures` counts failed runs within the window, this one included."""

    change: str
    at: datetime
    run_id: int
    lateness_seconds: float | None
    was_failing: bool
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How the last attempt of a run failed. `log_tail` is the end of the run's log, as the program wrote it."""

    attempt: int
    exit_code: int | None = None
    signal: int | None = None
    message: str | None = None
    log_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The content of an alert. FAILURE and FLAPPING have a `failure` if the run still exists.

    WORKER_UNFIT is about no job: `worker` names the worker, `message` says why it claims no runs.
    """

    kind: AlertKind
    job_id: int | None
    job_name: str
    owner_id: str
    run_id: int | None
    at: datetime
    reason: Reason | None = None
    seconds: float | None = None
    count: int | None = None
    failure: Failure | None = None
    worker: str | None = None
    message: str | None = None

    @property
    def headline(self) -> str:
        """Return the alert in one line."""
        name, seconds = " ".join(self.job_name.split()), f"{self.seconds or 0:.0f} s"
        texts = {
            AlertKind.FAILURE: f"{name} failed" + (f": {self._cause}" if self.reason else ""),
            AlertKind.FLAPPING: f"{name} keeps failing: {self.count} times lately",
            AlertKind.RECOVERY: f"{name} works again",
            AlertKind.MISSED: f"{name} missed {self.count} of its instants",
            AlertKind.LATE: f"{name} is late by {seconds}",
            AlertKind.TOO_LONG: f"{name} has been running for {seconds}",
            AlertKind.WORKER_UNFIT: f"worker {self.worker} claims no runs: {' '.join((self.message or '').split())}",
            AlertKind.TEST: "This is a test: alerts come through",
        }
        return texts[self.kind]

    @property
    def _cause(self) -> str:
        match self.failure:
            case Failure(exit_code=int(code)):
                cause = f"exit code {code}"
            case Failure(signal=int(number)):
                cause = f"signal {number}"
            case _:
                cause = str(self.reason)
        attempts = f" ({self.failure.attempt} attempts)" if self.failure and self.failure.attempt > 1 else ""
        return f"{cause}{attempts}"


def kinds_of(change: StateChange, wanted: frozenset[AlertKind], thresholds: Thresholds) -> list[AlertKind]:
    """Return which of the wanted alerts a change of a run causes."""
    lateness = change.lateness_seconds or 0.0
    holds = {
        AlertKind.FAILURE: change.change == "failed",
        AlertKind.FLAPPING: change.change == "failed" and change.failures >= thresholds.failures,
        AlertKind.RECOVERY: change.change == "success" and change.was_failing,
        AlertKind.MISSED: change.change == "missed",
        AlertKind.LATE: change.change == "running" and lateness >= thresholds.late_seconds,
    }
    return [kind for kind, is_caused in holds.items() if is_caused and kind in wanted]


def key_of_worker(worker_id: str, at: datetime, window_seconds: float) -> str:
    """Return the key by which a rule alerts about an unfit worker at most once in each window."""
    return f"unfit:{worker_id}:{at.timestamp() // window_seconds:.0f}"


def key_prefix(kind: AlertKind) -> str:
    """Return the part of a key before the id of the run."""
    return f"{kind}:run:"


def key_of(kind: AlertKind, run_id: int) -> str:
    """Return the key by which a rule alerts about a run once, whichever process or check finds the cause first."""
    return f"{key_prefix(kind)}{run_id}"
