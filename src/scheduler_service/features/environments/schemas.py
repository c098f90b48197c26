"""Environments, as the API shows them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.features.environments import examples
from scheduler_service.features.environments.lock_text import names_in
from scheduler_service.features.environments.records import Environment
from scheduler_service.http.answers import Answer


class EnvironmentOut(Answer):
    """The packages of jobs with the same lock."""

    model_config = ConfigDict(
        title="Environment", extra="ignore", json_schema_extra={"examples": [examples.ENVIRONMENT]}
    )

    id: Annotated[str, Field(description="Hash of the lock. Jobs with the same lock share the environment.")]
    state: Annotated[
        EnvironmentState,
        Field(
            description="`building`: no worker has built it yet. `ready` or `failed`: the end of the latest build on "
            "any worker."
        ),
    ]
    requirements: Annotated[list[str], Field(description="The requirements that were resolved first to this lock.")]
    packages: Annotated[list[str], Field(description="The packages of the lock with their versions.")]
    size_bytes: Annotated[int | None, Field(description="Size on disk, in bytes. Null: not built yet.")]
    build_seconds: Annotated[
        float | None, Field(description="Duration of the latest build, in seconds. Null: not built yet.")
    ]
    created_at: Annotated[datetime, Field(description="When a job was first stored with this lock.")]
    built_at: Annotated[datetime | None, Field(description="End of the latest build. Null: not built yet.")]
    used_at: Annotated[datetime, Field(description="When a job was last stored with it, or a worker built it.")]

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """Return an environment as it is shown."""
        return cls(**asdict(environment), packages=names_in(environment.lock))


class EnvironmentDetail(EnvironmentOut):
    """An environment with its lock and the log of its latest build."""

    model_config = ConfigDict(
        title="Environment in full", extra="ignore", json_schema_extra={"examples": [examples.DETAIL]}
    )

    lock: Annotated[str, Field(description="The lock: one line for each package, with the hashes of its wheels.")]
    log: Annotated[str, Field(description="What the latest build wrote.")]


class EnvironmentList(Answer):
    """The environments of the caller's jobs."""

    environments: Annotated[list[EnvironmentOut], Field(description="The newest 500, newest first.")]
