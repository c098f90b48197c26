"""What a worker executes, and what it opens for the jobs that it executes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from scheduler_service.domain.records import Job
from scheduler_service.domain.resource_limits import NO_LIMITS, ResourceLimits
from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.secrets import SecretRefusedError
from scheduler_service.engine.artifacts import KeepsArtifacts, NoArtifacts
from scheduler_service.engine.run_environment import Environments, NoEnvironments
from scheduler_service.sandbox.contract.access import NOTHING, Access

AccessOf = Callable[[Job], Awaitable[Access]]
SecretsOf = Callable[[Job], Awaitable[Mapping[str, str]]]


async def _no_access(_: Job) -> Access:
    return NOTHING


async def _no_secrets(job: Job) -> Mapping[str, str]:
    if job.secrets:
        raise SecretRefusedError("this worker has no secrets")
    return {}


@dataclass(frozen=True, slots=True)
class ExecutionRules:
    """Which runs a worker executes (`routing`), the server's upper limits, and what grants and secrets open.

    `access_of` returns what a job's grants open, or raises `GrantRefusedError`. `secrets_of` returns the values of a
    job's secrets by their names, or raises `SecretRefusedError`. `environments` opens the packages of jobs.
    """

    routing: Routing = EVERYTHING
    resource_limits: ResourceLimits = NO_LIMITS
    access_of: AccessOf = _no_access
    artifacts: KeepsArtifacts = field(default_factory=NoArtifacts)
    environments: Environments = field(default_factory=NoEnvironments)
    secrets_of: SecretsOf = _no_secrets
