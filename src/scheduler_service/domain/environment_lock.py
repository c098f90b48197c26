"""The lock of a job's requirements, and the error of a run whose environment cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler_service.errors import SchedulerError


class EnvironmentState(StrEnum):
    """What is known of an environment: that of the worker that reported last."""

    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EnvironmentLock:
    """The exact packages, with hashes, that requirements were resolved to. `id` is the hash of `text`."""

    id: str
    text: str
    requirements: tuple[str, ...]


class EnvironmentFailedError(SchedulerError):
    """An environment cannot be built or used here. The text is one line; `log` is what the build wrote."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class StoppedWaitingError(SchedulerError):
    """A run was to stop before its environment was built."""
