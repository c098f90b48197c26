"""Simulations of jobs: the ledger that they would have."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.records import DueJob
from scheduler_service.domain.simulation import Simulation, simulate
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.checks import ServerLimits, inspect_job, problems_of_job
from scheduler_service.services.job_mapping import columns_of
from scheduler_service.services.job_rows import existing
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.ownership import owned_by, owner_problems
from scheduler_service.services.simulation_request import SimulationRequest
from scheduler_service.storage import calendars, jobs
from scheduler_service.storage import quotas as owner_quotas
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

Simulated = tuple[DueJob, JobCalendar | None, datetime | None]
"""A job, its calendar, and its `start_at`."""


class SimulationService:
    """Simulates jobs without storing anything."""

    def __init__(self, database: Database, clock: Clock, quotas: Quotas = NO_QUOTAS) -> None:
        """Simulate owners without other quotas with `quotas`."""
        self._database = database
        self._clock = clock
        self._quotas = quotas

    async def simulate(self, caller: Caller, request: SimulationRequest) -> Simulation:
        """Return the ledger that a job would have.

        Raise `NotFoundError` if there is no such job, and `InvalidInputError` if it has no schedule.
        """
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            job, calendar, start_at = await self._job(connection, caller, request)
            quotas = await owner_quotas.find(connection, job.owner_id, self._quotas)
        scenario = replace(request.scenario(), runs_per_minute=quotas.runs_per_minute)
        return await asyncio.to_thread(simulate, job, scenario, calendar, start_at)

    async def _job(self, connection: AsyncConnection, caller: Caller, request: SimulationRequest) -> Simulated:
        if request.job is not None:
            job, start_at = self._written(caller, request, request.job)
        else:
            stored = await existing(connection, caller, request.job_id or 0)
            # The window is not the present one: what has happened so far does not count for it.
            job = replace(jobs.as_due(stored), next_run_at=request.begin, scheduled_runs=0, failures_in_a_row=0)
            start_at = stored.start_at
        if job.schedule_expr is None:
            raise InvalidInputError(FieldProblem("job", "has no schedule to simulate; give it a schedule_expr"))
        return job, await calendars.find_for(connection, job), start_at

    def _written(
        self, caller: Caller, request: SimulationRequest, document: JsonDocument
    ) -> tuple[DueJob, datetime | None]:
        inspection = inspect_job(document)
        # A simulated window may lie in the past, so the schedule need not have a future instant.
        problems = problems_of_job(inspection, ServerLimits(), self._clock.now(), is_rescheduled=False)
        definition = owned_by(caller, inspection.accept([*problems, *owner_problems(inspection, caller)]))
        columns = columns_of(definition)
        known: dict[str, Any] = {
            "id": 0,
            "anchor_at": request.begin,
            "next_run_at": request.begin,
            "scheduled_runs": 0,
            "failures_in_a_row": 0,
            "schedule_version": 1,
            "version": 1,
        }
        names = {field.name for field in fields(DueJob)} - known.keys()
        return DueJob(**known, **{name: columns[name] for name in names}), definition.start_at
