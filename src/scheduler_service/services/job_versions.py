"""The versions of jobs: the definition that each change led to, and who made it.

Values of variables are stored, because a version can be restored, and never shown. A version is deleted after the
retention time that follows its replacement; the current one is kept as long as its job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain import audit_diff
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Job, JobVersion
from scheduler_service.errors import NotFoundError
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.job_rows import check_history
from scheduler_service.storage import job_versions, jobs
from scheduler_service.storage.database import Database

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a version, by which operation of the API."""

    key_id: str | None
    caller_owner_id: str | None
    operation: str | None

    @classmethod
    def of(cls, caller: Caller, operation: str) -> Self:
        """Return the author of an operation."""
        return cls(caller.key_id, caller.owner_id, operation)


UNKNOWN = Author(None, None, None)


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version with its definition and the changes since the version before, both without secrets.

    `changes` None: the version before is not kept.
    """

    version: JobVersion
    definition: Mapping[str, Any]
    changes: Mapping[str, Any] | None


class JobVersionService:
    """Reads the versions of jobs, also of deleted jobs that still have history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(
        self, caller: Caller, job_id: int, before: int | None, size: int
    ) -> tuple[list[JobVersion], int | None]:
        """Return a page of versions, the newest first, and the `before` of the next page. Definitions are left out.

        Raise `NotFoundError` for an unknown job.
        """
        found = await self._newest(caller, job_id, before, size + 1)
        return found[:size], found[size - 1].version if len(found) > size else None

    async def newest_views(
        self, caller: Caller, job_id: int, before: int | None, size: int
    ) -> tuple[list[VersionView], int | None]:
        """Return a page as `newest` does, each version with its definition and changes."""
        found = await self._newest(caller, job_id, before, size + 1, has_definitions=True)
        views = [_view(version, earlier) for version, earlier in zip_longest(found, found[1:])]
        return views[:size], found[size - 1].version if len(found) > size else None

    async def get(self, caller: Caller, job_id: int, version: int) -> VersionView:
        """Return one version. Raise `NotFoundError` if there is no such job or version, or it is not kept."""
        async with self._database.read() as connection:
            await _check(connection, caller, job_id)
            found = await version_of(connection, job_id, version)
            return _view(found, await job_versions.find(connection, job_id, version - 1))

    async def changes(self, caller: Caller, job_id: int, before: int, after: int) -> Mapping[str, Any]:
        """Return the fields that differ between two versions, with both values, without secrets.

        Raise `NotFoundError` if one of them does not exist or is not kept.
        """
        async with self._database.read() as connection:
            await _check(connection, caller, job_id)
            old, new = [(await version_of(connection, job_id, each)).definition for each in (before, after)]
        return audit_diff.difference(old, new, None)

    async def _newest(
        self, caller: Caller, job_id: int, before: int | None, limit: int, *, has_definitions: bool = False
    ) -> list[JobVersion]:
        async with self._database.read() as connection:
            await _check(connection, caller, job_id)
            found = await job_versions.newest(connection, job_id, before, limit, has_definitions=has_definitions)
            if not found and before is None and (job := await jobs.find(connection, job_id)):
                return [_version(UNKNOWN, job, [], job.updated_at)]
        return list(found)


async def version_of(connection: AsyncConnection, job_id: int, version: int) -> JobVersion:
    """Return a version. Raise `NotFoundError` if it is not kept."""
    found = await job_versions.find(connection, job_id, version)
    if found is None:
        job = await jobs.find(connection, job_id)
        if job is None or job.version != version:
            raise NotFoundError(f"version {version} of job {job_id} does not exist, or is not kept any more")
        return _version(UNKNOWN, job, [], job.updated_at)  # it was stored before versions were kept
    return found


async def add_versions(
    connection: AsyncConnection, author: Author, changes: Sequence[tuple[Job | None, Job]], now: datetime
) -> None:
    """Store the versions that changes led to, and those before them that are missing. New jobs have no job before."""
    changed = [(before, after) for before, after in changes if before is not None]
    kept = await job_versions.replace_current(connection, [after.id for _, after in changed], now)
    versions = [
        _version(UNKNOWN, before, [], before.updated_at, replaced_at=now)
        for before, after in changed
        if after.id not in kept
    ]
    versions += [_version(author, after, _fields_of(before, after), now) for before, after in changes]
    if versions:
        await job_versions.add(connection, *versions)
    for _, after in changed:
        await job_versions.cut(connection, after.id, after.version)


def _fields_of(before: Job | None, after: Job) -> list[str]:
    """Return the names of the fields that a change affected."""
    return [] if before is None else list(audit_diff.difference(document_of(before), document_of(after)))


def _view(version: JobVersion, earlier: JobVersion | None) -> VersionView:
    """Return a version beside the one before, if `earlier` is that."""
    is_next = earlier is not None and earlier.version == version.version - 1
    changes = audit_diff.difference(earlier.definition, version.definition, None) if earlier and is_next else None
    return VersionView(version, audit_diff.masked(version.definition), changes)


async def _check(connection: AsyncConnection, caller: Caller, job_id: int) -> None:
    caller.require(Scope.READ)
    await check_history(connection, caller, job_id)


def _version(
    author: Author, job: Job, changed: list[str], created_at: datetime, replaced_at: datetime | None = None
) -> JobVersion:
    return JobVersion(
        job_id=job.id,
        version=job.version,
        created_at=created_at,
        replaced_at=replaced_at,
        key_id=author.key_id,
        caller_owner_id=author.caller_owner_id,
        operation=author.operation,
        changed=changed,
        definition=_as_json(document_of(job)),
    )


def _as_json(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: iso8601(value) if isinstance(value, datetime) else value for name, value in document.items()}
