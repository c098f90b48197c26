"""Alerts: people are told of what they asked for, once, whatever the receiver does."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import socket
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.databases import NOON
from testkit.waiting import eventually
from tests.database_fixtures import ON_SQLITE
from tests.engine.conftest import create, run_to_its_end, until
from tests.features.alerts.mail_server import mail_server
from tests.features.alerts.receiver import Received, Receiver, busy, drip, fail, hang, redirect

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.features.alerts import detector, messages, sender
from scheduler_service.features.alerts.channels.base import Notice
from scheduler_service.features.alerts.channels.email import Email
from scheduler_service.features.alerts.records import AlertRule, Delivery
from scheduler_service.features.alerts.rules import Alert, AlertKind, Failure
from scheduler_service.features.alerts.service import AlertService
from scheduler_service.outbound.address_guard import Reach, RefusedError, resolve

BASE_URL = "https://scheduler.example.org"
SECRET = "correct-horse"  # noqa: S105 (of a test)


def shell(script: str) -> dict[str, Any]:
    return {"type": "shell_script", "script": script}


async def rule(service: Service, url: str, *kinds: str, **changes: Any) -> AlertRule:
    channel = {"type": "webhook", "url": url, "secret": SECRET}
    definition = {"name": "a rule", "on": list(kinds), "channel": channel, **changes}
    return await service.feature(AlertService).create(definition, None)


async def told(receiver: Receiver, path: str, count: int) -> list[Received]:
    async def look() -> list[Received] | None:
        found = receiver.of(path)
        return found if len(found) >= count else None

    found: list[Received] = await eventually(look)
    return found


async def delivered(service: Service, rule: AlertRule, deadline_seconds: float = 90.0) -> None:
    async def look() -> bool:
        found = await service.feature(AlertService).deliveries(rule.id, None)
        return bool(found) and all(one.status == "delivered" for one in found)

    await eventually(look, deadline_seconds)


async def test_a_failure_is_told_once_and_signed(service: Service, receiver: Receiver) -> None:
    made = await rule(service, f"{receiver.url}/hook", "failure", "recovery", "missed")
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


@ON_SQLITE
@pytest.mark.parametrize(("kind", "script"), [("failure", "exit 3"), ("too_long", "sleep 60")])
async def test_what_is_found_is_sent_at_once(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, kind: str, script: str
) -> None:
    monkeypatch.setattr(sender, "CHECK_SECONDS", 3600.0)
    async with open_service(settings) as service:
        made = await rule(service, f"{receiver.url}/hook", kind, too_long_seconds=1)
        job = await create(service, shell(script))
        run = await service.jobs.run(ADMIN, job.id)
        await delivered(service, made)
        if kind == "too_long":
            await service.runs.cancel(ADMIN, run.id)


@ON_SQLITE
async def test_what_waits_for_its_turn_is_sent_as_soon_as_it_has_it(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(sender, "CONCURRENCY", 4)
    async with open_service(settings) as service:
        many = [await rule(service, f"{receiver.url}/hook", "failure") for _ in range(sender.CONCURRENCY + 1)]
        await run_to_its_end(service, shell("exit 3"))
        for made in many:
            await delivered(service, made)


async def test_recovery_and_flapping_are_told_of_one_job(service: Service, receiver: Receiver) -> None:
    job = await create(service, shell('[ -e "$FLAG" ]'), env={"FLAG": "/no/such/file"}, overlap_policy="allow")
    await rule(service, f"{receiver.url}/hook", "recovery", "flapping", job_id=job.id, failures=2)
    for _ in range(3):
        run = await service.jobs.run(ADMIN, job.id)
        await until(service, run.id, RunStatus.FAILED)
    await service.jobs.patch(ADMIN, job.id, {"env": {"FLAG": "/"}})
    for _ in range(2):
        run = await service.jobs.run(ADMIN, job.id)
        await until(service, run.id, RunStatus.SUCCESS)
    await run_to_its_end(service, shell("exit 1"))

    found = await told(receiver, "/hook", 2)
    kinds = sorted(received.json["kind"] for received in found)
    assert kinds == ["flapping", "recovery"]
    assert next(received.json["count"] for received in found if received.json["kind"] == "flapping") in {2, 3}


@ON_SQLITE
async def test_only_the_jobs_of_an_owner_are_told(service: Service, receiver: Receiver) -> None:
    await rule(service, f"{receiver.url}/mine", "failure", owner_id="me")
    everybody = await rule(service, f"{receiver.url}/all", "failure")
    await run_to_its_end(service, shell("exit 1"), owner_id="other")
    await run_to_its_end(service, shell("exit 1"), owner_id="me")
    await told(receiver, "/all", 2)
    await delivered(service, everybody)

    (received,) = await told(receiver, "/mine", 1)
    assert received.json["owner_id"] == "me"


async def test_a_run_that_takes_too_long_and_one_that_waits_too_long_are_told_while_they_do(
    service: Service, receiver: Receiver
) -> None:
    job = await create(service, shell("sleep 60"), overlap_policy="queue")
    running = await service.jobs.run(ADMIN, job.id)
    await until(service, running.id, RunStatus.RUNNING)
    # Only now: on a busy machine the first run may have waited for a second as well.
    await rule(service, f"{receiver.url}/hook", "too_long", "late", too_long_seconds=1, late_seconds=1)
    waiting = await service.jobs.run(ADMIN, job.id)

    found = await told(receiver, "/hook", 2)
    assert {(received.json["kind"], received.json["run_id"]) for received in found} == {
        ("too_long", running.id),
        ("late", waiting.id),
    }
    assert (await service.runs.get(ADMIN, running.id)).view.run.status is RunStatus.RUNNING
    for run in (waiting, running):
        await service.runs.cancel(ADMIN, run.id)


@pytest.mark.usefixtures("hurry")
async def test_receivers_that_fail_hang_drip_and_redirect_get_it_in_the_end_and_block_no_slot(
    settings: Settings, receiver: Receiver
) -> None:
    receiver.behaviours = {
        "/fails": iter([fail, fail]),
        "/hangs": iter([hang]),
        "/drips": iter([drip]),
        "/redirects": iter([redirect(f"{receiver.url}/elsewhere")]),
    }
    async with open_service(settings.model_copy(update={"slots": 1})) as service:
        rules = [await rule(service, receiver.url + path, "failure") for path in receiver.behaviours]
        await run_to_its_end(service, shell("exit 1"))
        await asyncio.gather(*(told(receiver, path, 1) for path in receiver.behaviours))
        # While two of them are held up, the only slot works.
        assert (await run_to_its_end(service, shell("true"))).view.run.status is RunStatus.SUCCESS
        for made in rules:
            await delivered(service, made)

    assert {path: len(receiver.of(path)) for path in receiver.behaviours} == {
        "/fails": 3, "/hangs": 2, "/drips": 2, "/redirects": 2,
    }  # fmt: skip
    assert not receiver.of("/elsewhere"), "a redirect leads past the guard"
    for path in receiver.behaviours:
        assert len({received.headers["x-scheduler-delivery"] for received in receiver.of(path)}) == 1


@ON_SQLITE
async def test_receivers_that_hang_do_not_hold_up_one_that_answers(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = [f"/hangs-{number}" for number in range(6)]
    monkeypatch.setattr(sender, "CONCURRENCY", len(hanging) + 1)
    monkeypatch.setattr(sender, "FIRST_DELAY_SECONDS", 0.1)
    receiver.behaviours = {path: chain(repeat(fail, sender.MOST_OF_RULE), repeat(hang)) for path in hanging}
    for path in hanging:
        made = await rule(service, receiver.url + path, "failure")
        for _ in range(sender.MOST_OF_RULE):
            await service.feature(AlertService).test(made.id, None)
    good = await rule(service, f"{receiver.url}/good", "failure")
    in_the_end = sender.MOST_OF_RULE + 1
    await asyncio.gather(*(told(receiver, path, in_the_end) for path in hanging))

    await service.feature(AlertService).test(good.id, None)
    await delivered(service, good)

    assert [len(receiver.of(path)) for path in hanging] == [in_the_end] * len(hanging), "each hangs, in one place"


def test_the_budget_of_tries_lasts_for_more_than_an_hour() -> None:
    waits = [sender.delay_seconds(tries) for tries in range(1, sender.MAX_TRIES)]
    assert 1.5 <= waits[0] <= 2
    assert waits == sorted(waits) or max(waits) <= sender.LONGEST_DELAY_SECONDS
    assert timedelta(hours=1) < timedelta(seconds=sum(waits)) < timedelta(hours=2)


@ON_SQLITE
async def test_a_receiver_that_wants_to_be_left_alone_is(service: Service, receiver: Receiver) -> None:
    receiver.behaviours = {"/busy": iter([busy("600")]), "/until": iter([busy("Fri, 01 Jan 2100 00:00:00 GMT")])}
    for path, least_seconds in (("/busy", 590), ("/until", 890)):
        made = await rule(service, receiver.url + path, "failure")
        await service.feature(AlertService).test(made.id, None)

        async def postponed() -> datetime | None:
            (found,) = await service.feature(AlertService).deliveries(made.id, None)  # noqa: B023 (called at once)
            return found.next_try_at if found.error == "the receiver answered 429" else None

        next_try_at = await eventually(postponed)
        assert least_seconds < (next_try_at - datetime.now(UTC)).total_seconds() < 910


async def test_a_rule_that_is_disabled_tells_nothing_more(service: Service, receiver: Receiver) -> None:
    receiver.behaviours = {"/hook": repeat(fail)}
    made = await rule(service, f"{receiver.url}/hook", "failure")
    await service.feature(AlertService).test(made.id, None)
    await told(receiver, "/hook", 1)
    await service.feature(AlertService).patch(made.id, {"enabled": False}, None)

    (found,) = await service.feature(AlertService).deliveries(made.id, None)
    assert (found.status, found.error) == ("failed", "the rule was disabled")


@ON_SQLITE
async def test_the_documented_check_of_a_signature_holds(service: Service, receiver: Receiver) -> None:
    text = (Path(__file__).parents[3] / "docs/monitoring.md").read_text(encoding="utf-8")
    (snippet,) = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "hmac" in code]
    made = await rule(service, f"{receiver.url}/hook", "failure")
    await service.feature(AlertService).test(made.id, None)
    (received,) = await told(receiver, "/hook", 1)
    names = {
        "secret": SECRET.encode(),
        "body": received.body,
        "timestamp": received.headers["x-scheduler-timestamp"],
        "signature": received.headers["x-scheduler-signature"],
    }
    exec(snippet, {**names})  # noqa: S102 (of our own documentation)
    with pytest.raises(AssertionError):
        exec(snippet, {**names, "body": received.body + b" "})  # noqa: S102


@pytest.mark.usefixtures("hurry")
async def test_a_process_that_ends_meanwhile_leaves_it_to_the_next(settings: Settings, receiver: Receiver) -> None:
    receiver.behaviours = {"/hook": iter([hang, fail])}
    async with open_service(settings) as service:
        made = await rule(service, f"{receiver.url}/hook", "failure")
        await run_to_its_end(service, shell("exit 1"))
        await told(receiver, "/hook", 1)
    async with open_service(settings) as service:
        await delivered(service, made, sender.LEASE_SECONDS / 2)
    assert len({received.headers["x-scheduler-delivery"] for received in receiver.of("/hook")}) == 1


async def test_a_test_goes_the_way_of_all_alerts(service: Service, receiver: Receiver) -> None:
    made = await rule(service, f"{receiver.url}/hook", "failure")
    await service.feature(AlertService).test(made.id, None)
    (received,) = await told(receiver, "/hook", 1)
    assert received.json["kind"] == "test"


@ON_SQLITE
async def test_slack_gets_a_text_without_mark_up_of_the_jobs_own(service: Service, receiver: Receiver) -> None:
    await rule(service, "", "failure", channel={"type": "slack", "url": f"{receiver.url}/services/T/B/x"})
    await run_to_its_end(service, shell("exit 1"), name="<!channel> & co")
    (received,) = await told(receiver, "/services/T/B/x", 1)
    assert received.json["text"].startswith("&lt;!channel&gt; &amp; co failed: exit code 1\nJob ")


@ON_SQLITE
async def test_mail_reaches_its_server(settings: Settings) -> None:
    async with mail_server() as (port, box):
        url = f"smtp://127.0.0.1:{port}"
        changes = {"smtp_url": type(settings.api_key)(url), "mail_from": "scheduler@example.org"}
        async with open_service(settings.model_copy(update=changes)) as service:
            made = await rule(service, "", "failure", channel={"type": "email", "to": ["team@example.org"]})
            await run_to_its_end(service, shell("exit 1"), name="night\r\nBcc: all@example.org")
            await delivered(service, made)
    (mail,) = box.mails
    assert "Subject: [scheduler] night Bcc: all@example.org failed: exit code 1" in mail
    assert "\nBcc:" not in mail
    assert "To: team@example.org" in mail


@ON_SQLITE
async def test_a_receiver_whom_the_mail_server_refuses_is_named(settings: Settings) -> None:
    async with mail_server() as (port, box):
        changes = {"smtp_url": type(settings.api_key)(f"smtp://127.0.0.1:{port}")}
        async with open_service(settings.model_copy(update=changes)) as service:
            to = ["team@example.org", "nobody@example.org"]
            made = await rule(service, "", "failure", channel={"type": "email", "to": to})
            await service.feature(AlertService).test(made.id, None)
            await delivered(service, made)
            (found,) = await service.feature(AlertService).deliveries(made.id, None)
    assert len(box.mails) == 1
    assert found.error == "the mail server refused nobody@example.org"


@ON_SQLITE
@pytest.mark.usefixtures("hurry")
async def test_a_mail_server_that_is_not_there_is_tried_again(settings: Settings) -> None:
    changes = {"smtp_url": type(settings.api_key)("smtp://somebody:hush-hush@127.0.0.1:9")}
    async with open_service(settings.model_copy(update=changes)) as service:
        made = await rule(service, "", "failure", channel={"type": "email", "to": ["team@example.org"]})
        await service.feature(AlertService).test(made.id, None)

        async def tried_twice() -> Delivery | None:
            (found,) = await service.feature(AlertService).deliveries(made.id, None)
            return found if found.tries >= 2 and found.error else None

        found: Delivery = await eventually(tried_twice)
    assert found.status == "pending"
    assert "ConnectionRefusedError" in (found.error or "")
    assert "hush" not in (found.error or "")


@pytest.mark.parametrize(
    ("host", "reach", "may"),
    [
        ("127.0.0.1", "public", False),
        ("::1", "public", False),
        ("::ffff:127.0.0.1", "public", False),
        ("169.254.169.254", "loopback", False),
        ("10.1.2.3", "loopback", False),
        ("0.0.0.0", "public", False),  # noqa: S104 (not bound to)
        ("fd00::1", "public", False),
        ("64:ff9b::a9fe:a9fe", "public", False),
        ("::127.0.0.1", "loopback", False),
        ("127.0.0.1", "loopback", True),
        ("10.1.2.3", "private", True),
        ("93.184.215.14", "public", True),
    ],
)
async def test_the_guard_lets_alerts_go_where_they_may(host: str, reach: Reach, may: bool) -> None:
    if may:
        assert await resolve(host, 80, reach) == (host,)
    else:
        with pytest.raises(RefusedError, match="SCHEDULER_ALERT_REACH"):
            await resolve(host, 80, reach)


@ON_SQLITE
async def test_each_address_of_a_name_is_tried(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with ::1 in front, where only 127.0.0.1 is listened at."""
    port = int(receiver.url.rpartition(":")[2])
    found = [(socket.AF_INET6, 0, 0, "", ("::1", port, 0, 0)), (socket.AF_INET, 0, 0, "", ("127.0.0.1", port))]

    async def both(*_: object, **__: object) -> list[Any]:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    made = await rule(service, f"http://localhost:{port}/hook", "failure")
    await service.feature(AlertService).test(made.id, None)
    await delivered(service, made)
    assert [received.headers["host"] for received in receiver.of("/hook")] == [f"localhost:{port}"]


