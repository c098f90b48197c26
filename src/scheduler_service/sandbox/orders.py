"""An order from the service's side: built from a spec, sent to a supervisor, and its report made an outcome."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from scheduler_service.sandbox.contract.collected import Collected
from scheduler_service.sandbox.contract.command import stdin_of
from scheduler_service.sandbox.contract.protocol import CANCEL, FLOOD, Order, RunReport, Terms
from scheduler_service.sandbox.contract.spec import (
    Cancel,
    Command,
    End,
    Isolation,
    Outcome,
    Program,
    PythonCode,
    SandboxError,
    Script,
    Spec,
    Usage,
    explain_end,
)
from scheduler_service.sandbox.output import OutputPipe
from scheduler_service.sandbox.supervisor_client import SupervisorClient
from scheduler_service.sandbox.waiting import first_of

_REPORTED = 0
_REQUESTS = {1: CANCEL, 2: FLOOD}  # by the position of the event in `wait_for_report`
_KINDS: dict[type[Command], str] = {PythonCode: "python", Script: "script", Program: "program"}


def build_order(spec: Spec, directory: Path | None) -> Order:
    """Build the order for a spec. `directory` is None if the run gets a file system of its own."""
    command, limits = spec.command, spec.limits
    return Order(
        kind=_KINDS[type(command)],
        text=command.code if isinstance(command, PythonCode) else command.text if isinstance(command, Script) else "",
        argv=command.argv if isinstance(command, Program) else (),
        env=dict(spec.env),
        access=spec.access,
        terms=Terms(
            wall_seconds=limits.wall_seconds,
            grace_seconds=limits.grace_seconds,
            memory_mb=limits.memory_mb,
            cpu_seconds=limits.cpu_seconds,
            processes=limits.processes,
            disk_mb=limits.disk_mb,
            artifacts_mb=limits.artifacts_mb if spec.collects else -1,
            directory=None if directory is None else str(directory),
        ),
        files=dict(spec.files),
    )


async def send_order(supervisor: SupervisorClient, spec: Spec, directory: Path | None, output: OutputPipe) -> None:
    """Send the order with the descriptors that the job gets; see `SupervisorClient.order`."""
    stdin = [stdin_of(spec.command)] if isinstance(spec.command, Program) else []
    try:
        await supervisor.order(build_order(spec, directory), [output.write_end, *stdin], output.read_end)
    finally:
        for descriptor in stdin:
            os.close(descriptor)
    output.close_write_end()  # or the output would never hang up


async def wait_for_report(
    supervisor: SupervisorClient,
    pump: asyncio.Task[None],
    output: OutputPipe,
    cancel: Cancel,
    stopped: asyncio.Event,
) -> RunReport:
    """Wait for the report, and ask the supervisor for an end on a cancellation or a flood of output.

    Raises `SandboxError` if the sandbox is `stopped`, the supervisor dies, or a layer fails; and what `pump` raises.
    """
    report = asyncio.create_task(supervisor.report())
    try:
        first = await first_of(report, cancel.wait(), output.flooded.wait(), stopped.wait(), pump)
        if first in _REQUESTS:
            supervisor.request(_REQUESTS[first])
            first = await first_of(report, pump)
    finally:
        report.cancel()
    if first != _REPORTED:
        raise SandboxError("the sandbox was stopped while the command ran", began=True)
    return _checked(report.result())


def build_outcome(
    report: RunReport, spec: Spec, isolation: Isolation, collected: Collected | None, *, truncated: bool
) -> Outcome:
    """Build the outcome for the service from the supervisor's report."""
    end = End(report.end)
    number = -report.status if end is End.SIGNALLED else None
    return Outcome(
        end,
        isolation,
        exit_code=report.status if end is End.EXITED else None,
        signal=number,
        usage=Usage(report.cpu_seconds, report.max_rss_kb),
        output_truncated=truncated,
        message=report.message or explain_end(end, spec.limits, number, report.killed),
        collected=collected,
        refused=report.refused,
    )


def _checked(report: RunReport | None) -> RunReport:
    if report is None:
        raise SandboxError("the supervisor of the run was killed", began=True)
    if report.failure is not None:
        raise SandboxError(f"a layer of the sandbox failed: {report.failure}", began=report.began)
    return report
