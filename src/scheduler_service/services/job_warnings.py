"""Warns about settings of a job that have no effect, or an unexpected one, because of its other settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from pydantic import JsonValue

from scheduler_service.domain.records import Job
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.sandbox.runtime.python_code import variables_read_at_start
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.request_warnings import request_warnings


def job_warnings(job: Job) -> Iterator[str]:
    """Yield a warning for each setting that another setting of the job makes ineffective or unexpected."""
    yield from _retry_advice(RetryPolicy(**job.retry_policy))
    yield from _concurrency_advice(job)
    yield from _key_warnings(job)
    if job.schedule_expr is None:
        yield from _on_demand_warnings(job)
    else:
        yield from _catchup_warnings(job)
    yield from _interpreter_advice(job)
    yield from request_warnings(job)


def _on_demand_warnings(job: Job) -> Iterator[str]:
    default = {name: field.default for name, field in JobDefinition.model_fields.items()}
    chosen = [name for name in _OF_SCHEDULES if getattr(job, name) != default[name]]
    chosen += ["dst"] if DstPolicy(job.dst_gap, job.dst_fold) != default["dst"] else []
    if chosen:
        have = "has" if len(chosen) == 1 else "have"
        yield f"schedule_expr is null, so the job runs on demand and {', '.join(chosen)} {have} no effect."


_OF_SCHEDULES = (
    "misfire_policy",
    "misfire_grace_seconds",
    "catchup_limit",
    "start_deadline_seconds",
    "max_runs",
    "jitter_seconds",
    "start_at",
    "end_at",
)


def normalisation_warnings(sent: Mapping[str, JsonValue], job: Job) -> Iterator[str]:
    """Yield a warning for each payload text that is stored in another form than sent."""
    payload = sent.get("payload")
    for name, text in payload.items() if isinstance(payload, dict) else ():
        stored = job.payload.get(name)
        if not isinstance(text, str) or not isinstance(stored, str) or stored == text:
            continue
        if text.startswith("\ufeff") and not stored.startswith("\ufeff"):
            yield f"payload.{name} began with a byte order mark, which is not stored."
        if (count := text.count("\r\n") - stored.count("\r\n")) > 0:
            lines = "1 line" if count == 1 else f"{count} lines"
            yield f"payload.{name} had CRLF at the end of {lines}; it is stored with LF, as shells need it."


def _retry_advice(policy: RetryPolicy) -> Iterator[str]:
    if not policy.max_retries and (chosen := _chosen(policy)):
        yield (
            f"retry_policy.max_retries is 0, so a failed run is not retried and {', '.join(chosen)} "
            f"{'has' if len(chosen) == 1 else 'have'} no effect; set max_retries to retry failed runs."
        )
    if policy.max_retries and policy.max_delay < policy.retry_delay:
        yield (
            f"retry_policy.max_delay ({policy.max_delay:g} s) is below retry_policy.retry_delay "
            f"({policy.retry_delay:g} s): each retry waits {policy.max_delay:g} s."
        )


def _chosen(policy: RetryPolicy) -> list[str]:
    """Return the fields of a policy that differ from their defaults."""
    default = RetryPolicy()
    return [
        f"retry_policy.{field.name}"
        for field in fields(policy)
        if getattr(policy, field.name) != getattr(default, field.name)
    ]


def _concurrency_advice(job: Job) -> Iterator[str]:
    if job.overlap_policy == "allow" and job.max_concurrency > 1:
        yield (
            f"max_concurrency ({job.max_concurrency}) has no effect, because overlap_policy is allow: "
            "any number may execute at once."
        )


def _key_warnings(job: Job) -> Iterator[str]:
    if job.overlap_policy == "allow" and job.concurrency_key is not None:
        yield (
            f"concurrency_key ({job.concurrency_key}) has no effect, because overlap_policy is allow: "
            "any number may execute at once."
        )


def _catchup_warnings(job: Job) -> Iterator[str]:
    """Yield a warning if most instants that are caught up at once become `skipped` rows."""
    if job.misfire_policy != "fire_all" or job.overlap_policy not in _KEPT_OF_A_BACKLOG:
        return
    kept = _KEPT_OF_A_BACKLOG[job.overlap_policy].format(
        runs="run" if job.max_concurrency == 1 else f"{job.max_concurrency} runs"
    )
    yield (
        f"misfire_policy is fire_all and overlap_policy is {job.overlap_policy}: after an outage all missed instants "
        f"are due at once, and {kept}; to run them all, set overlap_policy to queue."
    )


_KEPT_OF_A_BACKLOG = {
    "skip": "only the oldest {runs} can start while the others are skipped",
    "cancel_running": "only the newest starts while the others are skipped",
}


def _interpreter_advice(job: Job) -> Iterator[str]:
    names = [f"env.{name}" for name in variables_read_at_start(job.env)] if job.payload["type"] == "python_code" else []
    if names:
        yield (
            f"Python and its libraries read {', '.join(names)} only when they start: each run starts a new interpreter "
            "instead of a preloaded one, which takes a tenth of a second or more."
        )
