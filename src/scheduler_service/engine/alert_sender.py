"""Telling people: deliveries are sent beside everything else, again and again until they arrive or are given up."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import structlog
from pydantic import TypeAdapter, ValidationError

from scheduler_service.alerts import messages
from scheduler_service.alerts.channels import Channel, Email, Slack, Webhook
from scheduler_service.engine.loop import LAST_STEP_SECONDS, insist
from scheduler_service.outbound.address_guard import Reach, RefusedError
from scheduler_service.outbound.mail import Mailer
from scheduler_service.outbound.web import DELIVERY_SECONDS, NotDeliveredError, post
from scheduler_service.storage import deliveries
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.deliveries import Outgoing

CONCURRENCY = 128
# Of one rule: so its receiver may hang, and the others still get theirs. Of one whose last try failed: a single one, so
# that as many receivers may hang as there are places.
OF_EACH_RULE = 4
LOOK_SECONDS = 1.0
# A process that was killed while it sent leaves the delivery to the next one after this time.
LEASE_SECONDS = 3 * DELIVERY_SECONDS
FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 900.0
# With the delays between them the last one comes some two hours after the first.
MAX_TRIES = 15

_Tried = tuple[Literal["delivered", "refused", "again"], str | None, float]

log = structlog.get_logger(__name__)
_channel: TypeAdapter[Webhook | Slack | Email] = TypeAdapter(Channel)


class _StoppedError(Exception):
    """The process ends."""


class AlertSender:
    """Sends what is to be told, CONCURRENCY deliveries at once at the most. No slot of a worker is ever used."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        reach: Reach,
        mailer: Mailer | None,
        base_url: str,
        on_free: Callable[[], None],
    ) -> None:
        """`mailer` None: there is no mail server, and mails are given up. `base_url` begins the links in alerts.

        `on_free` is called when one is done with, so that there is room for the next.
        """
        self._database = database
        self._clock = clock
        self._reach = reach
        self._mailer = mailer
        self._base_url = base_url
        self._on_free = on_free
        self._busy: dict[asyncio.Task[None], int] = {}
        self._failing: set[int] = set()
        self._sending: set[asyncio.Task[_Tried]] = set()
        self._is_stopping = False

    async def deliver(self) -> float:
        """Begin to send what is due, and return the seconds until there may be more."""
        free = CONCURRENCY - len(self._busy)
        if free > 0:
            async with self._database.read() as connection:
                is_due = await deliveries.is_any_due(connection, self._clock.now())
            if is_due:
                for outgoing in await self._take(free):
                    task = asyncio.create_task(self._deliver(outgoing))
                    self._busy[task] = outgoing.delivery.rule_id
                    task.add_done_callback(self._free)
        return LOOK_SECONDS

    def _free(self, task: asyncio.Task[None]) -> None:
        del self._busy[task]
        self._on_free()

    async def _take(self, free: int) -> list[Outgoing]:
        busy = Counter(self._busy.values())
        async with self._database.write() as connection:
            return await deliveries.take(
                connection,
                self._clock.now(),
                free,
                LEASE_SECONDS,
                of_each_rule=OF_EACH_RULE,
                one_of=self._failing,
                not_of=[rule_id for rule_id, number in busy.items() if number >= self._most_of(rule_id)],
            )

    def _most_of(self, rule_id: int) -> int:
        return 1 if rule_id in self._failing else OF_EACH_RULE

    async def stop(self) -> None:
        """Cut short what is on its way, and hand it back: another process, or the next start, sends it again.

        Only the sending is cut short. A write may end: cancelled, its connection would go astray with its lock.
        """
        self._is_stopping = True
        for sending in self._sending:
            sending.cancel()
        if self._busy:
            await asyncio.wait(self._busy, timeout=LAST_STEP_SECONDS)
        for task in self._busy:  # the database does not answer; the lease runs out by itself
            task.cancel()
        if self._busy:
            await asyncio.wait(self._busy)

    async def _deliver(self, outgoing: Outgoing) -> None:
        delivery = outgoing.delivery
        try:
            verdict, error, wait_seconds = await self._send_unless_stopped(outgoing)
        except _StoppedError:
            await insist(lambda: self._hand_back(outgoing))
            return
        about = {"delivery_id": delivery.id, "rule_id": delivery.rule_id, "kind": delivery.kind}
        log.info("alert_tried", **about, tries=delivery.tries, verdict=verdict, error=error)
        if verdict == "again":
            self._failing.add(delivery.rule_id)
        else:
            self._failing.discard(delivery.rule_id)
        if verdict == "again" and delivery.tries < MAX_TRIES:
            await insist(lambda: self._postpone(outgoing, error, wait_seconds))
        else:
            status: deliveries.EndStatus = "delivered" if verdict == "delivered" else "failed"
            await insist(lambda: self._end(outgoing, status, error))

    async def _send_unless_stopped(self, outgoing: Outgoing) -> _Tried:
        sending = asyncio.create_task(self._try(outgoing))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        if self._is_stopping:
            sending.cancel()
        await asyncio.wait([sending])
        if sending.cancelled():
            raise _StoppedError
        return sending.result()

    async def _try(self, outgoing: Outgoing) -> _Tried:
        """Send; returns what came of it, why it did not arrive, and how long the receiver wants to be left alone."""
        try:
            note = await self._send(outgoing)
        except (RefusedError, ValidationError) as error:
            return "refused", _one_line(error), 0.0
        except NotDeliveredError as error:
            return "again", _one_line(error), error.wait_seconds
        except Exception as error:
            # An observer: what it meets must not end the process, but not be hidden either.
            log.exception("alert_failed", delivery_id=outgoing.delivery.id)
            return "again", type(error).__name__, 0.0
        return "delivered", note, 0.0

    async def _send(self, outgoing: Outgoing) -> str | None:
        """Send; returns what is to be said of it although it arrived."""
        channel, alert, base_url = _channel.validate_python(outgoing.channel), outgoing.alert, self._base_url
        delivery_id = outgoing.delivery.id
        match channel:
            case Webhook():
                body, headers = messages.webhook(alert, delivery_id, base_url, channel.secret, int(time.time()))
                await post(channel.url, body, headers, self._reach)
            case Slack():
                body = messages.slack(alert, base_url)
                await post(channel.url, body, {"Content-Type": "application/json"}, self._reach)
            case Email():
                if self._mailer is None:
                    raise RefusedError("there is no mail server; set SCHEDULER_SMTP_URL")
                mail = messages.email(alert, delivery_id, base_url, self._mailer.sender, channel.to)
                refused = await self._mailer.send(mail)
                return f"the mail server refused {', '.join(refused)}" if refused else None
        return None

    async def _end(self, outgoing: Outgoing, status: deliveries.EndStatus, error: str | None) -> None:
        async with self._database.write() as connection:
            await deliveries.end(connection, outgoing.delivery.id, status, error, self._clock.now())

    async def _hand_back(self, outgoing: Outgoing) -> None:
        async with self._database.write() as connection:
            await deliveries.try_again(connection, outgoing.delivery.id, "the process ended", self._clock.now())

    async def _postpone(self, outgoing: Outgoing, error: str | None, wait_seconds: float) -> None:
        wait_seconds = min(max(wait_seconds, delay_seconds(outgoing.delivery.tries)), LONGEST_DELAY_SECONDS)
        next_try_at = self._clock.now() + timedelta(seconds=wait_seconds)
        async with self._database.write() as connection:
            await deliveries.try_again(connection, outgoing.delivery.id, error or "", next_try_at)


def delay_seconds(tries: int) -> float:
    """Return the wait after so many tries: twice as long each time, and never for all receivers at once."""
    longest: float = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (tries - 1))
    return longest * random.uniform(0.75, 1.0)  # noqa: S311 (spreads load, guards nothing)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
