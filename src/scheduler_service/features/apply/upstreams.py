"""Upstream jobs that documents name by their keys. Pure.

Theory of operation. In `after`, a document may write `{"external_key": …}` where a request writes `{"job": 3}`. The id
takes the place of the key before the document is validated. A job that the same set creates has no id yet: a stand-in,
which is greater than every id, takes its place until the job is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue

from scheduler_service.domain.dependencies import Dependency, cycle_through, dependencies_in
from scheduler_service.domain.records import Job
from scheduler_service.errors import FieldProblem
from scheduler_service.features.apply.matching import KEY, Stored
from scheduler_service.features.apply.records import Action, Identity, Step
from scheduler_service.services.job_acceptance import JobChange
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_dependencies import unknown_among

FIRST_STAND_IN = 2**62
_NOBODY = FIRST_STAND_IN + 2**32
AFTER, JOB = "after", "job"


def named_in(documents: Iterable[Mapping[str, JsonValue]], identities: Iterable[Identity]) -> list[Identity]:
    """Return the identities of the jobs that documents name by keys in `after`."""
    return [
        Identity(identity.owner_id, key, key)
        for document, identity in zip(documents, identities, strict=True)
        for key in dict.fromkeys(entry[KEY] for _, entry in _keyed(document))
    ]


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The jobs that keys mean: those of the documents, then those that are stored."""

    stored: Stored
    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, identities: Sequence[Identity], jobs: Sequence[Job | None], stored: Stored) -> Upstreams:
        """Return the upstream jobs that the documents with these identities can name. A job of None is new."""
        found = cls(stored)
        for index, (identity, job) in enumerate(zip(identities, jobs, strict=True)):
            found.ids[identity.owner_id, identity.key] = FIRST_STAND_IN + index if job is None else job.id
            found.keys[FIRST_STAND_IN + index] = identity.key
        return found

    def resolve(self, document: dict[str, Any], identity: Identity) -> list[FieldProblem]:
        """Replace the keys in `after` of a document by ids, and return a problem for each that means no job."""
        problems: list[FieldProblem] = []
        keyed = list(_keyed(document))
        if keyed:
            document[AFTER] = list(document[AFTER])
        seen: set[int] = set()
        for place, entry in keyed:
            meant = self._id_of(Identity(identity.owner_id, entry[KEY], entry[KEY]))
            if problem := _problem(place, entry, meant, seen):
                problems.append(problem)
            # A wrong one gets a stand-in that is none of the set's, so that the other fields are validated.
            given = meant if meant is not None and meant not in seen else _NOBODY + place
            document[AFTER][place] = {**_without_key(entry), JOB: given}
            seen.add(given)
        return problems

    def shown(self, step: Step) -> Step:
        """Return a step whose differences show keys in the place of stand-ins."""
        values = step.differences.get(AFTER, {})
        if not isinstance(values.get("after"), list):
            return step
        told = {**values, "after": [self._written(entry) for entry in values["after"]]}
        return replace(step, differences={**step.differences, AFTER: told})

    def cycles(self, steps: Iterable[Step], edges: Mapping[int, Iterable[int]]) -> Iterator[tuple[int, FieldProblem]]:
        """Yield each document whose job would run after itself, with the problem. `edges` are those that are stored."""
        known = dict(edges)
        changed: list[tuple[int, int]] = []
        for step in steps:
            job = step.definition or step.edited or step.job
            if job is None or step.document is None:
                continue
            node = FIRST_STAND_IN + step.document if step.job is None else step.job.id
            known[node] = upstream_ids(job)
            if known[node] and step.action is not Action.UNCHANGED:
                changed.append((step.document, node))
        names = self.keys | {job.id: key for (_, key), job in self.stored.by_key.items()}
        names |= {step.job.id: step.identity.key for step in steps if step.job is not None}
        for document, node in changed:
            if cycle := cycle_through(node, known):
                path = " after ".join(names.get(each, f"job {each}") for each in reversed(cycle))
                message = f"the job would run after itself ({path}); remove one of these from `{AFTER}`"
                yield document, FieldProblem(AFTER, message)

    def _id_of(self, identity: Identity) -> int | None:
        if (known := self.ids.get((identity.owner_id, identity.key))) is not None:
            return known
        found = self.stored.of(identity)
        return found[0].id if len(found) == 1 else None

    def _written(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        key = self.keys.get(entry[JOB])
        return dict(entry) if key is None else {KEY: key, **{name: entry[name] for name in entry if name != JOB}}


def upstream_ids(job: Job | JobDefinition) -> list[int]:
    """Return the ids of the upstream jobs of a job."""
    if isinstance(job, JobDefinition):
        return [each.job for each in job.after]
    return [each.job for each in dependencies_in(job.after)]


def stand_ins(definition: JobDefinition) -> set[int]:
    """Return the stand-ins in `after` of a definition."""
    return set(filter(is_stand_in, upstream_ids(definition)))


def unknown_ids(job: Job | JobDefinition, owners: Mapping[int, str]) -> list[FieldProblem]:
    """Return a problem for each id that is no job of the owner. `owners` are those of the jobs that exist."""
    wanted = [Dependency(each) for each in upstream_ids(job)]
    known = {**owners, **{each.job: job.owner_id for each in wanted if is_stand_in(each.job)}}
    return unknown_among(wanted, job.owner_id, known)


def is_stand_in(job_id: int) -> bool:
    """Return whether an id stands for a job that is not stored yet."""
    return job_id >= FIRST_STAND_IN


def with_ids(definition: JobDefinition, ids: Mapping[int, int]) -> JobDefinition:
    """Return a definition with ids in the place of stand-ins."""
    after = [each.model_copy(update={JOB: ids.get(each.job, each.job)}) for each in definition.after]
    return definition.model_copy(update={AFTER: after})


def change_with_ids(change: JobChange, ids: Mapping[int, int]) -> JobChange:
    """Return a change with ids in the place of stand-ins."""
    if AFTER not in change.columns:
        return change
    after = [{**each, JOB: ids.get(each[JOB], each[JOB])} for each in change.columns[AFTER]]
    return JobChange({**change.columns, AFTER: after}, change.enabled)


def _keyed(document: Mapping[str, JsonValue]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the places and entries of `after` that name a job by its key."""
    after = document.get(AFTER)
    for place, entry in enumerate(after if isinstance(after, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get(KEY), str) and entry[KEY]:
            yield place, entry


def _problem(place: int, entry: Mapping[str, Any], meant: int | None, seen: Collection[int]) -> FieldProblem | None:
    if JOB in entry:
        return FieldProblem(f"{AFTER}.{place}", "write either job or external_key")
    if meant is None:
        message = "there is no job of the owner with this key; name another one, or apply its document too"
    elif meant in seen:
        message = "this job is named twice; name it once"
    else:
        return None
    return FieldProblem(f"{AFTER}.{place}.{KEY}", message, entry[KEY])


def _without_key(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != KEY}
