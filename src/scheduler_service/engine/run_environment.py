"""The packages of a run: opened before its code begins, and kept on the host until it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Protocol

from scheduler_service.domain.environment_lock import EnvironmentFailedError
from scheduler_service.domain.records import Job
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.spec import Cancel, PythonCode, Spec


class Environments(Protocol):
    """Opens the environments of jobs on this host."""

    def opened(
        self, job: Job, say: Callable[[bytes], Awaitable[None]], cancel: Cancel
    ) -> AbstractAsyncContextManager[PythonEnvironment | None]:
        """Return a block with the environment of a job, or None if the job has none.

        `say` receives the log of a build. Entering the block raises `EnvironmentFailedError` if the environment cannot
        be had, and `StoppedWaitingError` if `cancel` comes first.
        """
        ...


class NoEnvironments:
    """Refuses runs of jobs that have an environment."""

    @asynccontextmanager
    async def opened(
        self,
        job: Job,
        say: Callable[[bytes], Awaitable[None]],  # noqa: ARG002 (nothing is built)
        cancel: Cancel,  # noqa: ARG002 (nothing is waited for)
    ) -> AsyncIterator[PythonEnvironment | None]:
        """Yield None. Raise `EnvironmentFailedError` for a job with an environment."""
        if job.environment_id is not None:
            raise EnvironmentFailedError("this worker installs no packages")
        yield None


def in_environment(spec: Spec, environment: PythonEnvironment | None) -> Spec:
    """Return the spec of a run in an environment."""
    if environment is None or not isinstance(spec.command, PythonCode):
        return spec
    return replace(spec, command=replace(spec.command, environment=environment))
