"""Alerts and passwords go only to receivers whose certificate is valid for their name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from testkit.callers import ADMIN
from testkit.tls import Authority
from testkit.waiting import eventually
from tests.database_fixtures import ON_SQLITE
from tests.features.alerts.mail_server import PASSWORD, USER, MailBox, mail_server
from tests.features.alerts.receiver import Receiver

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config import tls
from scheduler_service.config.settings import Settings
from scheduler_service.features.alerts.records import Delivery
from scheduler_service.features.alerts.service import AlertService

pytestmark = ON_SQLITE
AT_ONCE = pytest.mark.parametrize("at_once", [True, False], ids=["smtps", "starttls"])


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """The tests' authority, which this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    tls.authorities.cache_clear()
    yield authority
    tls.authorities.cache_clear()


async def tried(service: Service, **channel: object) -> Delivery:
    """Send a test of a rule, and return the delivery after the first try."""
    definition: dict[str, Any] = {"name": "a rule", "on": ["failure"], "channel": channel}
    rule = await service.feature(AlertService).create(ADMIN, definition)
    await service.feature(AlertService).test(ADMIN, rule.id)

    async def look() -> Delivery | None:
        (found,) = await service.feature(AlertService).deliveries(ADMIN, rule.id)
        return found if found.status == "delivered" or found.error else None

    delivery: Delivery = await eventually(look)
    return delivery


def with_mail(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"smtp_url": type(settings.api_key)(url)})


async def test_receiver_with_a_certificate_for_its_name_gets_the_alert(service: Service, trusted: Authority) -> None:
    async with Receiver(tls=trusted.vouch_for("localhost")) as receiver:
        delivery = await tried(service, type="webhook", url=f"{receiver.url}/hook")
    assert delivery.status == "delivered"
    assert receiver.of("/hook")[0].headers["host"] == receiver.url.removeprefix("https://")
    of_the_machine = httpx2.create_ssl_context(trust_env=False).get_ca_certs()
    assert len(tls.authorities().get_ca_certs()) == len(of_the_machine) + 1, "trusted besides, not instead"


async def test_nothing_is_sent_if_the_certificate_has_another_name(service: Service, trusted: Authority) -> None:
    async with Receiver(tls=trusted.vouch_for("elsewhere.example")) as receiver:
        delivery = await tried(service, type="webhook", url=f"{receiver.url}/hook")
    assert "Hostname mismatch" in (delivery.error or "")
    assert receiver.received == []


async def test_nothing_is_sent_if_the_issuer_is_not_trusted(service: Service, authority: Authority) -> None:
    async with Receiver(tls=authority.vouch_for("localhost")) as receiver:
        delivery = await tried(service, type="webhook", url=f"{receiver.url}/hook")
    assert "CERTIFICATE_VERIFY_FAILED" in (delivery.error or "")
    assert receiver.received == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_unreadable_authority_is_named_and_affects_only_tls(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, trusted: Authority, variable: str
) -> None:
    monkeypatch.setenv(variable, "/no/such/certificate.pem")
    of_tls = await tried(service, type="webhook", url=receiver.url.replace("http://", "https://"))
    without = await tried(service, type="webhook", url=f"{receiver.url}/hook")
    assert f"{variable}: '/no/such/certificate.pem' holds no certificates" in (of_tls.error or "")
    assert without.status == "delivered"


@AT_ONCE
async def test_login_to_a_mail_server_with_a_trusted_certificate(
    settings: Settings, trusted: Authority, *, at_once: bool
) -> None:
    delivery, box = await tried_by_mail(settings, trusted.vouch_for("localhost"), at_once=at_once)
    assert delivery.error is None
    assert box.passwords == [PASSWORD.encode()]
    assert len(box.mails) == 1


@AT_ONCE
async def test_no_login_if_the_mail_servers_issuer_is_not_trusted(
    settings: Settings, authority: Authority, *, at_once: bool
) -> None:
    delivery, box = await tried_by_mail(settings, authority.vouch_for("localhost"), at_once=at_once)
    assert "CERTIFICATE_VERIFY_FAILED" in (delivery.error or "")
    assert (box.passwords, box.mails) == ([], [])


async def test_no_login_to_a_remote_mail_server_without_tls(settings: Settings) -> None:
    async with (
        mail_server(host="127.0.0.2", auth_require_tls=False) as (port, box),
        open_service(with_mail(settings, f"smtp://{USER}:{PASSWORD}@127.0.0.2:{port}")) as service,
    ):
        delivery = await tried(service, type="email", to=["team@example.org"])
    assert "offers no TLS" in (delivery.error or "")
    assert (box.passwords, box.mails) == ([], [])


async def test_error_of_a_wrong_password_does_not_show_it(settings: Settings) -> None:
    async with (
        mail_server(auth_require_tls=False) as (port, box),
        open_service(with_mail(settings, f"smtp://{USER}:wrong-one@127.0.0.1:{port}")) as service,
    ):
        delivery = await tried(service, type="email", to=["team@example.org"])
    assert "Authentication" in (delivery.error or "")
    assert "wrong-one" not in (delivery.error or "")
    assert b"wrong-one" in box.passwords
    assert box.mails == []


async def tried_by_mail(settings: Settings, tls: ssl.SSLContext, *, at_once: bool) -> tuple[Delivery, MailBox]:
    """Send a test by a mail server that speaks TLS, at once or by STARTTLS."""
    # Where TLS is spoken at once, the server's library does not see that a password is safe.
    server = (
        mail_server(at_once=tls, auth_require_tls=False)
        if at_once
        else mail_server(tls_context=tls, require_starttls=True)
    )
    async with server as (port, box):
        url = f"{'smtps' if at_once else 'smtp'}://{USER}:{PASSWORD}@localhost:{port}"
        async with open_service(with_mail(settings, url)) as service:
            return await tried(service, type="email", to=["team@example.org"]), box
