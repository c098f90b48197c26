"""What a client sends to simulate a schedule."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from scheduler_service.domain.simulation import Scenario, Window
from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.instants import Instant

EXAMPLE: dict[str, Any] = {
    "job": {
        "name": "report",
        "schedule_expr": "*/10 * * * *",
        "payload": {"type": "shell_script", "script": "make report"},
        "misfire_policy": "fire_once",
    },
    "from": "2026-01-15T10:00:00Z",
    "to": "2026-01-15T12:00:00Z",
    "outages": [{"from": "2026-01-15T10:25:00Z", "to": "2026-01-15T11:05:00Z"}],
    "run_seconds": 60,
}


class Span(DefinitionModel):
    """A span of time."""

    begin: Annotated[Instant, Field(alias="from", description="Its beginning.")]
    end: Annotated[Instant, Field(alias="to", description="Its end, which is later.")]

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.end <= self.begin:
            raise ValueError("to must be later than from")
        return self

    @property
    def window(self) -> Window:
        """The span as the simulation takes it."""
        return Window(self.begin, self.end)


class SimulationRequest(Span):
    """A job, a window of time, and what is assumed to happen in it."""

    model_config = ConfigDict(title="Simulation request")

    job: Annotated[
        dict[str, JsonValue] | None, Field(description="A job, as `POST /jobs` takes it. Null: `job_id` names one.")
    ] = None
    job_id: Annotated[
        int | None, Field(ge=1, le=2**63 - 1, description="Identifier of a stored job. Null: `job` holds one."), Whole
    ] = None
    outages: Annotated[
        list[Span], Field(max_length=100, description="When no dispatcher is alive, up to 100 spans. Default: never.")
    ] = []  # noqa: RUF012 (pydantic copies defaults)
    pauses: Annotated[
        list[Span], Field(max_length=100, description="When the job is paused, up to 100 spans. Default: never.")
    ] = []  # noqa: RUF012
    run_seconds: Annotated[
        float, Field(ge=0, le=604_800, description="How long each run takes. In seconds, 0 to 604,800. Default 60.")
    ] = 60

    @model_validator(mode="after")
    def _has_one_job(self) -> Self:
        if (self.job is None) == (self.job_id is None):
            raise ValueError("needs either job or job_id")
        return self

    def scenario(self) -> Scenario:
        """Return what is assumed."""
        return Scenario(
            window=self.window,
            outages=[span.window for span in self.outages],
            pauses=[span.window for span in self.pauses],
            run_seconds=self.run_seconds,
        )
