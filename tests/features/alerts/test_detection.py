"""Runs cause the alerts that rules ask for, once each."""

from __future__ import annotations

import hashlib
import hmac

from testkit.callers import ADMIN
from tests.database_fixtures import ON_SQLITE
from tests.engine.conftest import create, run_to_its_end, until
from tests.features.alerts.receiver import Receiver
from tests.features.alerts.steps import SECRET, add_rule, delivered, requests_to, shell

from scheduler_service.bootstrap import Service
from scheduler_service.domain.run_state import RunStatus


async def test_failure_is_delivered_once_and_signed(service: Service, receiver: Receiver) -> None:
    made = await add_rule(service, f"{receiver.url}/hook", "failure", "recovery", "missed")
    detail = await run_to_its_end(service, shell("exit 3"))
    await run_to_its_end(service, shell("true"))
    await delivered(service, made)

    (received,) = receiver.of("/hook")
    signed = received.headers["x-scheduler-timestamp"].encode() + b"." + received.body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert received.headers["x-scheduler-signature"] == f"sha256={expected}"
    assert received.headers["x-scheduler-delivery"] == str(received.json["delivery_id"])
    assert (received.json["kind"], received.json["reason"]) == ("failure", "exit_code")
    assert (received.json["job_id"], received.json["run_id"]) == (detail.view.run.job_id, detail.view.run.id)


async def test_recovery_and_flapping_alert_about_the_rules_job_only(service: Service, receiver: Receiver) -> None:
    job = await create(service, shell('[ -e "$FLAG" ]'), env={"FLAG": "/no/such/file"}, overlap_policy="allow")
    await add_rule(service, f"{receiver.url}/hook", "recovery", "flapping", job_id=job.id, failures=2)
    for _ in range(3):
        run = await service.jobs.run(ADMIN, job.id)
        await until(service, run.id, RunStatus.FAILED)
    await service.jobs.patch(ADMIN, job.id, {"env": {"FLAG": "/"}})
    for _ in range(2):
        run = await service.jobs.run(ADMIN, job.id)
        await until(service, run.id, RunStatus.SUCCESS)
    await run_to_its_end(service, shell("exit 1"))

    found = await requests_to(receiver, "/hook", 2)
    kinds = sorted(received.json["kind"] for received in found)
    assert kinds == ["flapping", "recovery"]
    assert next(received.json["count"] for received in found if received.json["kind"] == "flapping") in {2, 3}


@ON_SQLITE
async def test_rule_of_an_owner_alerts_about_that_owners_jobs_only(service: Service, receiver: Receiver) -> None:
    await add_rule(service, f"{receiver.url}/mine", "failure", owner_id="me")
    everybody = await add_rule(service, f"{receiver.url}/all", "failure")
    await run_to_its_end(service, shell("exit 1"), owner_id="other")
    await run_to_its_end(service, shell("exit 1"), owner_id="me")
    await requests_to(receiver, "/all", 2)
    await delivered(service, everybody)

    (received,) = await requests_to(receiver, "/mine", 1)
    assert received.json["owner_id"] == "me"


async def test_long_and_late_runs_alert_while_they_last(service: Service, receiver: Receiver) -> None:
    job = await create(service, shell("sleep 60"), overlap_policy="queue")
    running = await service.jobs.run(ADMIN, job.id)
    await until(service, running.id, RunStatus.RUNNING)
    # Only now: on a busy machine the first run may have waited for a second as well.
    await add_rule(service, f"{receiver.url}/hook", "too_long", "late", too_long_seconds=1, late_seconds=1)
    waiting = await service.jobs.run(ADMIN, job.id)

    found = await requests_to(receiver, "/hook", 2)
    assert {(received.json["kind"], received.json["run_id"]) for received in found} == {
        ("too_long", running.id),
        ("late", waiting.id),
    }
    assert (await service.runs.get(ADMIN, running.id)).view.run.status is RunStatus.RUNNING
    for run in (waiting, running):
        await service.runs.cancel(ADMIN, run.id)
