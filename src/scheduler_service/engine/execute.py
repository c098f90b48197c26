"""Executing one attempt: claim it, run it in the sandbox, settle it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import structlog
from pydantic import ValidationError

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Run
from scheduler_service.domain.resource_limits import NO_LIMITS, ResourceLimits
from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.fitness import Fitness
from scheduler_service.engine.listener import AttemptListener, NoListener
from scheduler_service.engine.log_writer import LeaseLostError, Output
from scheduler_service.engine.loop import insist
from scheduler_service.engine.outcome import Cut, report_of
from scheduler_service.engine.settlement import Settlement
from scheduler_service.engine.worker_session import AttemptHandle, WorkerSession
from scheduler_service.errors import UnavailableError
from scheduler_service.payloads import registry
from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox.contract.spec import End, Limits, SandboxError, Spec
from scheduler_service.sandbox.contract.wording import printable
from scheduler_service.storage import logs, transitions
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.transitions import Claimed, Report
from scheduler_service.telemetry import logging_config, tracing

log = structlog.get_logger(__name__)


class Executor:
    """Executes attempts, each from its claim to its row's next state."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        node: WorkerSession,
        fitness: Fitness,
        routing: Routing = EVERYTHING,
        on_slot_free: Callable[[], None] = lambda: None,
        resource_limits: ResourceLimits = NO_LIMITS,
        listener: AttemptListener | None = None,
    ) -> None:
        """Execute as `node`, in the sandbox that `fitness` watches, what `routing` gives to this worker.

        `on_slot_free` is called when a run ends whose job limits how many go at once: the next may begin.
        """
        self._database = database
        self._settlement = Settlement(database, clock)
        self._clock = clock
        self._node = node
        self._fitness = fitness
        self._routing = routing
        self._on_slot_free = on_slot_free
        self._resource_limits = resource_limits
        self._listener = listener or NoListener()

    async def execute(self, run_id: int, attempt: int) -> bool:
        """Claim the run and execute it. Return False if it cannot be claimed.

        Another worker has it, it was cancelled, it is not due, or no concurrency slot is free.
        """
        with self._node.claiming(run_id):
            claimed = await self._claim(run_id, attempt)
            if claimed is None:
                return False
            handle = self._node.attend(claimed.lease)
        run = claimed.run
        about: dict[str, str | int] = {
            "job_id": run.job_id,
            "run_id": run.id,
            "attempt": run.attempt,
            "correlation_id": run.correlation_id,
        }
        waits_since, begun_at = min(run.available_at, claimed.began_at), claimed.began_at
        with (
            logging_config.correlation(run.correlation_id),
            tracing.execution(run.trace_parent, waits_since=waits_since, begun_at=begun_at, **about) as span,
        ):
            await self._execute_claimed(claimed, handle, span)
        return True

    async def _claim(self, run_id: int, attempt: int) -> Claimed | None:
        """Claim a run. If the answer is lost, look whether the claim was committed: no attempt is to be used up."""
        worker_id = self._node.id
        try:
            async with self._database.write() as connection:
                now = self._clock.now()
                return await transitions.claim(connection, run_id, attempt, worker_id, now, self._routing)
        except UnavailableError as error:
            log.warning("claim_unanswered", run_id=run_id, error=str(error))
            return await insist(lambda: self._find_claimed(run_id, attempt + 1, worker_id), run_id=run_id)

    async def _find_claimed(self, run_id: int, attempt: int, worker_id: str) -> Claimed | None:
        async with self._database.write() as connection:
            return await transitions.find_claimed(connection, run_id, attempt, worker_id)

    async def _execute_claimed(self, claimed: Claimed, handle: AttemptHandle, span: tracing.Span) -> None:
        log.info("attempt_started", run_id=claimed.run.id, job_id=claimed.job.id, attempt=claimed.run.attempt)
        self._listener.attempt_started(claimed)
        report: Report | Cut | None = None
        try:
            report = await self._run_or_give_up(claimed, handle)
            await self._settlement.settle(claimed, report)
        except LeaseLostError:
            report = None
            log.warning("lease_lost", run_id=claimed.run.id, attempt=claimed.run.attempt)
            await self._settlement.note_fenced(claimed)
        else:
            status = "put back" if isinstance(report, Cut) else report.status
            tracing.note_outcome(span, status, is_failure=status == RunStatus.FAILED)
        finally:
            self._listener.attempt_ended(claimed, report if isinstance(report, Report) else None)
            self._node.leave(handle)
            if claimed.run.concurrency_slot is not None:
                self._on_slot_free()

    async def _run_or_give_up(self, claimed: Claimed, handle: AttemptHandle) -> Report | Cut:
        try:
            return await self._run(claimed, handle)
        except LeaseLostError:
            raise
        except Exception as error:
            # A fault of ours: somebody else is to try, and after some tries the run is failed(worker_lost).
            log.exception("execution_failed", run_id=claimed.run.id)
            return Cut(f"the service failed on it: {type(error).__name__}", by_stop=handle.is_given_up)

    async def _run(self, claimed: Claimed, handle: AttemptHandle) -> Report | Cut:
        """Run the code. Return its report, or the `Cut` after which somebody is to begin anew."""
        try:
            payload = registry.adapter().validate_python(claimed.job.payload)
        except ValidationError as error:
            # The kind is not installed on this worker, or its rules became stricter since the job was stored.
            return Report(status=RunStatus.FAILED, reason=Reason.REJECTED, message=_first_problem(error))
        try:
            heading = b""
            if claimed.run.attempt > 1:
                heading = await insist(lambda: self._heading(claimed.run), run_id=claimed.run.id)
            async with Output(self._database, handle, heading, claimed.run.log_bytes) as output:
                outcome = await self._fitness.sandbox.run(
                    _spec(claimed, payload, self._resource_limits), output.take, handle
                )
                output.begin()
        except SandboxError as error:
            return self._note_fault(claimed, handle, error)
        if outcome.end is End.CANCELLED and handle.is_given_up:
            return Cut("its worker was stopped", by_stop=True)
        report = report_of(outcome, handle.cancel_reason)
        return replace(report, result=payload.result(output.tail)) if report.status is RunStatus.SUCCESS else report

    async def _heading(self, run: Run) -> bytes:
        """Return what parts an attempt from the one before, on a line of its own whatever that one wrote last."""
        async with self._database.read() as connection:
            last = (await logs.tails(connection, [run], 1)).get(run.id, b"\n")
        return b"%s--- attempt %d ---\n" % (b"" if last == b"\n" else b"\n", run.attempt)

    def _note_fault(self, claimed: Claimed, handle: AttemptHandle, error: SandboxError) -> Cut:
        """Name the sandbox as what cut an attempt short; if it could not begin one, the worker claims no more."""
        log.warning("sandbox_failed", run_id=claimed.run.id, attempt=claimed.run.attempt, error=str(error))
        if error.began:
            return Cut(f"the sandbox failed: {error}", by_stop=handle.is_given_up)
        self._fitness.note_fault(error)
        return Cut(f"the sandbox of worker {claimed.lease.worker_id} could not begin: {error}", began=False)


def _spec(claimed: Claimed, payload: Payload, resource_limits: ResourceLimits) -> Spec:
    run, job = claimed.run, claimed.job
    about = {
        "SCHEDULER_JOB_ID": str(job.id),
        "SCHEDULER_RUN_ID": str(run.id),
        "SCHEDULER_SCHEDULED_FOR": iso8601(run.scheduled_for),
        "SCHEDULER_ATTEMPT": str(run.attempt),
        "SCHEDULER_ARGS": json.dumps(job.args),
        "SCHEDULER_CORRELATION_ID": run.correlation_id,
    }
    allowed = resource_limits.clamp({**job.limits, "timeout_seconds": job.timeout_seconds})
    limits = Limits(wall_seconds=allowed.pop("timeout_seconds"), **allowed)
    return Spec(command=payload.command(), limits=limits, env={**job.env, **about})


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return printable(f"the payload is refused: {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
