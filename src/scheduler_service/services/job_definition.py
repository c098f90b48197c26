"""The definition of a job in requests: one model for POST, PUT, PATCH and preview."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from scheduler_service.domain.concurrency_keys import KEY_PATTERN
from scheduler_service.domain.firing import MisfirePolicy, OverlapPolicy
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.payloads.numbers import Whole
from scheduler_service.payloads.registry import AnyPayload
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.arguments import check_args
from scheduler_service.services.code_inputs import Arguments, Variables
from scheduler_service.services.input_models import DefinitionModel, Name, Owner
from scheduler_service.services.instants import Instant
from scheduler_service.services.job_dependencies import Mode, UpstreamJobs
from scheduler_service.services.job_files import JobFiles
from scheduler_service.services.job_limits import JobLimits
from scheduler_service.services.job_secrets import JobSecrets, check_targets
from scheduler_service.services.retry_policy import WrittenRetryPolicy
from scheduler_service.services.schedule_fields import Calendars, Dst, ScheduleExpr, Shift, Timezone, check_end

GrantName = Annotated[str, StringConstraints(min_length=1, max_length=64), Storable]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), Storable]


MAX_TAGS = 50


def _once_each(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


class JobDefinition(DefinitionModel):
    """A job, as a client defines it. Only `name`, `schedule_expr` and `payload` are required.

    This is the one list of a job's fields: columns, answers and merge patches follow it.
    """

    name: Annotated[Name, Field(description="Name of the job, 1 to 200 characters. Two jobs may share a name.")]
    schedule_expr: ScheduleExpr
    timezone: Timezone = "UTC"
    payload: Annotated[AnyPayload, Field(description="What the job runs. `type` selects the kind of payload.")]
    retry_policy: Annotated[
        WrittenRetryPolicy,
        Field(description="Whether and when a failed run is tried again. Default: no retry."),
    ] = RetryPolicy()
    owner_id: Annotated[
        Owner, Field(description="Who the job belongs to, up to 128 characters. Lists filter by it. Default: empty.")
    ] = ""
    external_key: Annotated[
        Name | None,
        Field(
            description="Identity of the job for programs and files, 1 to 200 characters. No two jobs of an owner have "
            "the same one. Null: it has none. Default null."
        ),
    ] = None
    description: Annotated[
        str,
        StringConstraints(max_length=10_000),
        Storable,
        Field(description="Notes for people, up to 10,000 characters. Default: empty."),
    ] = ""
    tags: Annotated[
        list[Tag],
        Field(
            max_length=MAX_TAGS,
            description="Up to 50 labels of 1 to 64 characters. Lists filter by them, and workers can be restricted "
            "to them. Default: none.",
        ),
        AfterValidator(_once_each),
    ] = []
    enabled: Annotated[
        bool, Field(description="Whether the schedule fires. False: the job is paused. Default true.")
    ] = True
    priority: Annotated[
        int,
        Field(ge=0, le=9, description="Order among the owner's queued runs: 9 starts first, 0 last. Default 5."),
        Whole,
    ] = 5
    timeout_seconds: Annotated[
        float,
        Field(
            ge=0.1,
            le=604_800,
            description="An attempt that runs longer is killed. In seconds, 0.1 to 604,800 (7 days). Default 300.",
        ),
    ] = 300
    grants: Annotated[
        list[GrantName],
        Field(
            max_length=16,
            description="Names of up to 16 grants: paths, hosts and sockets that the operator opens to the job. "
            "`GET /grants` lists them. Default: none.",
        ),
        AfterValidator(_once_each),
    ] = []
    limits: Annotated[
        JobLimits, Field(description="What each attempt may use: memory, processor time, disk and so on.")
    ] = JobLimits()
    overlap_policy: Annotated[
        OverlapPolicy,
        Field(
            description="What happens to an instant while `max_concurrency` runs of the job are queued, running or "
            "retrying: `skip` skips it, `queue` lets it wait, `cancel_running` cancels the other runs for it, `allow` "
            "starts it, however many runs there are. Default `skip`."
        ),
    ] = "skip"
    max_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Runs of the job at the same time, 1 to 1,000. Ignored if `overlap_policy` is `allow`. "
            "Default 1.",
        ),
        Whole,
    ] = 1
    misfire_policy: Annotated[
        MisfirePolicy,
        Field(
            description="What happens to missed instants, such as those during an outage: `fire_once` runs only the "
            "newest, `fire_all` runs the newest `catchup_limit` of them, `skip` runs none. Default `fire_once`."
        ),
    ] = "fire_once"
    misfire_grace_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=86_400,
            description="An instant counts as missed if it is later than this. In seconds, 0 to 86,400 (1 day). "
            "Default 60.",
        ),
    ] = 60
    catchup_limit: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Missed instants that `misfire_policy` `fire_all` runs, 1 to 10,000. Default 100.",
        ),
        Whole,
    ] = 100
    start_deadline_seconds: Annotated[
        float | None,
        Field(
            ge=1,
            le=604_800,
            description="A run of the schedule that could not start within this time is missed. It counts from the "
            "instant, or from the end of the jitter. In seconds, 1 to 604,800 (7 days). Null: it waits as long as it "
            "must. Default null.",
        ),
    ] = None
    max_runs: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000_000,
            description="The job is finished after this number of runs of its schedule, 1 to 1,000,000,000. Manual "
            "runs do not count, and a new schedule starts the count again. Null: there is no limit. Default null.",
        ),
        Whole,
    ] = None
    pause_after_failures: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="The job is paused after this number of failed runs in a row, 1 to 1,000. Retries of one run "
            "do not count. Null: it goes on. Default null.",
        ),
        Whole,
    ] = None
    concurrency_key: Annotated[
        str | None,
        Field(
            pattern=f"^{KEY_PATTERN}$",
            description="Jobs of one owner with the same key share their concurrency: a run starts while fewer than "
            "`max_concurrency` runs with this key execute, and waits otherwise. Up to 64 letters, digits and `_.:-`. "
            "Null: the job shares with none. Default null.",
        ),
    ] = None
    dst: Dst = DstPolicy()
    start_at: Annotated[
        Instant | None,
        Field(description="The schedule fires from this instant on. Null: at once. Default null."),
    ] = None
    end_at: Annotated[
        Instant | None,
        Field(description="The schedule fires up to this instant, which must be later than `start_at`. Default null."),
    ] = None
    jitter_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            description="Each run waits for a random part of this time. A waiting run counts for `overlap_policy`. "
            "In seconds, 0 to 3,600 (1 hour). Default 0.",
        ),
    ] = 0
    calendars: Calendars = []
    calendar_shift: Shift = "skip"
    after: UpstreamJobs = []
    after_mode: Mode = "all"
    env: Annotated[
        Variables,
        Field(
            description="Environment variables for the code, up to 100, each up to 32,768 characters. `HOME`, `TMPDIR` "
            "and names that start with `SCHEDULER_` are reserved. Default: none."
        ),
    ] = {}
    args: Annotated[
        Arguments,
        Field(
            description="Arguments for the code, which reads them as JSON from the variable `SCHEDULER_ARGS`. "
            "Up to 128 KiB with that name. Default: none."
        ),
    ] = {}

    files: Annotated[
        JobFiles,
        Field(
            description="Up to 100 files in the working directory of the code, by relative name. The content is `text` "
            "or `base64`, up to 256 KiB each and 1 MiB together. Default: none.",
            examples=[{"data.csv": {"text": "a,b\n1,2\n"}}],
        ),
    ] = {}
    secrets: Annotated[
        JobSecrets,
        Field(
            description="Up to 16 secrets of the owner, by the environment variable that gets the value, or by `./` "
            "and the name of a file in the working directory. `PUT /secrets/{name}` stores them. Default: none.",
            examples=[{"PGPASSWORD": "warehouse-password", "./certs/db.pem": "warehouse-certificate"}],
        ),
    ] = {}

    @field_validator("end_at")
    @classmethod
    def _is_after_the_start(cls, end_at: datetime | None, info: ValidationInfo) -> datetime | None:
        return check_end(end_at, info.data.get("start_at"))

    @field_validator("secrets")
    @classmethod
    def _have_places_of_their_own(cls, secrets: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        return check_targets(secrets, info.data.get("env", {}), info.data.get("files", {}))

    @field_validator("args")
    @classmethod
    def _fit_beside_the_variables(cls, args: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        return check_args(args, info.data.get("env", {}))
