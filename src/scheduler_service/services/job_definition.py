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
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_core import InitErrorDetails

from scheduler_service.domain.firing import MisfirePolicy, OverlapPolicy
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.schedules.calendar_dst import FIRST_YEAR, LAST_YEAR, DstPolicy
from scheduler_service.payloads.bounded import details_of, refusal
from scheduler_service.payloads.numbers import Whole, as_whole
from scheduler_service.payloads.registry import AnyPayload
from scheduler_service.services.arguments import check_args, check_values
from scheduler_service.services.stored_text import Storable, Text
from scheduler_service.services.variables import MOST_VARIABLES, check_name, check_number, check_sizes

_NUMBERS = tuple(field.name for field in fields(RetryPolicy))
_WHOLE = frozenset({"max_retries"})
_DATE = re.compile(r"\d{4}-")

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), Storable]
Owner = Annotated[str, StringConstraints(max_length=128, strip_whitespace=True), Storable]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), Storable]


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


def _is_of_numbers(policy: object, handler: ValidatorFunctionWrapHandler) -> object:
    # pydantic takes no JSON object for a dataclass that is strict.
    if not isinstance(policy, dict):
        return handler(policy)
    policy = {name: as_whole(value) if name in _WHOLE else value for name, value in policy.items()}
    wrong = [name for name in _NUMBERS if name in policy and not _is_number(policy, name)]
    details = [_no_number(name, policy[name]) for name in wrong]
    try:
        read = handler({name: value for name, value in policy.items() if name not in wrong})
    except ValidationError as error:
        details += details_of(error)
    if details:
        raise refusal("RetryPolicy", details)
    return read


def _is_number(policy: dict[str, object], name: str) -> bool:
    value = policy[name]
    return not isinstance(value, bool) and isinstance(value, int if name in _WHOLE else int | float)


def _no_number(name: str, value: object) -> InitErrorDetails:
    return InitErrorDetails(type="int_type" if name in _WHOLE else "float_type", loc=(name,), input=value)


def _once_each(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_is_written), AfterValidator(_in_utc)]
Variable = Annotated[str, StringConstraints(max_length=128), Storable, AfterValidator(check_name)]


class Input(BaseModel):
    """What comes from outside: nothing unknown is accepted, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Document(Input):
    """What comes as JSON, which has types of its own: no text or boolean is taken for a number, nor the reverse."""

    model_config = ConfigDict(strict=True)


class JobLimits(Document):
    """What each attempt may use; the sandbox sees to it."""

    memory_mb: Annotated[int, Field(ge=16, le=1_048_576), Whole] = 512
    cpu_seconds: Annotated[int, Field(ge=1, le=604_800), Whole] = 300
    processes: Annotated[int, Field(ge=1, le=4096), Whole] = 64
    disk_mb: Annotated[int, Field(ge=1, le=1_048_576), Whole] = 256
    output_kb: Annotated[int, Field(ge=1, le=65_536), Whole] = 1024
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
    retry_policy: Annotated[RetryPolicy, WrapValidator(_is_of_numbers)] = RetryPolicy()
    owner_id: Owner = ""
    description: Annotated[str, StringConstraints(max_length=10_000), Storable] = ""
    tags: Annotated[list[Tag], Field(max_length=50), AfterValidator(_once_each)] = []
    enabled: bool = True
    priority: Annotated[int, Field(ge=0, le=9, description="0 runs last, 9 first."), Whole] = 5
    timeout_seconds: Annotated[float, Field(ge=0.1, le=604_800)] = 300
    limits: JobLimits = JobLimits()
    overlap_policy: Annotated[OverlapPolicy, Field(description=_OVERLAP)] = "skip"
    max_concurrency: Annotated[int, Field(ge=1, le=1000, description=_CONCURRENCY), Whole] = 1
    misfire_policy: MisfirePolicy = "fire_once"
    misfire_grace_seconds: Annotated[float, Field(ge=0, le=86_400)] = 60
    catchup_limit: Annotated[int, Field(ge=1, le=10_000), Whole] = 100
    dst: DstPolicy = DstPolicy()
    start_at: Instant | None = None
    end_at: Instant | None = None
    jitter_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            description="Each run waits for a part of it, by chance; while it waits it counts for `overlap_policy`.",
        ),
    ] = 0
    env: Annotated[
        dict[Variable, Annotated[str, StringConstraints(max_length=32_768), Storable]],
        Field(
            description="Variables for the code; `HOME` and `TMPDIR` are the service's own.", max_length=MOST_VARIABLES
        ),
        AfterValidator(check_sizes),
        BeforeValidator(check_number),
    ] = {}
    args: Annotated[
        dict[Text, JsonValue],
        Field(description="For the code, as JSON in SCHEDULER_ARGS: at most 128 KiB with that name."),
        BeforeValidator(check_values),
    ] = {}

    @field_validator("end_at")
    @classmethod
    def _is_after_the_start(cls, end_at: datetime | None, info: ValidationInfo) -> datetime | None:
        start_at = info.data.get("start_at")
        if end_at is not None and start_at is not None and end_at <= start_at:
            raise ValueError("must be later than start_at")
        return end_at

    @field_validator("args")
    @classmethod
    def _fit_beside_the_variables(cls, args: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        return check_args(args, info.data.get("env", {}))


class PreviewRequest(Document):
    """A schedule to look at before it is given to a job."""

    schedule_expr: Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True), Storable]
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64), Storable] = "UTC"
    count: Annotated[int, Field(ge=1, le=1000), Whole] = 10
    dst: DstPolicy = DstPolicy()
