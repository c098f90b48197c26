"""The conditions of a job's next run: which are met, and what to do about each that is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.records import Job, Worker
from scheduler_service.domain.run_state import JobStatus, Reason


class Code(StrEnum):
    """A condition of a run."""

    PAUSED = "paused"
    SCHEDULE = "schedule"
    CALENDAR = "calendar"
    DEPENDENCY = "dependency"
    OVERLAP = "overlap"
    CONCURRENCY_KEY = "concurrency_key"
    QUOTA = "quota"
    WORKERS = "workers"
    SANDBOX = "sandbox"
    GRANTS = "grants"
    ENVIRONMENT = "environment"
    START_DEADLINE = "start_deadline"


@dataclass(frozen=True, slots=True)
class Blocker:
    """A condition of the next run. If it is not met, the sentence says what holds the run back, and `remedy` helps."""

    code: Code
    met: bool
    sentence: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the next run of a job depends on.

    `active` and `of_key` count active runs of the job, and runs that hold slots of its concurrency key. `ready` are
    workers that claim runs, `unfit` those whose sandbox fails. `running_of_owner` counts the running runs of the owner,
    and `in_minute` its runs of this minute if a quota limits them. `stored_mb` is what its logs and artifacts took
    at the latest count.
    """

    job: Job
    active: int
    of_key: int
    ready: Sequence[Worker]
    unfit: Sequence[Worker]
    environment: EnvironmentState | None
    calendar: JobCalendar | None
    # Upstream jobs whose end the present round still lacks.
    awaited: Sequence[int]
    last_reason: Reason | None
    quotas: Quotas = NO_QUOTAS
    running_of_owner: int = 0
    in_minute: int = 0
    stored_mb: int = 0


def blockers(situation: Situation) -> tuple[Blocker, ...]:
    """Return every condition of the next run in the order in which they are checked."""
    checks = (
        _paused,
        _schedule,
        _calendar,
        _dependency,
        _overlap,
        _key,
        _quota,
        _workers,
        _sandbox,
        _grants,
        _environment,
        _deadline,
    )
    return tuple(blocker for check in checks for blocker in check(situation))


def _paused(situation: Situation) -> Iterator[Blocker]:
    job = situation.job
    if job.status is not JobStatus.PAUSED:
        yield Blocker(Code.PAUSED, met=True, sentence="The job is not paused.")
        return
    why = f": {job.pause_reason}" if job.pause_reason else ""
    until = "" if job.paused_until is None else f" It resumes at {iso8601(job.paused_until)}."
    sentence = f"The job is paused{why}.{until}"
    yield Blocker(Code.PAUSED, met=False, sentence=sentence, remedy="Resume the job, or run it by hand.")


def _schedule(situation: Situation) -> Iterator[Blocker]:
    job = situation.job
    if job.schedule_expr is None and job.after:
        return
    if job.schedule_expr is None:
        sentence, remedy = (
            "The job has no schedule: it runs when it is asked to.",
            "Run it by hand, or give it a schedule_expr.",
        )
    elif job.status is not JobStatus.FINISHED:
        yield Blocker(Code.SCHEDULE, met=True, sentence=_next_sentence(job.next_run_at))
        return
    elif job.max_runs is not None and job.scheduled_runs >= job.max_runs:
        sentence, remedy = f"The job has had its {job.max_runs} runs.", "Raise max_runs."
    else:
        sentence, remedy = "The schedule has no further instant.", "Give the job a new schedule_expr or end_at."
    yield Blocker(Code.SCHEDULE, met=False, sentence=sentence, remedy=remedy)


def _next_sentence(next_run_at: datetime | None) -> str:
    known = "" if next_run_at is None else f" The next one is {iso8601(next_run_at)}."
    return f"The schedule has further instants.{known}"


def _calendar(situation: Situation) -> Iterator[Blocker]:
    instant, calendar = situation.job.next_run_at, situation.calendar
    if calendar is None or instant is None or calendar.is_open(instant):
        yield Blocker(Code.CALENDAR, met=True, sentence="No calendar excludes the next instant.")
        return
    moved = calendar.moved(instant)
    then = "it would be skipped" if moved is None else f"its run waits until {iso8601(moved)}"
    sentence = f"A calendar excludes the day of the next instant: {then}."
    yield Blocker(Code.CALENDAR, met=False, sentence=sentence, remedy="Change calendars or calendar_shift of the job.")


def _dependency(situation: Situation) -> Iterator[Blocker]:
    job = situation.job
    if not job.after:
        return
    upstream = situation.awaited if job.after_mode == "all" else [each["job"] for each in job.after]
    listed = ", ".join(map(str, upstream))
    count = "an end of job" if len(upstream) == 1 else f"ends of {job.after_mode} of the jobs"
    sentence = f"The job waits for {count} {listed}."
    yield Blocker(Code.DEPENDENCY, met=False, sentence=sentence, remedy="Run an upstream job, or this one by hand.")


def _overlap(situation: Situation) -> Iterator[Blocker]:
    job, active = situation.job, situation.active
    counted = f"{active} {'run is' if active == 1 else 'runs are'} active, and {_at_once(job.max_concurrency)}"
    if job.overlap_policy == "allow" or active < job.max_concurrency:
        yield Blocker(Code.OVERLAP, met=True, sentence=f"There is room for another run: {counted}.")
        return
    still = "if it still ran" if active == 1 else "if they still ran"
    then = {"skip": f"the next instant would be skipped {still}", "queue": f"the next run would wait {still}"}.get(
        job.overlap_policy, "the next run cancels " + ("it" if active == 1 else "them")
    )
    remedy = "Wait, cancel a run, raise max_concurrency, or choose another overlap_policy."
    yield Blocker(Code.OVERLAP, met=False, sentence=f"{counted.capitalize()}: {then}.", remedy=remedy)


