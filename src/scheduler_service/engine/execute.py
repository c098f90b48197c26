"""Executing one attempt: claim it, run it in the sandbox, settle it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter, ValidationError

from scheduler_service import telemetry, tracing
from scheduler_service.domain.maxima import UNBOUNDED, Maxima
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.listener import AttemptListener, NoListener
from scheduler_service.engine.loop import insist
from scheduler_service.engine.node import Attempted, Node
from scheduler_service.engine.output import LeaseLostError, Output
from scheduler_service.engine.report import report_of
from scheduler_service.payloads import registry
from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox.spec import End, Limits, Sandbox, SandboxError, Spec
from scheduler_service.sandbox.wording import printable
from scheduler_service.storage import events, logs, rescues, transitions
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.records import Run
from scheduler_service.storage.transitions import Claimed, Report

log = structlog.get_logger(__name__)
_retry_policy = TypeAdapter(RetryPolicy)


class Executor:
    """Executes attempts, each from its claim to its row's next state."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        node: Node,
        sandbox: Sandbox,
        routing: Routing = EVERYTHING,
        on_place_free: Callable[[], None] = lambda: None,
        bounds: Maxima = UNBOUNDED,
        listener: AttemptListener | None = None,
    ) -> None:
        """Execute as `node`, in `sandbox`, what `routing` gives to this worker.

        `on_place_free` is called when a run ends whose job limits how many go at once: the next may begin.
        """
        self._database = database
        self._clock = clock
        self._node = node
        self._sandbox = sandbox
        self._routing = routing
        self._on_place_free = on_place_free
        self._bounds = bounds
        self._listener = listener or NoListener()

    async def execute(self, run_id: int, attempt: int) -> bool:
        """Execute a run if it is to be had; False: it is not (taken, cancelled, not due, no place), which is fine."""
        claimed = await self._claim(run_id, attempt)
        if claimed is None:
            return False
        run = claimed.run
        about: dict[str, str | int] = {
            "job_id": run.job_id,
            "run_id": run.id,
            "attempt": run.attempt,
            "correlation_id": run.correlation_id,
        }
        waits_since, begun_at = min(run.available_at, claimed.began_at), claimed.began_at
        with (
            telemetry.correlation(run.correlation_id),
            tracing.execution(run.trace_parent, waits_since=waits_since, begun_at=begun_at, **about) as span,
        ):
            await self._execute_claimed(claimed, span)
        return True

    async def _claim(self, run_id: int, attempt: int) -> Claimed | None:
        async with self._database.write() as connection:
            now = self._clock.now()
            return await transitions.claim(connection, run_id, attempt, self._node.id, now, self._routing)

    async def _execute_claimed(self, claimed: Claimed, span: tracing.Span) -> None:
        attempted = self._node.attend(claimed.lease)
        log.info("attempt_started", run_id=claimed.run.id, job_id=claimed.job.id, attempt=claimed.run.attempt)
        self._listener.attempt_started(claimed)
        report = None
        try:
            report = await self._run_or_give_up(claimed, attempted)
            retry_at = await self._settle(claimed, attempted, report)
        except LeaseLostError:
            report = None
            log.warning("lease_lost", run_id=claimed.run.id, attempt=claimed.run.attempt)
            await insist(lambda: self._note_fenced(claimed), run_id=claimed.run.id)
        else:
            status = "handed back" if report is None else report.status
            tracing.note_outcome(span, status, is_failure=status == RunStatus.FAILED)
            _log_end(claimed, report, retry_at)
        finally:
            self._listener.attempt_ended(claimed, report)
            self._node.leave(attempted)
            if claimed.run.place is not None:
                self._on_place_free()

    async def _run_or_give_up(self, claimed: Claimed, attempted: Attempted) -> Report | None:
        try:
            return await self._run(claimed, attempted)
        except LeaseLostError:
            raise
        except Exception:
            # A fault of ours: somebody else is to try, and after some tries the run is failed(worker_lost).
            log.exception("execution_failed", run_id=claimed.run.id)
            return None

    async def _run(self, claimed: Claimed, attempted: Attempted) -> Report | None:
        """Run the code and give its report; None: the host cut it short, and somebody is to begin anew."""
        try:
            payload = registry.adapter().validate_python(claimed.job.payload)
        except ValidationError as error:
            # The kind is not installed on this worker, or its rules became stricter since the job was stored.
            return Report(status=RunStatus.FAILED, reason=Reason.REJECTED, message=_first_problem(error))
        try:
            async with Output(self._database, attempted) as output:
                if claimed.run.attempt > 1:
                    await output.take(await insist(lambda: self._heading(claimed.run), run_id=claimed.run.id))
                outcome = await self._sandbox.run(_spec(claimed, payload, self._bounds), output.take, attempted)
        except SandboxError as error:
            log.warning("sandbox_failed", run_id=claimed.run.id, error=str(error))
            return None
        if outcome.end is End.CANCELLED and attempted.is_given_up:
            return None
        report = report_of(outcome, attempted.cancel_reason)
        return replace(report, result=payload.result(output.tail)) if report.status is RunStatus.SUCCESS else report

    async def _heading(self, run: Run) -> bytes:
        """Give what parts an attempt from the one before, on a line of its own whatever that one wrote last."""
        async with self._database.read() as connection:
            last = (await logs.tails(connection, [run], 1)).get(run.id, b"\n")
        return b"%s--- attempt %d ---\n" % (b"" if last == b"\n" else b"\n", run.attempt)

    async def _settle(self, claimed: Claimed, attempted: Attempted, report: Report | None) -> datetime | None:
        """Write the run's next state. Return when the next attempt may start; None if there is none."""
        now = self._clock.now()
        delay_seconds = None if report is None else _retry_delay_seconds(claimed, report)
        retry_at = None if delay_seconds is None else now + timedelta(seconds=delay_seconds)
        if not await insist(lambda: self._write(claimed, attempted, report, retry_at, now), run_id=claimed.run.id):
            raise LeaseLostError
        return retry_at

    async def _write(
        self, claimed: Claimed, attempted: Attempted, report: Report | None, retry_at: datetime | None, now: datetime
    ) -> bool:
        async with self._database.write() as connection:
            if report is None and attempted.is_given_up:
                return await rescues.hand_over(connection, claimed.lease, "its worker was stopped", now)
            if report is None:
                return await rescues.hand_back(connection, claimed.lease, "its worker could not go on with it", now)
            if retry_at is not None and await transitions.retry_later(connection, claimed, report, retry_at, now):
                return True
            return await transitions.finish(connection, claimed, report, now)

    async def _note_fenced(self, claimed: Claimed) -> None:
        async with self._database.write() as connection:
            await events.note_fenced(connection, claimed.lease, claimed.job.id, self._clock.now())


