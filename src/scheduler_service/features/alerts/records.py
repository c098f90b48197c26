"""Alert rules and their deliveries, as the store returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from scheduler_service.domain.run_state import Reason
from scheduler_service.features.alerts.rules import Alert, AlertKind, Failure, Thresholds

DeliveryStatus = Literal["pending", "delivered", "failed"]
EndStatus = Literal["delivered", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """What to alert about, and by which channel. `job_id` None: all jobs; `owner_id` None: the jobs of all owners."""

    id: int
    name: str
    job_id: int | None
    owner_id: str | None
    kinds: list[str]
    late_seconds: float
    too_long_seconds: float
    failures: int
    window_seconds: float
    channel: Mapping[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime

    @property
    def wanted(self) -> frozenset[AlertKind]:
        """Return the kinds of alert that the rule asks for."""
        return frozenset(map(AlertKind, self.kinds))

    @property
    def thresholds(self) -> Thresholds:
        """Return the values from which on the rule alerts."""
        return Thresholds(self.late_seconds, self.too_long_seconds, self.failures, self.window_seconds)

    def covers(self, job_id: int, owner_id: str | None) -> bool:
        """Return whether the rule is about a job."""
        return self.job_id in {None, job_id} and self.owner_id in {None, owner_id}


@dataclass(frozen=True, slots=True)
class Overdue:
    """A run that has been in its state for too long."""

    run_id: int
    job_id: int
    job_name: str
    owner_id: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert for one channel."""

    id: int
    rule_id: int
    key: str
    kind: AlertKind
    job_id: int | None
    run_id: int | None
    alert: Mapping[str, Any]
    status: DeliveryStatus
    tries: int
    next_try_at: datetime
    error: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class LeasedDelivery:
    """A delivery that this process has leased, with the channel to send it by."""

    delivery: Delivery
    channel: Mapping[str, Any]

    @property
    def alert(self) -> Alert:
        """Return the content, from the stored columns."""
        stored = self.delivery.alert
        return Alert(
            kind=self.delivery.kind,
            job_id=self.delivery.job_id,
            job_name=stored["job_name"],
            owner_id=stored["owner_id"],
            run_id=self.delivery.run_id,
            at=datetime.fromisoformat(stored["at"]),
            reason=None if stored["reason"] is None else Reason(stored["reason"]),
            seconds=stored["seconds"],
            count=stored["count"],
            failure=Failure(**stored["failure"]) if stored.get("failure") else None,
            worker=stored.get("worker"),
            message=stored.get("message"),
        )
