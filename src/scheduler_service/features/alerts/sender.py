"""Sends deliveries, each again until it arrives or is given up.

A sender leases due deliveries and sends up to CONCURRENCY at once. A receiver that fails or hangs costs its own rule
only: one rule has at most MAX_PER_RULE deliveries under way, and one whose last try failed has one. A process that dies
while it sends leaves its deliveries to the next sender, which gets them when the lease ends.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog
from pydantic import ValidationError

from scheduler_service.engine.loop import LAST_STEP_SECONDS, until_available
from scheduler_service.features.alerts import deliveries
from scheduler_service.features.alerts.channels.base import OutgoingAlert, Transports
from scheduler_service.features.alerts.channels.registry import read_channel
from scheduler_service.features.alerts.deliveries import Shares
from scheduler_service.features.alerts.records import EndStatus, LeasedDelivery
from scheduler_service.outbound.address_guard import RefusedError
from scheduler_service.outbound.web import DELIVERY_SECONDS, NotDeliveredError
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

CONCURRENCY = 128
MAX_PER_RULE = 4
CHECK_SECONDS = 1.0
IDLE_SECONDS = 5.0
LEASE_SECONDS = 3 * DELIVERY_SECONDS
FIRST_DELAY_SECONDS = 2.0
MAX_DELAY_SECONDS = 900.0
# With the delays between them, the last try comes some two hours after the first.
MAX_TRIES = 15

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Try:
    """What came of one try. `error` is also set if the alert did not reach all receivers.

    "again": another try may help, though not for `wait_seconds`, which the receiver asked for.
    """

    result: Literal["delivered", "refused", "again"]
    error: str | None = None
    wait_seconds: float = 0.0


class _StoppedError(Exception):
    """The process ends."""


class AlertSender:
    """Sends due deliveries. No slot of a worker is used."""

    def __init__(
        self, database: Database, clock: Clock, transports: Transports, base_url: str, on_free: Callable[[], None]
    ) -> None:
        """Send by these transports. The links in alerts begin with `base_url`.

        `on_free` is called when a delivery is finished, so that there is room for the next.
        """
        self._database = database
        self._clock = clock
        self._transports = transports
        self._base_url = base_url
        self._on_free = on_free
        self._rule_by_task: dict[asyncio.Task[None], int] = {}
        self._failing_rules: set[int] = set()
        self._sending: set[asyncio.Task[_Try]] = set()
        self._is_stopping = False

    async def deliver(self) -> float:
        """Start to send due deliveries. Return the seconds until the next check."""
        free = CONCURRENCY - len(self._rule_by_task)
        if free <= 0:
            return CHECK_SECONDS
        due_at, now = await self._next_due_at(), self._clock.now()
        if due_at is None or due_at > now:
            seconds = IDLE_SECONDS if due_at is None else (due_at - now).total_seconds()
            return min(seconds, IDLE_SECONDS)
        for leased in await self._lease(free):
            task = asyncio.create_task(self._deliver(leased))
            self._rule_by_task[task] = leased.delivery.rule_id
            task.add_done_callback(self._free)
        return CHECK_SECONDS

    async def stop(self) -> None:
        """Stop sending, and make unfinished deliveries due again for the next sender.

        Only the sending is cancelled. A cancelled write would leave its connection in a transaction, on SQLite with the
        lock that every other writer waits for.
        """
        self._is_stopping = True
        for sending in self._sending:
            sending.cancel()
        if self._rule_by_task:
            await asyncio.wait(self._rule_by_task, timeout=LAST_STEP_SECONDS)
        for task in self._rule_by_task:  # the database does not answer; the leases end by themselves
            task.cancel()
        if self._rule_by_task:
            await asyncio.wait(self._rule_by_task)

    async def _next_due_at(self) -> datetime | None:
        async with self._database.read() as connection:
            return await deliveries.next_due_at(connection)

    def _free(self, task: asyncio.Task[None]) -> None:
        del self._rule_by_task[task]
        self._on_free()

    async def _lease(self, limit: int) -> list[LeasedDelivery]:
        under_way = Counter(self._rule_by_task.values())
        full = [rule_id for rule_id, number in under_way.items() if number >= self._share_of(rule_id)]
        shares = Shares(most=MAX_PER_RULE, failing=self._failing_rules, full=full)
        async with self._database.write() as connection:
            return await deliveries.lease(connection, self._clock.now(), limit, LEASE_SECONDS, shares)

    def _share_of(self, rule_id: int) -> int:
        return 1 if rule_id in self._failing_rules else MAX_PER_RULE

    async def _deliver(self, leased: LeasedDelivery) -> None:
        delivery = leased.delivery
        try:
            tried = await self._send_unless_stopped(leased)
        except _StoppedError:
            await until_available(lambda: self._release(leased))
            return
        about = {"delivery_id": delivery.id, "rule_id": delivery.rule_id, "kind": delivery.kind}
        log.info("delivery_attempted", **about, tries=delivery.tries, result=tried.result, error=tried.error)
        if tried.result == "again":
            self._failing_rules.add(delivery.rule_id)
        else:
            self._failing_rules.discard(delivery.rule_id)
        if tried.result == "again" and delivery.tries < MAX_TRIES:
            await until_available(lambda: self._postpone(leased, tried))
        else:
            await until_available(lambda: self._end(leased, tried))

    async def _send_unless_stopped(self, leased: LeasedDelivery) -> _Try:
        sending = asyncio.create_task(self._try(leased))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        if self._is_stopping:
            sending.cancel()
        await asyncio.wait([sending])
        if sending.cancelled():
            raise _StoppedError
        return sending.result()

    async def _try(self, leased: LeasedDelivery) -> _Try:
        """Send once, and return what came of it."""
        outgoing = OutgoingAlert(leased.alert, leased.delivery.id, self._base_url)
        try:
            error = await read_channel(leased.channel).send(outgoing, self._transports)
        except (RefusedError, ValidationError) as refusal:
            return _Try("refused", _one_line(refusal))
        except NotDeliveredError as failure:
            return _Try("again", _one_line(failure), failure.wait_seconds)
        except Exception as failure:
            # A fault of one channel must neither end the process nor be hidden.
            log.exception("alert_failed", delivery_id=leased.delivery.id)
            return _Try("again", type(failure).__name__)
        return _Try("delivered", error)

    async def _end(self, leased: LeasedDelivery, tried: _Try) -> None:
        status: EndStatus = "delivered" if tried.result == "delivered" else "failed"
        async with self._database.write() as connection:
            await deliveries.end(connection, leased.delivery.id, status, tried.error, self._clock.now())

    async def _release(self, leased: LeasedDelivery) -> None:
        async with self._database.write() as connection:
            await deliveries.postpone(connection, leased.delivery.id, "the process ended", self._clock.now())

    async def _postpone(self, leased: LeasedDelivery, tried: _Try) -> None:
        wait_seconds = min(max(tried.wait_seconds, delay_seconds(leased.delivery.tries)), MAX_DELAY_SECONDS)
        next_try_at = self._clock.now() + timedelta(seconds=wait_seconds)
        async with self._database.write() as connection:
            await deliveries.postpone(connection, leased.delivery.id, tried.error or "", next_try_at)


def delay_seconds(tries: int) -> float:
    """Return the wait after so many tries: doubled each time, with jitter so that receivers do not get them at once."""
    longest: float = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (tries - 1))
    return longest * random.uniform(0.75, 1.0)  # noqa: S311 (spreads load, guards nothing)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
