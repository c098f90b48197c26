"""What a client says of a job: the one model behind POST, PUT, PATCH and preview."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from scheduler_service.domain.calendar_dst import FIRST_YEAR, LAST_YEAR, DstPolicy
from scheduler_service.domain.firing import MisfirePolicy, OverlapPolicy
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.payloads.registry import AnyPayload
from scheduler_service.services.text import Storable, StorableJson, Text

RESERVED_PREFIX = "SCHEDULER_"
_DATE = re.compile(r"\d{4}-")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), Storable]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), Storable]


def _is_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("a variable's name has letters, digits and underscores and does not start with a digit")
    if name.startswith(RESERVED_PREFIX):
        raise ValueError(f"names that start with {RESERVED_PREFIX} are the service's own; choose another")
    return name


def _is_written(value: object) -> object:
    # pydantic would take numbers for seconds since 1970.
    if not (isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value))):
        raise ValueError("not an instant; write it as 2026-12-31T23:59:59Z")
    return value


def _in_utc(value: datetime) -> datetime:
    # Further out, adding an offset or a span passes the ends of datetime.
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return value.astimezone(UTC)


def _is_of_numbers(policy: object) -> object:
    # pydantic takes no JSON object for a dataclass that is strict.
    if isinstance(policy, dict):
        known = [field.name for field in fields(RetryPolicy) if field.name in policy]
        wrong = [name for name in known if isinstance(policy[name], bool | str)]
        if wrong:
            kind = PydanticCustomError("number_type", "Input should be a valid number")
            details = [InitErrorDetails(type=kind, loc=(name,), input=policy[name]) for name in wrong]
            raise ValidationError.from_exception_data("RetryPolicy", details)
    return policy


Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_is_written), AfterValidator(_in_utc)]
Variable = Annotated[str, StringConstraints(max_length=128), Storable, AfterValidator(_is_variable)]


class Input(BaseModel):
    """What comes from outside: nothing unknown is accepted, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Document(Input):
    """What comes as JSON, which has types of its own: no text or boolean is taken for a number, nor the reverse."""

    model_config = ConfigDict(strict=True)


class JobLimits(Document):
    """What each attempt may use; the sandbox sees to it."""

    memory_mb: Annotated[int, Field(ge=16, le=1_048_576)] = 512
    cpu_seconds: Annotated[int, Field(ge=1, le=604_800)] = 300
    processes: Annotated[int, Field(ge=1, le=4096)] = 64
    disk_mb: Annotated[int, Field(ge=1, le=1_048_576)] = 256
    output_kb: Annotated[int, Field(ge=1, le=65_536)] = 1024
    network: bool = False


_OVERLAP = (
    "What becomes of an instant while `max_concurrency` runs of the job are queued, running or retrying: `skip` leaves "
    "it out, `queue` lets it wait, `cancel_running` cancels the others for it; `allow` starts it, however many go on."
)
_CONCURRENCY = "How many runs of the job may go on at once; it does not count for `overlap_policy` `allow`."


class JobDefinition(Document):
    """A job, as a client defines it. Only `name`, `schedule_expr` and `payload` are required."""

    name: Name
    schedule_expr: Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True), Storable]
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64), Storable] = "UTC"
    payload: AnyPayload
    retry_policy: Annotated[RetryPolicy, BeforeValidator(_is_of_numbers)] = RetryPolicy()
    owner_id: Annotated[str, StringConstraints(max_length=128), Storable] = ""
    description: Annotated[str, StringConstraints(max_length=10_000), Storable] = ""
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    enabled: bool = True
    priority: Annotated[int, Field(ge=0, le=9, description="0 runs last, 9 first.")] = 5
    timeout_seconds: Annotated[float, Field(ge=0.1, le=604_800)] = 300
    limits: JobLimits = JobLimits()
    overlap_policy: Annotated[OverlapPolicy, Field(description=_OVERLAP)] = "skip"
    max_concurrency: Annotated[int, Field(ge=1, le=1000, description=_CONCURRENCY)] = 1
    misfire_policy: MisfirePolicy = "fire_once"
    misfire_grace_seconds: Annotated[float, Field(ge=0, le=86_400)] = 60
    catchup_limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    dst: DstPolicy = DstPolicy()
    start_at: Instant | None = None
    end_at: Instant | None = None
    jitter_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    env: Annotated[
        dict[Variable, Annotated[str, StringConstraints(max_length=32_768), Storable]], Field(max_length=100)
    ] = {}
    args: dict[Text, StorableJson] = {}

    @field_validator("end_at")
    @classmethod
    def _is_after_the_start(cls, end_at: datetime | None, info: ValidationInfo) -> datetime | None:
        start_at = info.data.get("start_at")
        if end_at is not None and start_at is not None and end_at <= start_at:
            raise ValueError("must be later than start_at")
        return end_at


class PreviewRequest(Document):
    """A schedule to look at before it is given to a job."""

    schedule_expr: Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True), Storable]
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64), Storable] = "UTC"
    count: Annotated[int, Field(ge=1, le=1000)] = 10
    dst: DstPolicy = DstPolicy()