def _log_end(claimed: Claimed, report: Report | None, retry_at: datetime | None) -> None:
    """Log how an attempt ended: a failure as a warning, with its cause and when the next attempt may start."""
    about = {"run_id": claimed.run.id, "job_id": claimed.job.id, "attempt": claimed.run.attempt}
    if report is None:
        log.info("attempt_ended", **about, status="handed back")
    elif report.status is RunStatus.FAILED:
        cause: dict[str, object] = {"reason": report.reason, "exit_code": report.exit_code, "signal": report.signal}
        cause["retry_at"] = None if retry_at is None else retry_at.isoformat().replace("+00:00", "Z")
        log.warning("attempt_failed", **about, **{name: value for name, value in cause.items() if value is not None})
    else:
        log.info("attempt_ended", **about, status=report.status)


def _retry_delay_seconds(claimed: Claimed, report: Report) -> float | None:
    """Give the wait before the next attempt; None: there is to be none."""
    policy = _retry_policy.validate_python(claimed.job.retry_policy)
    # A rejected command would be rejected again.
    hopeless = report.status is not RunStatus.FAILED or report.reason is Reason.REJECTED
    if hopeless or not policy.allows(claimed.run.retry_count):
        return None
    return policy.delay(claimed.run.retry_count + 1, random.random())  # noqa: S311 (jitter, not a secret)


def _spec(claimed: Claimed, payload: Payload, bounds: Maxima) -> Spec:
    run, job = claimed.run, claimed.job
    about = {
        "SCHEDULER_JOB_ID": str(job.id),
        "SCHEDULER_RUN_ID": str(run.id),
        "SCHEDULER_SCHEDULED_FOR": run.scheduled_for.isoformat().replace("+00:00", "Z"),
        "SCHEDULER_ATTEMPT": str(run.attempt),
        "SCHEDULER_ARGS": json.dumps(job.args),
        "SCHEDULER_CORRELATION_ID": run.correlation_id,
    }
    allowed = bounds.cut({**job.limits, "timeout_seconds": job.timeout_seconds})
    limits = Limits(wall_seconds=allowed.pop("timeout_seconds"), **allowed)
    return Spec(command=payload.command(), limits=limits, env={**job.env, **about})


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return printable(f"the payload is refused: {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
