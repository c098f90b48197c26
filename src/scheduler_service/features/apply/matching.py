"""Finds the job that each document means. Pure.

The identity of a document is its owner and its `external_key`. Without a key, its name takes the key's place: a new
job gets its name as its key. A job that has no key is found by its name, unless several of them share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import JsonValue

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.errors import FieldProblem
from scheduler_service.features.apply.records import Identity

KEY, NAME = "external_key", "name"


@dataclass(frozen=True, slots=True)
class Matches:
    """The job of each document, None for a new one, and the problems by the index of the document."""

    jobs: Sequence[Job | None]
    problems: Mapping[int, FieldProblem]


@dataclass(slots=True)
class Stored:
    """Stored jobs by their keys, or by their names if they have no key."""

    by_key: dict[tuple[str, str], Job] = field(default_factory=dict)
    by_name: dict[tuple[str, str], list[Job]] = field(default_factory=dict)

    @classmethod
    def having(cls, jobs: Iterable[Job]) -> Self:
        """Return these jobs."""
        stored = cls()
        for job in jobs:
            if job.external_key is None:
                stored.by_name.setdefault((job.owner_id, job.name), []).append(job)
            else:
                stored.by_key[job.owner_id, job.external_key] = job
        return stored

    def of(self, identity: Identity) -> list[Job]:
        """Return the jobs that an identity can mean: one at most if it has a key."""
        if job := self.by_key.get((identity.owner_id, identity.key)):
            return [job]
        return self.by_name.get((identity.owner_id, identity.name), [])


def identity_of(document: Mapping[str, JsonValue], default_owner: str) -> Identity:
    """Return the identity of a document, as far as its fields are texts."""
    return Identity(_text(document.get("owner_id")) or default_owner, _text(document.get(NAME)), _key(document))


def match(identities: Sequence[Identity], stored: Stored) -> Matches:
    """Return which job each document means. `stored` has the jobs with one of the keys or names."""
    jobs: list[Job | None] = []
    problems: dict[int, FieldProblem] = {}
    users: dict[tuple[str, str] | int, int] = {}
    for index, identity in enumerate(identities):
        found = stored.of(identity)
        jobs.append(found[0] if len(found) == 1 else None)
        if len(found) > 1:
            problems[index] = _ambiguous(identity, found)
        means: list[tuple[str, str] | int] = [(identity.owner_id, identity.key), *(job.id for job in found)]
        for user in means:
            if identity.key and (first := users.setdefault(user, index)) != index:
                problems.setdefault(index, _repeated(identity, first))
    return Matches(jobs, problems)


def completed(document: Mapping[str, JsonValue], identity: Identity, job: Job | None) -> dict[str, Any]:
    """Return a document with its key, and with the pause of its job unless it says whether that is enabled."""
    whole: dict[str, Any] = dict(document)
    if whole.get(KEY) is None and identity.key:
        whole[KEY] = identity.key if job is None else job.external_key
    if job is not None:
        whole.setdefault("enabled", job.status is not JobStatus.PAUSED)
    return whole


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _key(document: Mapping[str, JsonValue]) -> str | None:
    return _text(document.get(KEY)) or None


def _repeated(identity: Identity, first: int) -> FieldProblem:
    where = KEY if identity.external_key else NAME
    message = f"document {first + 1} means the same job; write another {where}, or remove one of them"
    return FieldProblem(where, message, identity.key)


def _ambiguous(identity: Identity, jobs: Sequence[Job]) -> FieldProblem:
    ids = ", ".join(str(job.id) for job in jobs)
    message = (
        f"the jobs {ids} have this name and no external_key; give one of them a key, such as "
        f"`scheduler jobs edit {jobs[0].id} external_key=…`"
    )
    return FieldProblem(NAME, message, identity.name)