@ON_SQLITE
async def test_what_may_not_be_reached_is_given_up_with_the_reason(settings: Settings, receiver: Receiver) -> None:
    async with open_service(settings.model_copy(update={"alert_reach": "public"})) as service:
        made = await rule(service, f"{receiver.url}/hook", "failure")
        await service.feature(AlertService).test(made.id, None)

        async def given_up() -> bool:
            (found,) = await service.feature(AlertService).deliveries(made.id, None)
            return found.status == "failed" and "SCHEDULER_ALERT_REACH" in (found.error or "")

        await eventually(given_up)
    assert not receiver.received


@ON_SQLITE
async def test_the_pulse_tells_somebody_outside_that_all_is_well(settings: Settings, receiver: Receiver) -> None:
    url = type(settings.api_key)(f"{receiver.url}/pulse")
    changed = settings.model_copy(update={"heartbeat_url": url, "heartbeat_url_seconds": 0.2})
    async with open_service(changed):
        found = await told(receiver, "/pulse", 2)
    assert {received.method for received in found} == {"GET"}


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_has_a_headline_in_one_line(kind: AlertKind) -> None:
    alert = Alert(
        kind=kind, job_id=1, job_name="a\njob", owner_id="", run_id=1, at=NOON + timedelta(1), seconds=5, count=3
    )
    assert len(alert.headline.splitlines()) == 1
    assert messages.document(alert, 1, BASE_URL)["at"].endswith("Z")