def _at_once(limit: int) -> str:
    return f"{limit} may run at once"


def _key(situation: Situation) -> Iterator[Blocker]:
    job, held = situation.job, situation.of_key
    if job.concurrency_key is None:
        return
    execute = "run with the key {key} executes" if held == 1 else "runs with the key {key} execute"
    sentence = f"{held} {execute.format(key=job.concurrency_key)}, and {_at_once(job.max_concurrency)}."
    is_met = held < job.max_concurrency
    remedy = None if is_met else "Wait for one of them, or raise max_concurrency."
    yield Blocker(Code.CONCURRENCY_KEY, met=is_met, sentence=sentence, remedy=remedy)


def _quota(situation: Situation) -> Iterator[Blocker]:
    quotas = situation.quotas
    if quotas.concurrent_runs is not None:
        used = f"{situation.running_of_owner} runs of the owner execute, and its quota allows {quotas.concurrent_runs}"
        is_met = situation.running_of_owner < quotas.concurrent_runs
        yield _of_quota(used, "the next run waits", "Wait for one of them", is_met=is_met)
    if quotas.runs_per_minute is not None:
        used = (
            f"The owner queued {situation.in_minute} runs in this minute, and its quota allows {quotas.runs_per_minute}"
        )
        is_met = situation.in_minute < quotas.runs_per_minute
        yield _of_quota(used, "the next instant is skipped", "Wait for the next minute", is_met=is_met)

    if quotas.stored_mb is not None:
        used = (
            f"Logs and artifacts of the owner take {situation.stored_mb} MB, and its quota allows {quotas.stored_mb} MB"
        )
        help_ = "Wait until old runs are deleted after SCHEDULER_RETENTION_DAYS"
        is_met = situation.stored_mb < quotas.stored_mb
        yield _of_quota(used, "the next run is skipped or refused", help_, is_met=is_met)


def _of_quota(used: str, then: str, help_: str, *, is_met: bool) -> Blocker:
    remedy = None if is_met else f"{help_}, or ask an administrator for a larger quota."
    return Blocker(Code.QUOTA, met=is_met, sentence=f"{used}." if is_met else f"{used}: {then}.", remedy=remedy)


def _workers(situation: Situation) -> Iterator[Blocker]:
    if situation.ready or situation.unfit:
        count = len(situation.ready) + len(situation.unfit)
        yield Blocker(Code.WORKERS, met=True, sentence=f"Live workers: {count}.")
    else:
        remedy = "Start a worker: scheduler up, or scheduler worker."
        yield Blocker(Code.WORKERS, met=False, sentence="No worker is alive: runs stay queued.", remedy=remedy)


def _sandbox(situation: Situation) -> Iterator[Blocker]:
    if situation.unfit and not situation.ready:
        reason = situation.unfit[0].unfit_reason
        sentence = f"The sandbox of every live worker fails: {reason}"
        yield Blocker(Code.SANDBOX, met=False, sentence=sentence, remedy="Run scheduler doctor on that host.")
        return
    levels = sorted({worker.sandbox_level for worker in situation.ready if worker.sandbox_level})
    known = f" Levels: {', '.join(levels)}." if levels else ""
    yield Blocker(Code.SANDBOX, met=True, sentence=f"No live worker reports a fault of its sandbox.{known}")


def _grants(situation: Situation) -> Iterator[Blocker]:
    wanted = set(situation.job.grants)
    if not wanted:
        return
    if any(wanted <= set(worker.grants) for worker in situation.ready):
        yield Blocker(Code.GRANTS, met=True, sentence="A live worker holds the grants of the job.")
        return
    listed = ", ".join(sorted(wanted))
    remedy = "Add them to SCHEDULER_GRANTS_FILE of a worker, and check what they open with scheduler doctor."
    yield Blocker(Code.GRANTS, met=False, sentence=f"No live worker holds the grants {listed}.", remedy=remedy)


def _environment(situation: Situation) -> Iterator[Blocker]:
    match situation.environment:
        case None:
            return
        case EnvironmentState.READY:
            yield Blocker(Code.ENVIRONMENT, met=True, sentence="The packages of the job are installed.")
        case EnvironmentState.BUILDING:
            sentence = "The packages of the job are installed by its next run, which takes longer."
            yield Blocker(Code.ENVIRONMENT, met=False, sentence=sentence, remedy="Wait.")
        case EnvironmentState.FAILED:
            remedy = "Read the log with scheduler environments show, correct the requirements, and lock them again."
            yield Blocker(Code.ENVIRONMENT, met=False, sentence="The packages cannot be installed.", remedy=remedy)


def _deadline(situation: Situation) -> Iterator[Blocker]:
    seconds = situation.job.start_deadline_seconds
    if seconds is None:
        return
    is_met = situation.last_reason is not Reason.START_DEADLINE
    told = "" if is_met else " The last run did not."
    remedy = None if is_met else "Add workers or slots, or raise start_deadline_seconds."
    sentence = f"A run must start within {seconds:g} s.{told}"
    yield Blocker(Code.START_DEADLINE, met=is_met, sentence=sentence, remedy=remedy)
