"""Sets of documents: what a plan says, and that it is applied as a whole or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import add_job
from testkit.doubles import FakeClock, RecordingBroker
from tests.features.apply.importing import imported

from scheduler_service.domain.listing import JobFilter, Page
from scheduler_service.domain.records import Job
from scheduler_service.errors import ForbiddenError, InvalidInputError, PreconditionFailedError
from scheduler_service.features.apply.exporting import ExportService
from scheduler_service.features.apply.records import Action, Plan, Selector
from scheduler_service.features.apply.service import ApplyService
from scheduler_service.services.job_writer import JobWriter
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database

NIGHTLY = Selector(tag="nightly")


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


@pytest.fixture
def applies(database: Database, clock: FakeClock, jobs: JobService) -> ApplyService:
    return ApplyService(database, clock, jobs)


def document(name: str, **fields: Any) -> dict[str, Any]:
    payload = {"type": "shell_script", "script": "true"}
    return {"name": name, "schedule_expr": "0 2 * * *", "payload": payload, **fields}


def told(plan: Plan) -> list[tuple[str, str]]:
    return [(step.action.value, step.identity.name) for step in plan.steps]


async def names(jobs: JobService) -> list[str]:
    return [job.name for job in (await jobs.page(ADMIN, JobFilter(), Page(size=100))).items]


async def job_of(jobs: JobService, key: str) -> Job:
    (job,) = (await jobs.page(ADMIN, JobFilter(external_key=key), Page())).items
    return job


async def test_second_apply_changes_nothing(applies: ApplyService, jobs: JobService) -> None:
    documents = [document("a"), document("b", external_key="second", schedule_expr=None)]
    first = await applies.apply(ADMIN, documents)
    again = await applies.apply(ADMIN, documents)
    assert [step.action for step in first.steps] == [Action.CREATE, Action.CREATE]
    assert [step.action for step in again.steps] == [Action.UNCHANGED, Action.UNCHANGED]
    assert {job.version for job in (await jobs.page(ADMIN, JobFilter(), Page())).items} == {1}
    assert (await job_of(jobs, "a")).name == "a"


async def test_plan_stores_nothing(applies: ApplyService, jobs: JobService) -> None:
    plan = await applies.plan(ADMIN, [document("a")])
    assert told(plan) == [("create", "a")]
    assert len(plan.steps[0].fires_after) == 3
    assert await names(jobs) == []


async def test_plan_shows_how_the_next_fires_move(applies: ApplyService) -> None:
    await applies.apply(ADMIN, [document("a", tags=["x"])])
    (step,) = (await applies.plan(ADMIN, [document("a", schedule_expr="30 3 * * *")])).steps
    assert dict(step.differences) == {
        "schedule_expr": {"before": "0 2 * * *", "after": "30 3 * * *"},
        "tags": {"before": ["x"], "after": []},
    }
    assert [f"{at:%d %H:%M}" for at in step.fires_before] == ["16 02:00", "17 02:00", "18 02:00"]
    assert [f"{at:%d %H:%M}" for at in step.fires_after] == ["16 03:30", "17 03:30", "18 03:30"]


async def test_plan_masks_the_values_of_variables(applies: ApplyService) -> None:
    await applies.apply(ADMIN, [document("a", env={"PASSWORD": "one"})])
    (step,) = (await applies.plan(ADMIN, [document("a", env={"PASSWORD": "two"})])).steps
    assert step.differences["env"] == {"before": {"PASSWORD": "***"}, "after": {"PASSWORD": "***"}}


async def test_key_keeps_the_identity_of_a_renamed_job(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document("a", external_key="k")])
    plan = await applies.apply(ADMIN, [document("b", external_key="k")])
    assert told(plan) == [("change", "b")]
    assert (await job_of(jobs, "k")).name == "b"


async def test_job_without_a_key_is_found_by_its_name(applies: ApplyService, jobs: JobService) -> None:
    await jobs.create(ADMIN, await jobs.read(ADMIN, document("a")))
    assert told(await applies.apply(ADMIN, [document("a")])) == [("unchanged", "a")]
    assert told(await applies.apply(ADMIN, [document("a", external_key="k")])) == [("change", "a")]
    assert (await job_of(jobs, "k")).name == "a"


async def test_ambiguous_name_is_refused_with_a_remedy(applies: ApplyService, database: Database) -> None:
    for _ in range(2):
        await add_job(database, name="a")
    with pytest.raises(
        InvalidInputError, match=r"documents\.0\.name: the jobs 1, 2 have this name and no external_key"
    ):
        await applies.plan(ADMIN, [document("a")])


@pytest.mark.parametrize("second", [document("a"), document("b", external_key="a")])
async def test_two_documents_for_one_job_are_refused(applies: ApplyService, second: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="document 1 means the same job"):
        await applies.plan(ADMIN, [document("a"), second])


async def test_all_problems_of_all_documents_are_told(applies: ApplyService) -> None:
    documents = [
        document("a", schedule_expr="61 * * * *", timezone="Nowhere"),
        document("b"),
        {"name": "c", "payload": {"type": "python_code", "code": 5}, "prioritty": 1},
        document("d", secrets={"TOKEN": "missing"}, calendars=["closed"]),
    ]
    with pytest.raises(InvalidInputError) as refused:
        await applies.plan(ADMIN, documents)
    assert {problem.field for problem in refused.value.problems} == {
        "documents.0.schedule_expr",
        "documents.0.timezone",
        "documents.2.schedule_expr",
        "documents.2.payload.code",
        "documents.2.prioritty",
        "documents.3.secrets.TOKEN",
        "documents.3.calendars.0",
    }


async def test_prune_deletes_only_selected_jobs_that_no_document_names(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document(name, tags=["nightly"]) for name in "abc"] + [document("other")])
    plan = await applies.apply(ADMIN, [document("a", tags=["nightly"]), document("b")], NIGHTLY)
    assert told(plan) == [("unchanged", "a"), ("change", "b"), ("delete", "c")]
    assert await names(jobs) == ["a", "b", "other"]


async def test_pause_outlives_an_apply_that_does_not_name_enabled(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document("a")])
    await jobs.pause(ADMIN, (await job_of(jobs, "a")).id)
    assert told(await applies.apply(ADMIN, [document("a")])) == [("unchanged", "a")]
    assert told(await applies.apply(ADMIN, [document("a", enabled=True)])) == [("change", "a")]
    assert (await job_of(jobs, "a")).next_run_at is not None


async def test_owner_reaches_only_its_jobs(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ANN, [document("a", tags=["nightly"])])
    plan = await applies.apply(BOB, [document("a")], NIGHTLY)
    assert told(plan) == [("create", "a")]
    with pytest.raises(InvalidInputError, match=r"documents\.0\.owner_id: this key belongs to the owner 'bob'"):
        await applies.plan(BOB, [document("a", owner_id="ann")])
    assert {job.owner_id for job in (await jobs.page(ADMIN, JobFilter(), Page())).items} == {"ann", "bob"}


async def test_one_failing_step_leaves_nothing_behind(
    applies: ApplyService, jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await applies.apply(ADMIN, [document("a"), document("gone", tags=["nightly"])])

    async def fail(*_: object) -> list[Job]:
        raise RuntimeError

    monkeypatch.setattr(JobWriter, "add", fail)
    with pytest.raises(RuntimeError):
        await applies.apply(ADMIN, [document("a", priority=9), document("new")], NIGHTLY)
    assert await names(jobs) == ["a", "gone"]
    assert (await job_of(jobs, "a")).priority == 5


async def test_job_that_changes_after_the_plan_stops_the_apply(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document("a")])
    seen = await applies.plan(ADMIN, [document("a", priority=9)])
    await jobs.patch(ADMIN, (await job_of(jobs, "a")).id, {"description": "by hand"})
    with pytest.raises(PreconditionFailedError, match="make a new plan"):
        await applies.apply(ADMIN, [document("a", priority=9)], plan_id=seen.id)
    assert told(await applies.apply(ADMIN, [document("a", priority=9)])) == [("change", "a")]


async def test_apply_needs_the_scope_write(applies: ApplyService) -> None:
    reader = type(ANN)("ann", frozenset())
    with pytest.raises(ForbiddenError):
        await applies.plan(reader, [document("a")])


def after(*keys: str, **fields: Any) -> dict[str, Any]:
    return {"schedule_expr": None, "after": [{"external_key": key} for key in keys], **fields}


async def upstreams_of(jobs: JobService, key: str) -> list[str]:
    ids = [each["job"] for each in (await job_of(jobs, key)).after]
    return [(await jobs.get(ADMIN, job_id)).name for job_id in ids]


async def test_after_names_jobs_of_the_same_set_by_key(applies: ApplyService, jobs: JobService) -> None:
    """In any order: the set below names a job before its document, and one through another."""
    documents = [
        document("report", **after("load", "clean")),
        document("load", **after("extract", external_key="load")),
    ]
    documents += [document("extract"), document("clean", **after("extract"))]
    plan = await applies.apply(ADMIN, documents)
    assert [(await jobs.get(ADMIN, step.job.id)).name for step in plan.steps if step.job is not None] == [
        each["name"] for each in documents
    ]
    assert await upstreams_of(jobs, "report") == ["load", "clean"]
    assert await upstreams_of(jobs, "load") == ["extract"]
    assert not (await applies.apply(ADMIN, documents)).has_changes


async def test_imported_chain_is_applied(applies: ApplyService, jobs: JobService) -> None:
    load = {"id": "load", "title": "load", "plugin": "shellplug", "timing": {"minutes": [0]}, "chain": "report"}
    report = {"id": "report", "title": "report", "plugin": "shellplug", "timing": False}
    await applies.apply(ADMIN, imported("cronicle", json.dumps([report, load])).documents)
    assert await upstreams_of(jobs, "report") == ["load"]


async def test_after_names_stored_jobs_by_key_or_name(
    applies: ApplyService, jobs: JobService, database: Database
) -> None:
    await add_job(database, name="without a key", owner_id="", schedule_expr=None, next_run_at=None)
    await applies.apply(ADMIN, [document("extract")])
    await applies.apply(ADMIN, [document("load", **after("extract", "without a key"))])
    assert await upstreams_of(jobs, "load") == ["extract", "without a key"]


async def test_changed_job_runs_after_a_new_one(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document("load", schedule_expr=None)])
    changed = [document("load", **after("extract")), document("extract")]
    plan = await applies.plan(ADMIN, changed)
    assert plan.steps[0].differences["after"] == {
        "before": [],
        "after": [{"external_key": "extract", "on": "success"}],
    }
    await applies.apply(ADMIN, changed)
    assert await upstreams_of(jobs, "load") == ["extract"]


async def test_two_jobs_change_places_in_a_chain(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document("a"), document("b", **after("a"))])
    await applies.apply(ADMIN, [document("a", **after("b")), document("b")])
    assert (await upstreams_of(jobs, "a"), await upstreams_of(jobs, "b")) == (["b"], [])


async def test_upstream_job_is_pruned_when_its_follower_changes(applies: ApplyService, jobs: JobService) -> None:
    await applies.apply(ADMIN, [document("a", tags=["nightly"]), document("b", **after("a"))])
    await applies.apply(ADMIN, [document("b")], NIGHTLY)
    assert await names(jobs) == ["b"]


UPSTREAM_PROBLEMS = {
    "unknown key": ([document("a", **after("b", "nobody"))], "documents.0.after.1.external_key: there is no job"),
    "another owner's": (
        [document("a", **after("b")), document("b", owner_id="bob")],
        "documents.0.after.0.external_key",
    ),
    "unknown id": ([document("a", schedule_expr=None, after=[{"job": 999}])], "documents.0.after.0.job: there is no"),
    "both": (
        [document("a", schedule_expr=None, after=[{"job": 1, "external_key": "x"}])],
        "documents.0.after.0: write",
    ),
    "itself": ([document("a", **after("a"))], r"documents.0.after: .* itself \(a after a\)"),
    "a cycle": (
        [document("a", **after("b")), document("b", **after("c")), document("c", **after("a"))],
        r"documents.1.after: .* \(b after c after a after b\)",
    ),
    "twice": (
        [document("a", **after("b", "b")), document("b")],
        "documents.0.after.1.external_key: this job is named twice",
    ),
}


@pytest.mark.parametrize("name", UPSTREAM_PROBLEMS)
async def test_wrong_upstream_job_is_told_with_its_place(applies: ApplyService, name: str) -> None:
    documents, message = UPSTREAM_PROBLEMS[name]
    with pytest.raises(InvalidInputError, match=message):
        await applies.plan(ADMIN, documents)


async def test_cycle_through_a_stored_job_is_told_by_the_plan(applies: ApplyService) -> None:
    await applies.apply(ADMIN, [document("a"), document("b", **after("a"))])
    with pytest.raises(InvalidInputError, match=r"documents.0.after: .* \(a after b after a\)"):
        await applies.plan(ADMIN, [document("a", **after("b"))])


async def test_export_names_upstream_jobs_by_key(applies: ApplyService, database: Database) -> None:
    documents = [document("a", tags=["nightly"]), document("b", **after("a"), tags=["nightly"])]
    documents[1]["after"][0]["on"] = "end"
    await applies.apply(ADMIN, documents)
    exported = await ExportService(database).export(ADMIN, NIGHTLY)
    assert exported[1]["after"] == [{"external_key": "a", "on": "end"}]
    assert not (await applies.apply(ADMIN, exported)).has_changes
