"""Workers, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.workers import examples
from scheduler_service.features.workers.records import WorkerRun, WorkerView
from scheduler_service.http.answers import Answer
from scheduler_service.services.liveness import Liveness


class WorkerRunOut(Answer):
    """A run that a worker executes."""

    model_config = ConfigDict(title="WorkerRun")

    run_id: Annotated[int, Field(description="Identifier of the run.")]
    job_id: Annotated[int, Field(description="Identifier of its job.")]
    job_name: Annotated[str, Field(description="Name of its job.")]
    attempt: Annotated[int, Field(description="Number of the attempt, counted from 1.")]
    started_at: Annotated[datetime, Field(description="Start of the attempt.")]

    @classmethod
    def of(cls, run: WorkerRun) -> Self:
        """Return a run as the API shows it."""
        return cls(**{name: getattr(run, name) for name in cls.model_fields})


class WorkerOut(Answer):
    """A process that executes runs."""

    model_config = ConfigDict(title="Worker", json_schema_extra={"examples": [examples.WORKER]})

    id: Annotated[str, Field(description="Identifier of the worker.")]
    host: Annotated[str, Field(description="Name of its host.")]
    pid: Annotated[int, Field(description="Process id on the host.")]
    monitor_name: Annotated[
        str | None, Field(description="Name in Flower and other Celery monitors. Null: they do not show it.")
    ]
    state: Annotated[
        Liveness,
        Field(
            description="`alive`; `unfit`: its sandbox fails, and it takes no runs; `draining`: it finishes its runs "
            "and takes no more; `silent`: no heartbeat for some seconds; `dead`."
        ),
    ]
    unfit_reason: Annotated[str | None, Field(description="Error of its sandbox. Null: it works.")]
    slots: Annotated[int, Field(description="Runs that it can execute at the same time.")]
    busy: Annotated[int, Field(description="Slots in use, as of its latest heartbeat.")]
    runs: Annotated[
        list[WorkerRunOut], Field(description="Runs that it executes. A key of one owner sees those of that owner.")
    ]
    sandbox_level: Annotated[str | None, Field(description="Isolation level of its runs. Null: not known.")]
    tags: Annotated[list[str], Field(description="Tags whose jobs it runs. Empty: all that no other worker reserves.")]
    grants: Annotated[list[str], Field(description="Grants that it holds.")]
    started_at: Annotated[datetime, Field(description="When it started.")]
    seen_at: Annotated[datetime, Field(description="Its latest heartbeat.")]
    heartbeat_age_seconds: Annotated[float, Field(description="Time since its latest heartbeat, in seconds.")]
    drain_requested_at: Annotated[
        datetime | None, Field(description="When somebody asked it to take no more runs. Null: nobody has.")
    ]

    @classmethod
    def of(cls, view: WorkerView) -> Self:
        """Return a worker as the API shows it."""
        own = {"state", "runs", "heartbeat_age_seconds"}
        return cls(
            **{name: getattr(view.worker, name) for name in cls.model_fields if name not in own},
            state=view.state,
            heartbeat_age_seconds=view.heartbeat_age_seconds,
            runs=[WorkerRunOut.of(run) for run in view.runs],
        )


class WorkerList(Answer):
    """All workers."""

    workers: Annotated[list[WorkerOut], Field(description="The workers, also those that died within the last hour.")]
