"""Executes one attempt: runs it in the sandbox, and settles it.

Theory of operation. The claim has committed before any code runs, so an attempt that a crash interrupts is on record.
The sandbox kills the code if the session stops renewing its lease. The output goes to the log while the code runs. The
settlement writes the run's next state, and the run lends its slot meanwhile: the next one begins during the commit. A
commit can succeed although its answer is lost. Each step therefore looks up what is stored before it repeats a write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import structlog
from pydantic import ValidationError

from scheduler_service.domain.environment_lock import EnvironmentFailedError, StoppedWaitingError
from scheduler_service.domain.grants import GrantRefusedError
from scheduler_service.domain.masking import Masker
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.domain.secrets import SecretRefusedError
from scheduler_service.engine.attempt_end import Interruption, LeftByRun, attempt_end
from scheduler_service.engine.execution_rules import ExecutionRules
from scheduler_service.engine.failure_cause import failure_cause
from scheduler_service.engine.fitness import Fitness
from scheduler_service.engine.known_payloads import KnownPayloads
from scheduler_service.engine.listener import AttemptListener, NoListener
from scheduler_service.engine.log_writer import LeaseLostError, LogWriter
from scheduler_service.engine.loop import until_available
from scheduler_service.engine.masked_outcome import mask_outcome
from scheduler_service.engine.run_environment import in_environment
from scheduler_service.engine.run_result import RunResult, parse_result
from scheduler_service.engine.run_spec import Opened, build_spec
from scheduler_service.engine.settlement import Settlement
from scheduler_service.engine.worker_session import AttemptHandle, WorkerSession
from scheduler_service.sandbox.contract.collected import Collected
from scheduler_service.sandbox.contract.spec import End, SandboxError
from scheduler_service.sandbox.contract.wording import printable
from scheduler_service.storage import dependencies, logs
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.transitions import AttemptEnd
from scheduler_service.telemetry import logging_config, tracing

log = structlog.get_logger(__name__)

# Only runs of these triggers can have begun after another run.
_FOLLOWING = frozenset({Trigger.DEPENDENCY, Trigger.RETRY})


class Executor:
    """Executes attempts from the claim to the run's next state."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        session: WorkerSession,
        fitness: Fitness,
        rules: ExecutionRules,
        on_slot_free: Callable[[], None] = lambda: None,
        listener: AttemptListener | None = None,
        lend_slot: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Execute for `session`, in the sandbox of `fitness`, the runs that `rules` assign to this worker.

        `on_slot_free` is called at the end of a run that held a concurrency slot, because another run can then start.
        `lend_slot` returns a block in which the slot of the caller in this worker is free.
        """
        self._database = database
        self._settlement = Settlement(database, clock)
        self._clock = clock
        self._session = session
        self._fitness = fitness
        self._rules = rules
        self._on_slot_free = on_slot_free
        self._lend_slot = lend_slot
        self._listener = listener or NoListener()
        self._payloads = KnownPayloads()

    async def execute(self, claimed: Claimed, handle: AttemptHandle) -> None:
        """Execute a claimed run, whose attempt the session tracks as `handle`."""
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

    async def _execute_claimed(self, claimed: Claimed, handle: AttemptHandle, span: tracing.Span) -> None:
        # Nothing waits before the order of the run goes out, so it is announced afterwards.
        asyncio.get_running_loop().call_soon(self._announce, claimed)
        report: AttemptEnd | Interruption | None = None
        try:
            report = await self._run_or_interrupt(claimed, handle)
            with self._lend_slot():
                await self._settlement.settle(claimed, report, handle.rest)
        except LeaseLostError:
            report = None
            log.warning("lease_lost", run_id=claimed.run.id, attempt=claimed.run.attempt)
            await self._settlement.note_fenced(claimed)
        else:
            status = "requeued" if isinstance(report, Interruption) else report.status
            tracing.note_outcome(span, status, is_failure=status == RunStatus.FAILED)
        finally:
            self._listener.attempt_ended(claimed, report if isinstance(report, AttemptEnd) else None)
            self._session.untrack(handle)
            if claimed.run.concurrency_slot is not None:
                self._on_slot_free()

    def _announce(self, claimed: Claimed) -> None:
        log.info("attempt_started", run_id=claimed.run.id, job_id=claimed.job.id, attempt=claimed.run.attempt)
        self._listener.attempt_started(claimed)

    async def _run_or_interrupt(self, claimed: Claimed, handle: AttemptHandle) -> AttemptEnd | Interruption:
        try:
            return await self._run(claimed, handle)
        except LeaseLostError:
            raise
        except EnvironmentFailedError as error:
            return AttemptEnd(status=RunStatus.FAILED, reason=Reason.ENVIRONMENT, message=printable(str(error)))
        except StoppedWaitingError:
            return _end_of_waiting(handle)
        except Exception as error:
            # A fault of the service: requeue the run. If it has already been rescued MAX_RESCUES times, it fails.
            log.exception("execution_failed", run_id=claimed.run.id)
            return Interruption(f"the service failed on it: {type(error).__name__}", is_shutdown=handle.is_interrupted)

    async def _run(self, claimed: Claimed, handle: AttemptHandle) -> AttemptEnd | Interruption:
        """Run the code. Return the end of the attempt, or the interruption that requeues the run."""
        try:
            payload = self._payloads.of(claimed.job)
        except ValidationError as error:
            # This worker lacks the payload kind, or the kind's rules have become stricter since the job was stored.
            return AttemptEnd(status=RunStatus.FAILED, reason=Reason.REJECTED, message=_first_problem(error))
        try:
            opened = await self._open(claimed)
        except (GrantRefusedError, SecretRefusedError) as error:
            return AttemptEnd(status=RunStatus.FAILED, reason=Reason.REJECTED, message=str(error))
        spec = build_spec(claimed, payload, self._rules.resource_limits, opened)
        secrets = opened.secrets.values()
        masker = await asyncio.to_thread(Masker, secrets) if secrets else Masker()
        try:
            heading = b""
            if claimed.run.attempt > 1:
                heading = await until_available(lambda: self._heading(claimed.run), run_id=claimed.run.id)
            async with LogWriter(self._database, handle, heading, claimed.run.log_bytes, masker) as output:
                async with self._rules.environments.opened(claimed.job, output.take, handle) as environment:
                    outcome = await self._fitness.sandbox.run(in_environment(spec, environment), output.take, handle)
                output.write_heading()
        except SandboxError as error:
            return self._note_fault(claimed, handle, error)
        outcome = mask_outcome(outcome, masker)
        with closing(outcome.collected or Collected()) as collected:
            if outcome.end is End.CANCELLED and handle.is_interrupted:
                return Interruption("its worker was stopped", is_shutdown=True)
            computed = payload.result(output.tail) if outcome.exit_code == 0 else None
            written = parse_result(collected.result) if computed is None else RunResult(computed)
            if collected.artifacts:
                await output.write_rest()
            kept = await self._rules.artifacts.keep(claimed, collected)
            problems = tuple(filter(None, (written.problem, *collected.problems, *kept.problems)))
            cause = failure_cause(outcome, spec, payload, output.tail)
            left = LeftByRun(masker.value(written.value), kept.artifacts, problems, cause)
            return attempt_end(outcome, handle.cancel_reason, left)

    async def _open(self, claimed: Claimed) -> Opened:
        """Return what the attempt receives. Raise if this worker cannot open a grant or a secret of the job."""
        job, run = claimed.job, claimed.run
        access = await self._rules.access_of(job)
        secrets = await until_available(lambda: self._rules.secrets_of(job), run_id=run.id)
        return Opened(access, secrets, await until_available(lambda: self._upstream_result(run), run_id=run.id))

    async def _upstream_result(self, run: Run) -> Any:
        if run.trigger not in _FOLLOWING:
            return None
        async with self._database.read() as connection:
            origin = await dependencies.find_origin(connection, run.id)
        return None if origin is None else origin.input

    async def _heading(self, run: Run) -> bytes:
        """Return the line that separates an attempt's log from the one before, preceded by a newline if necessary."""
        async with self._database.read() as connection:
            last = (await logs.tails(connection, [run], 1)).get(run.id, b"\n")
        return b"%s--- attempt %d ---\n" % (b"" if last == b"\n" else b"\n", run.attempt)

    def _note_fault(self, claimed: Claimed, handle: AttemptHandle, error: SandboxError) -> Interruption:
        """Return the interruption for a sandbox error. If the attempt could not start, stop this worker's claims."""
        log.warning("sandbox_failed", run_id=claimed.run.id, attempt=claimed.run.attempt, error=str(error))
        if error.began:
            return Interruption(f"the sandbox failed: {error}", is_shutdown=handle.is_interrupted)
        self._fitness.note_fault(error)
        return Interruption(f"the sandbox of worker {claimed.lease.worker_id} could not begin: {error}", began=False)


def _end_of_waiting(handle: AttemptHandle) -> AttemptEnd | Interruption:
    """Return the end of an attempt that was stopped before its environment was built."""
    if handle.is_interrupted:
        return Interruption("its worker was stopped", is_shutdown=True)
    return AttemptEnd(status=RunStatus.CANCELLED, reason=handle.cancel_reason or Reason.USER)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return printable(f"the payload is refused: {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
