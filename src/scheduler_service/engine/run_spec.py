"""Builds what the sandbox is given for one attempt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.job_files import content_of
from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.domain.secrets import files_of, variables_of
from scheduler_service.engine.run_result import text_of
from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox.contract.access import NOTHING, Access
from scheduler_service.sandbox.contract.spec import Limits, Spec
from scheduler_service.storage.claims import Claimed

_DEFAULTS = {"artifacts_mb": Limits().artifacts_mb, "grace_seconds": Limits().grace_seconds}


@dataclass(frozen=True, slots=True)
class Opened:
    """What an attempt receives: the access of its grants, the value of each secret by its name, and results.

    `upstream_result` is of the run after which this one began, or None.
    """

    access: Access = NOTHING
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    upstream_result: Any = None


def build_spec(claimed: Claimed, payload: Payload, resource_limits: ResourceLimits, opened: Opened) -> Spec:
    """Return the command of an attempt, with the limits and access of its job, and the inputs of job and run."""
    run, job = claimed.run, claimed.job
    about = {
        "SCHEDULER_JOB_ID": str(job.id),
        "SCHEDULER_RUN_ID": str(run.id),
        "SCHEDULER_SCHEDULED_FOR": iso8601(run.scheduled_for),
        "SCHEDULER_ATTEMPT": str(run.attempt),
        "SCHEDULER_ARGS": json.dumps({**job.args, **(run.args or {})}),
        "SCHEDULER_CORRELATION_ID": run.correlation_id,
    }
    if job.last_result is not None:
        about["SCHEDULER_LAST_RESULT"] = text_of(job.last_result)
    if opened.upstream_result is not None:
        about["SCHEDULER_INPUT"] = text_of(opened.upstream_result)
    # Jobs that were stored before a limit existed have its default.
    allowed = resource_limits.clamp({**_DEFAULTS, **job.limits, "timeout_seconds": job.timeout_seconds})
    limits = Limits(wall_seconds=allowed.pop("timeout_seconds"), **allowed)
    files = {name: content_of(file) for name, file in job.files.items()}
    files |= files_of(job.secrets, opened.secrets)
    return Spec(
        command=payload.command(),
        limits=limits,
        env={**job.env, **(run.env or {}), **variables_of(job.secrets, opened.secrets), **about},
        access=opened.access,
        files=files,
        collects=True,
    )
