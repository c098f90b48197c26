"""What each channel sends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from testkit.callers import ADMIN
from testkit.databases import NOON
from testkit.waiting import eventually
from tests.database_fixtures import ON_SQLITE
from tests.engine.conftest import run_to_its_end
from tests.features.alerts.mail_server import mail_server
from tests.features.alerts.receiver import Receiver
from tests.features.alerts.steps import BASE_URL, SECRET, add_rule, delivered, requests_to, shell

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import Reason
from scheduler_service.features.alerts import detector
from scheduler_service.features.alerts.channels.base import OutgoingAlert
from scheduler_service.features.alerts.channels.email import Email
from scheduler_service.features.alerts.records import Delivery
from scheduler_service.features.alerts.rules import Alert, AlertKind, Failure
from scheduler_service.features.alerts.service import AlertService


@ON_SQLITE
async def test_documented_code_verifies_the_signature(service: Service, receiver: Receiver) -> None:
    text = (Path(__file__).parents[3] / "docs/monitoring.md").read_text(encoding="utf-8")
    (snippet,) = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "hmac" in code]
    made = await add_rule(service, f"{receiver.url}/hook", "failure")
    await service.feature(AlertService).test(ADMIN, made.id)
    (received,) = await requests_to(receiver, "/hook", 1)
    names = {
        "secret": SECRET.encode(),
        "body": received.body,
        "timestamp": received.headers["x-scheduler-timestamp"],
        "signature": received.headers["x-scheduler-signature"],
    }
    exec(snippet, {**names})  # noqa: S102 (of our own documentation)
    with pytest.raises(AssertionError):
        exec(snippet, {**names, "body": received.body + b" "})  # noqa: S102


@ON_SQLITE
async def test_slack_text_escapes_markup_in_a_job_name(service: Service, receiver: Receiver) -> None:
    await add_rule(service, "", "failure", channel={"type": "slack", "url": f"{receiver.url}/services/T/B/x"})
    await run_to_its_end(service, shell("exit 1"), name="<!channel> & co")
    (received,) = await requests_to(receiver, "/services/T/B/x", 1)
    assert received.json["text"].startswith("&lt;!channel&gt; &amp; co failed: exit code 1\nJob ")


@ON_SQLITE
async def test_mail_reaches_the_server_without_injected_headers(settings: Settings) -> None:
    async with mail_server() as (port, box):
        url = f"smtp://127.0.0.1:{port}"
        changes = {"smtp_url": type(settings.api_key)(url), "mail_from": "scheduler@example.org"}
        async with open_service(settings.model_copy(update=changes)) as service:
            made = await add_rule(service, "", "failure", channel={"type": "email", "to": ["team@example.org"]})
            await run_to_its_end(service, shell("exit 1"), name="night\r\nBcc: all@example.org")
            await delivered(service, made)
    (mail,) = box.mails
    assert "Subject: [scheduler] night Bcc: all@example.org failed: exit code 1" in mail
    assert "\nBcc:" not in mail
    assert "To: team@example.org" in mail


@ON_SQLITE
async def test_delivery_names_the_receivers_that_a_mail_server_refused(settings: Settings) -> None:
    async with mail_server() as (port, box):
        changes = {"smtp_url": type(settings.api_key)(f"smtp://127.0.0.1:{port}")}
        async with open_service(settings.model_copy(update=changes)) as service:
            to = ["team@example.org", "nobody@example.org"]
            made = await add_rule(service, "", "failure", channel={"type": "email", "to": to})
            await service.feature(AlertService).test(ADMIN, made.id)
            await delivered(service, made)
            (found,) = await service.feature(AlertService).deliveries(ADMIN, made.id)
    assert len(box.mails) == 1
    assert found.error == "the mail server refused nobody@example.org"


@ON_SQLITE
@pytest.mark.usefixtures("hurry")
async def test_mail_is_retried_when_the_server_is_down(settings: Settings) -> None:
    changes = {"smtp_url": type(settings.api_key)("smtp://somebody:hush-hush@127.0.0.1:9")}
    async with open_service(settings.model_copy(update=changes)) as service:
        made = await add_rule(service, "", "failure", channel={"type": "email", "to": ["team@example.org"]})
        await service.feature(AlertService).test(ADMIN, made.id)

        async def tried_twice() -> Delivery | None:
            (found,) = await service.feature(AlertService).deliveries(ADMIN, made.id)
            return found if found.tries >= 2 and found.error else None

        found: Delivery = await eventually(tried_twice)
    assert found.status == "pending"
    assert "ConnectionRefusedError" in (found.error or "")
    assert "hush" not in (found.error or "")


@ON_SQLITE
async def test_failure_is_sent_with_its_cause_log_tail_and_links(settings: Settings, receiver: Receiver) -> None:
    async with open_service(settings.model_copy(update={"public_url": f"{BASE_URL}/"})) as service:
        await add_rule(service, f"{receiver.url}/hook", "failure")
        await add_rule(service, "", "failure", channel={"type": "slack", "url": f"{receiver.url}/slack"})
        script = shell(r"seq 1 2000; printf '\033[31mlast ```line```\033[0m\n'; exit 3")
        retry = {"max_retries": 1, "retry_delay": 0, "jitter": 0}
        run = (await run_to_its_end(service, script, retry_policy=retry)).view.run
        (received,) = await requests_to(receiver, "/hook", 1)
        (for_slack,) = await requests_to(receiver, "/slack", 1)

    failure, links = received.json["failure"], received.json["links"]
    assert received.json["headline"] == "a job failed: exit code 3 (2 attempts)"
    assert (failure["attempt"], failure["exit_code"], failure["signal"]) == (2, 3, None)
    assert failure["log_tail"].endswith("1999\n2000\nlast ```line```\n")
    assert re.match(r"\d+\n", failure["log_tail"])
    assert len(failure["log_tail"]) <= detector.LOG_TAIL_BYTES
    assert links["run"] == f"{BASE_URL}/api/v1/runs/{run.id}"
    assert links["log"] == f"{BASE_URL}/api/v1/runs/{run.id}/logs"
    assert for_slack.json["text"].endswith("2000\nlast ` ` `line` ` ````")


def test_mail_holds_the_cause_log_tail_and_links() -> None:
    failure = Failure(attempt=1, signal=9, message="was ended by SIGKILL", log_tail="one\n\x1b[1mtwo\n")
    alert = Alert(
        kind=AlertKind.FAILURE, job_id=1, job_name="j", owner_id="", run_id=2, at=NOON, reason=Reason.SIGNAL,
        failure=failure,
    )  # fmt: skip

    text = Email(type="email", to=["a@b"]).message(OutgoingAlert(alert, 1, BASE_URL), "s@x").get_content()

    assert text.startswith("j failed: signal 9\n")
    assert "was ended by SIGKILL\none\ntwo\n" in text
    assert text.endswith(f"{BASE_URL}/api/v1/jobs/1\n{BASE_URL}/api/v1/runs/2\n{BASE_URL}/api/v1/runs/2/logs\n")