@ON_SQLITE
async def test_a_failure_comes_with_its_cause_the_end_of_the_log_and_links(
    settings: Settings, receiver: Receiver
) -> None:
    async with open_service(settings.model_copy(update={"public_url": f"{BASE_URL}/"})) as service:
        await rule(service, f"{receiver.url}/hook", "failure")
        await rule(service, "", "failure", channel={"type": "slack", "url": f"{receiver.url}/slack"})
        script = shell(r"seq 1 2000; printf '\033[31mlast ```line```\033[0m\n'; exit 3")
        retry = {"max_retries": 1, "retry_delay": 0, "jitter": 0}
        run = (await run_to_its_end(service, script, retry_policy=retry)).view.run
        (received,) = await told(receiver, "/hook", 1)
        (for_slack,) = await told(receiver, "/slack", 1)

    failure, links = received.json["failure"], received.json["links"]
    assert received.json["headline"] == "a job failed: exit code 3 (2 attempts)"
    assert (failure["attempt"], failure["exit_code"], failure["signal"]) == (2, 3, None)
    assert failure["log_tail"].endswith("1999\n2000\nlast ```line```\n")
    assert re.match(r"\d+\n", failure["log_tail"])
    assert len(failure["log_tail"]) <= detector.LOG_TAIL_BYTES
    assert links["run"] == f"{BASE_URL}/api/v1/runs/{run.id}"
    assert links["log"] == f"{BASE_URL}/api/v1/runs/{run.id}/logs"
    assert for_slack.json["text"].endswith("2000\nlast ` ` `line` ` ````")


def test_a_mail_about_a_failure_holds_its_cause_the_end_of_the_log_and_links() -> None:
    failure = Failure(attempt=1, signal=9, message="was ended by SIGKILL", log_tail="one\n\x1b[1mtwo\n")
    alert = Alert(
        kind=AlertKind.FAILURE, job_id=1, job_name="j", owner_id="", run_id=2, at=NOON, reason=Reason.SIGNAL,
        failure=failure,
    )  # fmt: skip

    text = Email(type="email", to=["a@b"]).message(Notice(alert, 1, BASE_URL), "s@x").get_content()

    assert text.startswith("j failed: signal 9\n")
    assert "was ended by SIGKILL\none\ntwo\n" in text
    assert text.endswith(f"{BASE_URL}/api/v1/jobs/1\n{BASE_URL}/api/v1/runs/2\n{BASE_URL}/api/v1/runs/2/logs\n")
