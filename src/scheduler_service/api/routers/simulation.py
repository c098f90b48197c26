"""The endpoint that simulates a schedule."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Depends
from pydantic import ConfigDict, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.domain.simulation import SimulatedRow, Simulation
from scheduler_service.errors import NotFoundError
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.simulation_request import EXAMPLE, SimulationRequest

router = APIRouter(
    prefix="/api/v1/schedules", tags=["schedules"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

SIMULATION: dict[str, Any] = {
    "rows": [
        {
            "scheduled_for": "2026-01-15T10:30:00Z",
            "status": "missed",
            "reason": "misfire",
            "missed_until": "2026-01-15T10:50:00Z",
            "missed_count": 3,
            "starts_at": None,
            "ends_at": None,
        },
        {
            "scheduled_for": "2026-01-15T11:00:00Z",
            "status": "success",
            "reason": None,
            "missed_until": None,
            "missed_count": None,
            "starts_at": "2026-01-15T11:05:00Z",
            "ends_at": "2026-01-15T11:06:00Z",
        },
    ],
    "instants": {"missed": 3, "success": 1},
    "is_cut": False,
    "simulated_until": None,
}

Wanted = Annotated[
    SimulationRequest, Body(openapi_examples={"outage": {"summary": "An outage of 40 minutes", "value": EXAMPLE}})
]


class SimulatedRowOut(Answer):
    """A row that the ledger would have."""

    model_config = ConfigDict(title="SimulatedRow")

    scheduled_for: Annotated[datetime, Field(description="The instant; the first one of a range.")]
    status: Annotated[RunStatus, Field(description="`success` for a run that executes, because runs are assumed to.")]
    reason: Annotated[Reason | None, Field(description="Why there is no run, or why it was cancelled.")]
    missed_until: Annotated[datetime | None, Field(description="Last instant of a missed range, or null.")]
    missed_count: Annotated[int | None, Field(description="Number of missed instants, or null.")]
    starts_at: Annotated[datetime | None, Field(description="When the run starts. Null: it does not.")]
    ends_at: Annotated[datetime | None, Field(description="When the run ends. Null: it does not start.")]

    @classmethod
    def of(cls, row: SimulatedRow) -> Self:
        """Build the answer from a simulated row."""
        shown = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**{**shown, "ends_at": row.ends_at if row.starts_at is not None else None})


class SimulationOut(Answer):
    """The ledger that a job would have in a window."""

    model_config = ConfigDict(title="Simulation", json_schema_extra={"examples": [SIMULATION]})

    rows: Annotated[list[SimulatedRowOut], Field(description="The rows in the order of their instants, up to 2,000.")]
    instants: Annotated[dict[RunStatus, int], Field(description="Number of instants by status.")]
    is_cut: Annotated[bool, Field(description="Whether the window has more rows than are shown.")]
    simulated_until: Annotated[
        datetime | None,
        Field(description="Last instant that the rows account for if they are cut. Null: they account for the window."),
    ]

    @classmethod
    def of(cls, simulation: Simulation) -> Self:
        """Build the answer from a simulation."""
        counts: Counter[RunStatus] = Counter()
        for row in simulation.rows:
            counts[row.status] += row.missed_count or 1
        rows = [SimulatedRowOut.of(row) for row in simulation.rows]
        return cls(
            rows=rows,
            instants=dict(counts),
            is_cut=simulation.is_cut,
            simulated_until=simulation.simulated_until,
        )


@router.post(
    "/simulate",
    operation_id="simulateSchedule",
    summary="Simulate a schedule",
    responses={
        200: answer("The ledger that the job would have.", SIMULATION),
        **refusals(NotFoundError, takes_body=True),
    },
)
async def simulate_schedule(wanted: Wanted, service: CurrentService, caller: CurrentCaller) -> SimulationOut:
    """What every instant of a window would become, by the function that decides for the dispatcher.

    Workers are assumed to be free, and runs to succeed after `run_seconds`. Earlier runs do not count.
    """
    return SimulationOut.of(await service.simulations.simulate(caller, wanted))
