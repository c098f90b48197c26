"""The response models of job versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.domain.records import JobVersion
from scheduler_service.http.answers import Answer
from scheduler_service.services.job_versions import VersionView

VERSION: dict[str, Any] = {
    "job_id": 1,
    "version": 2,
    "created_at": "2026-01-15T10:40:00Z",
    "replaced_at": None,
    "key_id": "sk_4f1c9a2b",
    "caller_owner_id": "math_team",
    "operation": "patchJob",
    "changed": ["schedule_expr"],
}
VERSION_PAGE: dict[str, Any] = {"versions": [VERSION], "next": None}
VERSION_WHOLE: dict[str, Any] = {
    **VERSION,
    "definition": {"name": "Mathematical Analysis", "schedule_expr": "*/5 * * * *", "env": {"LEVEL": "***"}},
    "changes": {"schedule_expr": {"before": "*/10 * * * *", "after": "*/5 * * * *"}},
}


class JobVersionOut(Answer):
    """The definition of a job from one change to the next, without the definition itself."""

    model_config = ConfigDict(title="JobVersion", json_schema_extra={"examples": [VERSION]})

    job_id: Annotated[int, Field(description="Identifier of the job.")]
    version: Annotated[int, Field(description="Number of the version, counted from 1. Runs name it as `job_version`.")]
    created_at: Annotated[datetime, Field(description="When the change was made.")]
    replaced_at: Annotated[
        datetime | None, Field(description="When the next version replaced it. Null: it is current.")
    ]
    key_id: Annotated[
        str | None,
        Field(description="Id of the key that made the change. `API_KEY`: that of the setting. Null: unknown."),
    ]
    caller_owner_id: Annotated[str | None, Field(description="Owner of that key. Null: none, or unknown.")]
    operation: Annotated[
        str | None, Field(description="Name of the operation in this documentation, such as `patchJob`. Null: unknown.")
    ]
    changed: Annotated[list[str], Field(description="Fields that differ from the version before. Empty for the first.")]

    @classmethod
    def of(cls, version: JobVersion, **more: Any) -> Self:
        """Build the answer from a version."""
        return cls(**{name: getattr(version, name) for name in JobVersionOut.model_fields}, **more)


class JobVersionWhole(JobVersionOut):
    """A version with its definition, and what it changed."""

    model_config = ConfigDict(title="JobVersion with definition", json_schema_extra={"examples": [VERSION_WHOLE]})

    definition: Annotated[
        dict[str, JsonValue],
        Field(description="All fields of the job's definition. Values of variables and other secrets show as `***`."),
    ]
    changes: Annotated[
        dict[str, JsonValue] | None,
        Field(
            description="The changed fields, each with `before` and `after`, secrets as `***`. Null: the version "
            "before does not exist or is not kept."
        ),
    ]

    @classmethod
    def of_view(cls, view: VersionView) -> Self:
        """Build the answer from a version with its changes."""
        changes = None if view.changes is None else dict(view.changes)
        return cls.of(view.version, definition=dict(view.definition), changes=changes)


class JobVersionPage(Answer):
    """A page of the versions of a job."""

    versions: Annotated[list[JobVersionOut], Field(description="The versions of this page, the newest first.")]
    next: Annotated[int | None, Field(description="Value of `before` for the next page. Null: this page is the last.")]
